//! What migrations say without a database: their versions, and the floor that they set.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

/// By one of these a migration says which schema version a program has to know.
const FLOOR: [&str; 2] = [
    "schema_floor (id, oldest) VALUES (1, ",
    "schema_floor SET oldest = ",
];

/// The migrations of a store, by version.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Migrations(BTreeMap<u64, String>);

impl Migrations {
    /// Those of a folder.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut migrations = BTreeMap::new();
        let entries =
            fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let version = name
                .split('_')
                .next()
                .and_then(|digits| digits.parse().ok());
            if let Some(version) = version.filter(|_| name.ends_with(".sql")) {
                migrations.insert(version, fs::read_to_string(&path)?);
            }
        }
        Ok(Self(migrations))
    }

    /// The newest version.
    pub(super) fn newest(&self) -> u64 {
        self.0.keys().next_back().copied().unwrap_or(0)
    }

    /// The oldest version that a program has to know, once there is such a floor.
    pub(super) fn floor(&self) -> Option<u64> {
        self.0.values().filter_map(|sql| floor_of(sql)).next_back()
    }

    /// Whether a program with these migrations, and no newer ones, starts on a database with those.
    pub(super) fn serve(&self, database: &Self) -> bool {
        let minds_floors = self.floor().is_some();
        minds_floors && database.floor().is_some_and(|floor| self.newest() >= floor)
    }

    /// Whether the release with these migrations starts again after a roll-back from `today`'s.
    ///
    /// # Errors
    /// When a floor keeps it from that: the release just before is never below one.
    pub(super) fn after_roll_back_from(&self, today: &Self) -> anyhow::Result<bool> {
        let starts = self.serve(today);
        if !starts && self.floor().is_some() {
            bail!(
                "today's floor is above schema {}, which is all that the release knows, so a roll-back to it is refused: raise it in a later release",
                self.newest()
            );
        }
        Ok(starts)
    }
}

fn floor_of(sql: &str) -> Option<u64> {
    let said = FLOOR.iter().find_map(|words| sql.split_once(words))?.1;
    let end = said.find(|c: char| !c.is_ascii_digit())?;
    said[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths;

    fn of(migrations: &[&str]) -> Migrations {
        Migrations(
            (1..)
                .zip(migrations.iter().map(|sql| (*sql).to_owned()))
                .collect(),
        )
    }

    const BEGIN: &str = "insert into schema_floor (id, oldest) VALUES (1, 1);";
    const ADD: &str = "ALTER TABLE rooms ADD COLUMN subject TEXT;";

    #[test]
    fn a_program_starts_on_what_was_only_added_to() {
        assert!(of(&[BEGIN]).serve(&of(&[BEGIN, ADD, ADD])));
    }

    #[test]
    fn a_program_starts_down_to_the_floor_and_not_below() {
        let taking = "DROP TABLE sites;\nUPDATE schema_floor SET oldest = 2;";
        let database = of(&[BEGIN, ADD, taking]);
        assert!(of(&[BEGIN, ADD]).serve(&database));
        assert!(!of(&[BEGIN]).serve(&database));
    }

    #[test]
    fn a_program_of_before_there_was_a_floor_starts_on_nothing_newer() {
        assert!(!of(&[ADD]).serve(&of(&[ADD, BEGIN])));
    }

    #[test]
    fn the_release_before_may_always_be_rolled_back_to_once_it_knows_floors() {
        let adding = of(&[BEGIN, ADD]);
        let starts =
            |release: &Migrations, today: &Migrations| release.after_roll_back_from(today).ok();
        assert_eq!(starts(&of(&[BEGIN]), &adding), Some(true));
        assert_eq!(starts(&of(&[ADD]), &of(&[ADD, BEGIN])), Some(false));
        let too_high = of(&[BEGIN, "UPDATE schema_floor SET oldest = 2;"]);
        assert_eq!(starts(&of(&[BEGIN]), &too_high), None);
    }

    #[test]
    fn both_stores_say_their_floor() {
        for store in ["chat-store-sqlite", "chat-store-postgres"] {
            let folder = paths::root().join(format!("crates/{store}/migrations"));
            let migrations = Migrations::read(&folder).unwrap();
            let floor = migrations.floor().unwrap();
            assert!(
                (1..=migrations.newest()).contains(&floor),
                "{store}: {floor}"
            );
        }
    }
}
