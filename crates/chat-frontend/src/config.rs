//! The addresses that are compiled into the client.

/// The API's address: absolute, http or https, without a slash at the end (checked by `build.rs`).
/// The server of the front end may deliver another one in the page, in [`API_BASE_META`].
pub const API_BASE_URL: &str = env!("API_BASE_URL");

/// The name of the `<meta>` element with the API's address of this deployment.
pub const API_BASE_META: &str = "api-base";

/// The release, told to the API in `hello`.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");

/// The WebSocket form of an API address.
pub fn socket_base(api_base: &str) -> String {
    match api_base.strip_prefix("https") {
        Some(rest) => format!("wss{rest}"),
        None => format!("ws{}", api_base.trim_start_matches("http")),
    }
}

/// The origin of an API address, as a browser writes it in `Origin`.
pub fn origin(api_base: &str) -> &str {
    let host_at = api_base.find("://").map_or(0, |at| at + 3);
    let end = api_base[host_at..]
        .find('/')
        .map_or(api_base.len(), |at| host_at + at);
    &api_base[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_address_is_absolute_and_has_no_slash_at_its_end() {
        assert!(API_BASE_URL.starts_with("http://") || API_BASE_URL.starts_with("https://"));
        assert!(!API_BASE_URL.ends_with('/'));
    }

    #[test]
    fn the_socket_keeps_host_port_path_and_encryption() {
        assert_eq!(socket_base("http://10.0.0.1:8080"), "ws://10.0.0.1:8080");
        assert_eq!(socket_base("https://a.example/api"), "wss://a.example/api");
    }

    #[test]
    fn an_origin_has_no_path() {
        assert_eq!(origin("https://a.example/api"), "https://a.example");
        assert_eq!(origin("http://[::1]:8080"), "http://[::1]:8080");
    }
}
