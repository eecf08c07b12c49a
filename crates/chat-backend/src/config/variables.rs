//! The names of the environment's variables: which are ours, and which look like ours and mean
//! nothing.

use std::collections::BTreeSet;

use clap::CommandFactory;

use super::Cli;

/// The process's environment variables with their values.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

/// The names among `variables` that look like ours and mean nothing: most likely misspelt.
pub fn unknown_variables(variables: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let known = known_variables();
    variables
        .filter(|(name, _)| name.starts_with("CHAT_") && !name.starts_with("CHAT_FRONTEND_"))
        .filter(|(name, value)| !known.contains(name) && !is_service_link(name, value))
        .map(|(name, _)| name)
        .collect()
}

fn known_variables() -> BTreeSet<String> {
    let names = |arg: &clap::Arg| {
        arg.get_env()
            .map(|name| name.to_string_lossy().into_owned())
    };
    Cli::command().get_arguments().filter_map(names).collect()
}

/// Whether Kubernetes made this variable: it tells every pod of every service of the namespace, and
/// a service `chat-backend` becomes `CHAT_BACKEND_SERVICE_HOST` and its neighbours. Only exactly
/// these shapes, so that a misspelt variable is still noticed.
fn is_service_link(name: &str, value: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || is_service_port(name)
        // `CHAT_PORT=8080` is somebody's mistake; Kubernetes gives an address.
        || (name.ends_with("_PORT") && value.contains("://"))
        || is_port_part(name)
}

/// `…_SERVICE_PORT`, or `…_SERVICE_PORT_HTTP` for a port with a name.
fn is_service_port(name: &str) -> bool {
    let port_name = name.split_once("_SERVICE_PORT").map(|(_, rest)| rest);
    port_name.is_some_and(|rest| match rest.strip_prefix('_') {
        None => rest.is_empty(),
        Some(port) => !port.is_empty(),
    })
}

/// `…_PORT_8080_TCP`, and the same with `_PROTO`, `_PORT` or `_ADDR`.
fn is_port_part(name: &str) -> bool {
    let mut parts = name.rsplit('_').peekable();
    parts.next_if(|part| matches!(*part, "PROTO" | "PORT" | "ADDR"));
    let protocol = parts.next().unwrap_or_default();
    let number = parts.next().unwrap_or_default();
    matches!(protocol, "TCP" | "UDP" | "SCTP")
        && number.parse::<u16>().is_ok()
        && parts.next() == Some("PORT")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown<const N: usize>(variables: [(&str, &str); N]) -> Vec<String> {
        let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        unknown_variables(owned.into_iter())
    }

    #[test]
    fn variables_of_the_front_end_and_of_others_are_none_of_our_business() {
        let found = unknown([
            ("CHAT_FRONTEND_ADDR", "127.0.0.1:3000"),
            ("PATH", "/bin"),
            ("CHAT_ADDR", "127.0.0.1:8080"),
            ("CHAT_LIMIT_SENDS", "5/5s"),
            ("CHATTER", "yes"),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn the_service_links_of_kubernetes_are_none_of_our_business() {
        let found = unknown([
            ("CHAT_SERVICE_HOST", "10.0.0.1"),
            ("CHAT_PORT", "tcp://10.0.0.1:80"),
            ("CHAT_BACKEND_SERVICE_HOST", "10.0.0.1"),
            ("CHAT_BACKEND_SERVICE_PORT", "8080"),
            ("CHAT_BACKEND_SERVICE_PORT_HTTP", "8080"),
            ("CHAT_BACKEND_SERVICE_PORT_HTTP_ADMIN", "8081"),
            ("CHAT_BACKEND_PORT", "tcp://10.0.0.1:8080"),
            ("CHAT_BACKEND_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("CHAT_BACKEND_PORT_8080_TCP_PROTO", "tcp"),
            ("CHAT_BACKEND_PORT_8080_TCP_PORT", "8080"),
            ("CHAT_BACKEND_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("CHAT_NATS_PORT_4222_UDP_ADDR", "10.0.0.2"),
            ("CHAT_NATS_PORT_4222_SCTP", "sctp://10.0.0.2:4222"),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn what_only_resembles_a_service_link_is_misspelt() {
        let misspelt = [
            ("CHAT_ADRR", "127.0.0.1:1"),
            ("CHAT_PORT", "8080"),
            ("CHAT_BACKEND_PORT", "8080"),
            ("CHAT_BACKEND_HOST", "10.0.0.1"),
            ("CHAT_BACKEND_SERVICE_PORTS", "8080"),
            ("CHAT_BACKEND_SERVICE_PORT_", "8080"),
            ("CHAT_BACKEND_PORT_8080", "tcp://10.0.0.1:8080"),
            ("CHAT_BACKEND_PORT_HTTP_TCP", "tcp://10.0.0.1:8080"),
            ("CHAT_BACKEND_PORT_8080_TLS", "tls://10.0.0.1:8080"),
            ("CHAT_BACKEND_PORT_8080_TCP_NAME", "http"),
            ("CHAT_BACKEND_8080_TCP", "tcp://10.0.0.1:8080"),
        ];
        assert_eq!(unknown(misspelt), misspelt.map(|(name, _)| name));
    }
}
