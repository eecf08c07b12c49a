//! The protocol as one JSON document, for the committed `schema/chat.v1.json` and the check that
//! no release breaks it. It is made from the types, never written by hand.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::endpoint;
use crate::problem::Problem;
use crate::ws::{Command, SUBPROTOCOL, ServerDoc};

/// The whole protocol: the documents of the socket, the endpoints, the problem, and under `$defs`
/// the JSON Schema (2020-12) of every type. It says what a reader requires, so a field that is
/// always written but may be absent is not `required`.
///
/// The variants `unknown` are left out: they are how a reader keeps what it does not know, and
/// nobody sends them.
pub fn protocol() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let client = generator.subschema_for::<Command>();
    let server = generator.subschema_for::<ServerDoc>();
    let problem = generator.subschema_for::<Problem>();
    let endpoints: Map<String, Value> = endpoint::described(&mut generator)
        .into_iter()
        .map(|endpoint| (endpoint.operation.to_owned(), describe(&endpoint)))
        .collect();
    let definitions = generator.take_definitions(true);
    let mut protocol = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "chat.v1",
        "socket": {
            "path": endpoint::SOCKET_PATH,
            "subprotocol": SUBPROTOCOL,
            "client": client,
            "server": server,
        },
        "endpoints": endpoints,
        "problem": problem,
        "$defs": definitions,
    });
    drop_unknown(&mut protocol);
    protocol
}

fn describe(endpoint: &endpoint::Described) -> Value {
    json!({
        "summary": endpoint.summary,
        "method": endpoint.method.as_str(),
        "path": endpoint.path,
        "access": endpoint.access.name(),
        "query": endpoint.query,
        "body": endpoint.body,
        "response": endpoint.response,
    })
}

fn drop_unknown(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Array(variants)) = fields.get_mut("oneOf") {
                variants.retain(|variant| !is_unknown(variant));
            }
            fields.values_mut().for_each(drop_unknown);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_unknown),
        _ => {}
    }
}

fn is_unknown(variant: &Value) -> bool {
    let unknown = Some("unknown");
    let tagged = |tag| variant["properties"][tag]["const"].as_str() == unknown;
    variant["const"].as_str() == unknown || tagged("t") || tagged("kind")
}
