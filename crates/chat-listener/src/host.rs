//! Which host a request is for: exactly one, and valid (RFC 9112, section 3.2).

use http::uri::Authority;
use http::{Request, Version, header};

/// Whether the request names exactly one valid host, and one of `hosts` unless that is empty. HTTP/1.0
/// does not ask for the name, and a load balancer's health check may leave it out.
pub(crate) fn has_one_valid_host<B>(request: &Request<B>, hosts: &[String]) -> bool {
    let mut values = request.headers().get_all(header::HOST).iter();
    let host = match (values.next(), values.next()) {
        (Some(host), None) => host,
        (None, _) => return request.version() == Version::HTTP_10 && hosts.is_empty(),
        (Some(_), Some(_)) => return false,
    };
    let Some(host) = host.to_str().ok().and_then(parse) else {
        return false;
    };
    let is_same = |authority: &Authority| authority.as_str().eq_ignore_ascii_case(host.as_str());
    if !request.uri().authority().is_none_or(is_same) {
        return false;
    }
    let is_served = |served: &String| {
        served.eq_ignore_ascii_case(host.as_str()) || served.eq_ignore_ascii_case(host.host())
    };
    hosts.is_empty() || hosts.iter().any(is_served)
}

fn parse(host: &str) -> Option<Authority> {
    let authority: Authority = host.parse().ok()?;
    let port = host.strip_prefix(authority.host())?;
    let has_valid_port = match port.strip_prefix(':') {
        Some(digits) => digits.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    (!authority.host().is_empty() && has_valid_port).then_some(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(hosts: &[&str]) -> Request<()> {
        let mut request = Request::new(());
        for host in hosts {
            request
                .headers_mut()
                .append(header::HOST, host.parse().unwrap());
        }
        request
    }

    #[test]
    fn exactly_one_valid_host_is_needed() {
        for valid in ["example.org", "127.0.0.1:8080", "[::1]:8080", "EXAMPLE.org"] {
            assert!(has_one_valid_host(&request(&[valid]), &[]), "{valid}");
        }
        for invalid in [
            &[][..],
            &[""],
            &["a.example", "a.example"],
            &["a b"],
            &["user@a.example"],
            &["a.example/path"],
            &["a.example:"],
            &["a.example:port"],
        ] {
            assert!(!has_one_valid_host(&request(invalid), &[]), "{invalid:?}");
        }
    }

    #[test]
    fn http_1_0_may_leave_the_host_out_where_any_is_served() {
        let mut old = request(&[]);
        *old.version_mut() = Version::HTTP_10;
        assert!(has_one_valid_host(&old, &[]));
        assert!(!has_one_valid_host(&old, &["chat.example".to_owned()]));
        let mut two = request(&["a.example", "a.example"]);
        *two.version_mut() = Version::HTTP_10;
        assert!(!has_one_valid_host(&two, &[]));
    }

    #[test]
    fn only_listed_hosts_are_served_with_or_without_their_port() {
        let hosts = ["chat.example".to_owned(), "127.0.0.1:8080".to_owned()];
        for (host, served) in [
            ("chat.example", true),
            ("CHAT.example:8443", true),
            ("127.0.0.1:8080", true),
            ("127.0.0.1:8081", false),
            ("chat.example.evil.example", false),
        ] {
            assert_eq!(
                has_one_valid_host(&request(&[host]), &hosts),
                served,
                "{host}"
            );
        }
    }

    #[test]
    fn an_absolute_target_names_the_same_host() {
        let mut request = request(&["a.example"]);
        *request.uri_mut() = "http://b.example/".parse().unwrap();
        assert!(!has_one_valid_host(&request, &[]));
        *request.uri_mut() = "http://A.example/".parse().unwrap();
        assert!(has_one_valid_host(&request, &[]));
    }
}
