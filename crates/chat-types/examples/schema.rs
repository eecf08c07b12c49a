//! Writes the committed schema of the protocol anew:
//! `cargo run -p chat-types --example schema --features schema,text`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let mut schema = format!("{:#}", chat_types::schema::protocol());
    schema.push('\n');
    std::fs::write(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/chat.v1.json"),
        schema,
    )
}
