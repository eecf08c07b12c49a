//! The API document (OpenAPI 3.1), made from the same registrations as the router.

use chat_types::account::Empty;
use chat_types::endpoint::{Access, Endpoint, STREAM_PATH};
use chat_types::limits::BODY_BYTES;
use chat_types::problem::Problem;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The largest integer that every JSON reader keeps exact.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The document while it grows.
pub struct Document {
    schemas: SchemaGenerator,
    paths: Map<String, Value>,
    operations: Vec<String>,
}

impl Document {
    /// A document without operations.
    pub fn empty() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self {
            schemas: settings.into_generator(),
            paths: Map::new(),
            operations: Vec::new(),
        }
    }

    /// The ids of the documented operations.
    pub fn operations(&self) -> &[String] {
        &self.operations
    }

    /// Documents one endpoint.
    pub fn add<E: Endpoint>(&mut self)
    where
        E::Query: JsonSchema,
        E::Body: JsonSchema,
        E::Response: JsonSchema,
    {
        let mut parameters = path_parameters(E::PATH);
        parameters.extend(self.query_parameters::<E::Query>());
        let success = json!({
            "description": "Done.",
            "headers": { "x-request-id": request_id() },
            "content": { "application/json": { "schema": self.schema::<E::Response>() } },
        });
        let mut operation = json!({
            "operationId": E::OPERATION,
            "summary": E::SUMMARY,
            "tags": [tag(E::PATH)],
            "security": security(E::ACCESS),
            "parameters": parameters,
            "responses": responses(success),
        });
        if E::Body::schema_name() != Empty::schema_name() {
            operation["requestBody"] = json!({
                "required": true,
                "description": format!("At most {BODY_BYTES} bytes."),
                "content": { "application/json": { "schema": self.schema::<E::Body>() } },
            });
        }
        self.operations.push(E::OPERATION.to_owned());
        self.insert(E::PATH, E::METHOD.as_str(), operation);
    }

    /// Documents the event stream, whose answer is not JSON.
    pub fn add_stream(&mut self) {
        let success = json!({
            "description": "Server-sent events: `data` is an event of the room, `id` its `seq`, a dot and the epoch.",
            "content": { "text/event-stream": { "schema": { "type": "string" } } },
        });
        let mut parameters = path_parameters(STREAM_PATH);
        parameters.push(json!({
            "name": "Last-Event-ID", "in": "header", "required": false,
            "description": "Resume after the event of this id.",
            "schema": { "type": "string", "maxLength": 100 },
        }));
        let operation = json!({
            "operationId": "stream_room",
            "summary": "The room's events, where WebSockets are blocked.",
            "tags": [tag(STREAM_PATH)],
            "security": security(Access::Visitor),
            "parameters": parameters,
            "responses": responses(success),
        });
        self.insert(STREAM_PATH, "GET", operation);
    }

    /// The document.
    pub fn finish(mut self) -> Value {
        let problems = self.problems();
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Sarangbang",
                "description": "Chat rooms for any web page. Live events travel over the WebSocket `/v1/ws`, see docs/protocol.md.",
                "version": crate::VERSION,
                "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            },
            "servers": [{ "url": "/" }],
            "paths": self.paths,
            "components": {
                "responses": problems,
                "schemas": self.schemas.take_definitions(true),
                "securitySchemes": {
                    "bearer": {
                        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                        "description": "An access token, as RFC 8725 asks: short-lived, one algorithm.",
                    },
                },
            },
        })
    }

    fn insert(&mut self, path: &str, method: &str, operation: Value) {
        let item = self.paths.entry(path).or_insert_with(|| json!({}));
        item[method.to_lowercase()] = operation;
    }

    fn schema<T: JsonSchema>(&mut self) -> Value {
        self.schemas.subschema_for::<T>().to_value()
    }

    fn query_parameters<T: JsonSchema>(&mut self) -> Vec<Value> {
        let schema = T::json_schema(&mut self.schemas).to_value();
        let Some(properties) = schema["properties"].as_object() else {
            return Vec::new();
        };
        let parameter = |(name, schema): (&String, &Value)| {
            json!({
                "name": name, "in": "query", "required": false,
                "description": schema["description"],
                "schema": query_schema(name),
            })
        };
        properties.iter().map(parameter).collect()
    }

    /// Every problem as a response that operations refer to.
    fn problems(&mut self) -> Map<String, Value> {
        let content = json!({ "application/problem+json": { "schema": self.schema::<Problem>() } });
        let response = |(status, description): &(&str, &str)| {
            let mut response = json!({
                "description": description,
                "headers": { "x-request-id": request_id() },
                "content": content,
            });
            if matches!(*status, "429" | "503") {
                response["headers"]["retry-after"] = header("Seconds after which to try again.");
            }
            (format!("Problem{status}"), response)
        };
        PROBLEMS.iter().map(response).collect()
    }
}

fn responses(success: Value) -> Value {
    let mut responses = json!({ "2XX": success });
    for (status, _) in PROBLEMS {
        let reference = format!("#/components/responses/Problem{status}");
        responses[status] = json!({ "$ref": reference });
    }
    responses
}

fn request_id() -> Value {
    header("Finds this request in the server's log.")
}

/// What any operation may be refused with.
const PROBLEMS: [(&str, &str); 12] = [
    ("400", "The request could not be read."),
    (
        "401",
        "No access token, or one that is not valid or has ended.",
    ),
    ("403", "Not allowed, or the room is read-only."),
    (
        "404",
        "It does not exist, or it is not for this caller to know.",
    ),
    ("408", "The body took too long."),
    (
        "409",
        "It contradicts what is stored, or the name is taken.",
    ),
    ("413", "The body is too large."),
    ("415", "The body is not `application/json`."),
    ("422", "A field was read and its value is refused."),
    ("429", "Too often."),
    ("500", "A fault of the server."),
    ("503", "Not available now, or load is shed."),
];

fn header(description: &str) -> Value {
    json!({ "description": description, "schema": { "type": "string", "maxLength": 100 } })
}

fn security(access: Access) -> Value {
    match access {
        Access::Anyone => json!([]),
        Access::Visitor => json!([{}, { "bearer": [] }]),
        Access::User => json!([{ "bearer": [] }]),
    }
}

/// The first word of the path behind the version.
fn tag(path: &str) -> &str {
    path.split('/').nth(2).unwrap_or_default()
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        let schema = match name {
            "site" => {
                json!({ "type": "string", "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "maxLength": 40 })
            }
            _ => json!({ "type": "string", "format": "uuid", "maxLength": 45 }),
        };
        json!({ "name": name, "in": "path", "required": true, "description": format!("Which {name}."), "schema": schema })
    };
    names.map(parameter).collect()
}

fn query_schema(name: &str) -> Value {
    match name {
        "limit" => {
            json!({ "type": "integer", "format": "int32", "minimum": 1, "maximum": 100, "default": 50 })
        }
        "cursor" => json!({ "type": "string", "maxLength": 200 }),
        _ => {
            json!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_SAFE_INTEGER })
        }
    }
}
