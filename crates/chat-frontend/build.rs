//! Checks the API's address before it is compiled into the client, and says how the server is linked.

use url::Url;

fn main() {
    println!("cargo::rerun-if-env-changed=PACK_RELOCATIONS");
    // The image's server sets it: 3 % off the program, for a C library that is not older than glibc 2.36.
    if std::env::var_os("PACK_RELOCATIONS").is_some() {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    println!("cargo::rerun-if-env-changed=API_BASE_URL");
    let Ok(base) = std::env::var("API_BASE_URL") else {
        refuse(
            "API_BASE_URL is not set; set it to the address of the API, such as https://chat.example.org",
        );
        return;
    };
    match fault(&base) {
        Some(fault) => refuse(&format!("API_BASE_URL is \"{base}\", which {fault}")),
        None => println!("cargo::rustc-env=API_BASE_URL={base}"),
    }
}

/// What is wrong with the address, in words; `None` when it is usable.
fn fault(base: &str) -> Option<&'static str> {
    let Ok(url) = Url::parse(base) else {
        return Some("is not an absolute URL");
    };
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Some("is not an http or https address");
    }
    if base.ends_with('/') {
        return Some("ends with a slash; leave it out");
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Some("has a query, a fragment or a user name; leave it out");
    }
    None
}

fn refuse(sentence: &str) {
    println!("cargo::error={sentence}");
}
