//! Reading objects and nothing else: a derived `Deserialize` also takes an array for a struct, field
//! by field, which this protocol does not have.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// Reads a text that is one JSON object.
///
/// # Errors
/// When it is anything else, or its fields are not those of `T`.
pub fn from_slice<'de, T: Deserialize<'de>>(json: &'de [u8]) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let object = only(&mut deserializer)?;
    deserializer.end()?;
    Ok(object)
}

/// Reads a field that is an object, for `deserialize_with`.
///
/// # Errors
/// When it is anything else, or its fields are not those of `T`.
pub fn only<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_map(Object(PhantomData))
}

struct Object<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::CreateGuest;
    use crate::ws::Command;

    #[test]
    fn an_object_is_read_and_an_array_of_its_fields_is_not() {
        assert!(from_slice::<CreateGuest>(br#" {"name":"mina","new":1} "#).is_ok());
        for other in [
            r#"["mina"]"#,
            r#""mina""#,
            "null",
            "1",
            "",
            r#"{"name":"mina"} {}"#,
        ] {
            assert!(
                from_slice::<CreateGuest>(other.as_bytes()).is_err(),
                "{other}"
            );
        }
        let hello = |client: &str| format!(r#"{{"t":"hello","id":1,"client":{client}}}"#);
        for (client, is_read) in [
            (r#"{"name":"x","build":"1"}"#, true),
            (r#"["x","1"]"#, false),
        ] {
            let command = from_slice::<Command>(hello(client).as_bytes());
            assert_eq!(command.is_ok(), is_read, "{client}");
        }
        assert!(from_slice::<Command>(br#"["probe"]"#).is_err());
    }
}
