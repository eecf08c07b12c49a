//! Certificates for tests: a certificate authority of one's own, what it signs, and clients that
//! trust it.

use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

use crate::{Error, Result};

/// The name for which certificates are valid.
const NAME: &str = "localhost";

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Valid {
    /// Now.
    Now,
    /// Not any more.
    Before,
    /// Not yet.
    Later,
}

/// A certificate authority that nobody else knows.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// The files of a certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Authority {
    /// Makes one.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(refused)?;
        CertifiedIssuer::self_signed(params, key)
            .map(Self)
            .map_err(refused)
    }

    /// Writes a new certificate for `localhost` and its key into `folder`, over what it wrote there
    /// before.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn issue(&self, valid: Valid, folder: &Path) -> Result<Pair> {
        let mut params = CertificateParams::new([NAME.to_owned()]).map_err(refused)?;
        let (from, to) = match valid {
            Valid::Now => (2000, 4000),
            Valid::Before => (2000, 2001),
            Valid::Later => (3999, 4000),
        };
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let key = KeyPair::generate().map_err(refused)?;
        let certificate = params.signed_by(&key, &self.0).map_err(refused)?;
        let pair = Pair {
            certificate: folder.join("tls.crt"),
            key: folder.join("tls.key"),
        };
        write(&pair.certificate, &certificate.pem())?;
        write(&pair.key, &key.serialize_pem())?;
        Ok(pair)
    }

    /// Its own certificate, in PEM.
    pub fn certificate(&self) -> String {
        self.0.pem()
    }

    /// A client that trusts this authority only, and offers HTTP/1.1.
    ///
    /// # Panics
    /// Never: what was made here is valid.
    pub fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let own = roots.add(self.0.as_ref().der().clone());
        own.expect("a certificate that was just made");
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }

    /// Speaks TLS over a connection, without tokio. The handshake comes with the first bytes.
    ///
    /// # Panics
    /// Never: the name is valid.
    pub fn secure(&self, tcp: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
        let name = NAME.try_into().expect("a valid name");
        let session = ClientConnection::new(self.client(), name);
        StreamOwned::new(session.expect("a valid configuration"), tcp)
    }
}

impl Pair {
    /// A server with this certificate.
    ///
    /// # Errors
    /// When the files are not those that were written.
    pub fn server(&self) -> Result<Arc<ServerConfig>> {
        let certificate = CertificateDer::from_pem_file(&self.certificate).map_err(unusable)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(unusable)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let config = config.with_no_client_auth();
        let config = config.with_single_cert(vec![certificate], key);
        config.map(Arc::new).map_err(unusable)
    }
}

/// The server's side of a connection, without tokio.
///
/// # Errors
/// When the configuration cannot be used.
pub fn accept(
    config: &Arc<ServerConfig>,
    tcp: TcpStream,
) -> io::Result<StreamOwned<ServerConnection, TcpStream>> {
    let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    Ok(StreamOwned::new(session, tcp))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(Error::system(path.display().to_string()))
}

fn refused(error: rcgen::Error) -> Error {
    Error::system("a certificate cannot be made")(io::Error::other(error))
}

fn unusable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::system("a certificate cannot be used")(io::Error::other(error))
}
