//! A map of few entries, as a list in the order of its keys. For the hundred rooms and requests of one
//! client it is as quick as a tree, and a tree's code comes once for each kind of entry: 5 KB each time.

/// Values by their keys, in the order of the keys.
#[derive(Debug, Clone)]
pub(crate) struct ListMap<K, V>(Vec<(K, V)>);

impl<K, V> Default for ListMap<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord + Copy, V> ListMap<K, V> {
    /// Where the key is, or where it belongs.
    fn place(&self, key: K) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(&key))
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        let (_, value) = self.0.get(self.place(key).ok()?)?;
        Some(value)
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let at = self.place(key).ok()?;
        let (_, value) = self.0.get_mut(at)?;
        Some(value)
    }

    /// Puts a value in the place of the one before.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if let Some(known) = self.get_mut(key) {
            *known = value;
        } else {
            let (Ok(at) | Err(at)) = self.place(key);
            self.0.insert(at, (key, value));
        }
    }

    /// Changes the value of a key, made if it is not there.
    pub(crate) fn change(&mut self, key: K, change: impl FnOnce(&mut V))
    where
        V: Default,
    {
        let mut value = self.remove(key).unwrap_or_default();
        change(&mut value);
        self.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let at = self.place(key).ok()?;
        Some(self.0.remove(at).1)
    }

    /// Drops what comes before a key.
    pub(crate) fn drop_before(&mut self, key: K) {
        let (Ok(at) | Err(at)) = self.place(key);
        self.0.drain(..at);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = K> {
        self.0.iter().map(|(key, _)| *key)
    }

    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    /// The values, and leaves the map empty.
    pub(crate) fn take_values(&mut self) -> impl DoubleEndedIterator<Item = V> {
        std::mem::take(&mut self.0)
            .into_iter()
            .map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::ListMap;

    fn map(keys: &[u8]) -> ListMap<u8, char> {
        let mut map = ListMap::default();
        for key in keys {
            map.insert(*key, char::from(*key));
        }
        map
    }

    #[test]
    fn entries_are_in_the_order_of_their_keys_however_they_came() {
        let mut map = map(b"cab");
        assert_eq!(map.keys().collect::<Vec<_>>(), b"abc");
        assert_eq!(map.values().collect::<String>(), "abc");
        map.insert(b'b', '!');
        assert_eq!(map.len(), 3);
        assert_eq!(map.take_values().rev().collect::<String>(), "c!a");
        assert_eq!(map.len(), 0);
    }

    #[test]
    fn an_entry_is_found_changed_and_removed_by_its_key() {
        let mut map = map(b"ab");
        assert_eq!((map.get(b'b'), map.get(b'c')), (Some(&'b'), None));
        map.change(b'c', |value| *value = 'x');
        *map.get_mut(b'a').unwrap() = 'y';
        assert_eq!(map.remove(b'b'), Some('b'));
        assert_eq!(map.remove(b'b'), None);
        assert_eq!(map.iter().collect::<Vec<_>>(), [(b'a', &'y'), (b'c', &'x')]);
    }

    #[test]
    fn what_comes_before_a_key_is_dropped_and_the_key_is_not() {
        let dropped = |before| {
            let mut map = map(b"aceg");
            map.drop_before(before);
            map.values().collect::<String>()
        };
        assert_eq!(dropped(b'c'), "ceg");
        assert_eq!(dropped(b'd'), "eg");
        assert_eq!(dropped(b'z'), "");
    }
}
