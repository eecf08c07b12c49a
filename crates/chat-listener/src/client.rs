//! The way to another server, over http or https.

use std::io;

use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Connects over http, and over https as well where `speaks_tls`: then what the machine trusts is
/// trusted, or else what `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
///
/// # Errors
/// When TLS is to be spoken, and the machine trusts nobody.
///
/// # Panics
/// Never: the provider has what the default versions of TLS need.
pub fn connector(speaks_tls: bool) -> io::Result<HttpsConnector<HttpConnector>> {
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the provider has what the default versions need");
    let config = if speaks_tls {
        config.with_native_roots()?
    } else {
        config.with_root_certificates(RootCertStore::empty())
    };
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(config.with_no_client_auth())
        .https_or_http()
        .enable_http1()
        .build())
}
