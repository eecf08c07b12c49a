//! TLS on the public port: a certificate and its key in two files, read again while the server runs,
//! since what renews certificates replaces files and restarts nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::{InconsistentKeys, ServerConfig};
use webpki::{EndEntityCert, KeyUsage};

use crate::{Stream, metrics};

/// How often servers look whether the files have changed.
pub const RELOAD: Duration = Duration::from_secs(30);

/// The first byte of every TLS connection: the kind of record that a handshake is (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;
/// Bytes that a session keeps beyond what the system takes: one record. The limits of slow readers
/// are those of the system's buffers then, as they are without TLS.
const SESSION_BYTES: usize = 16 * 1024;
/// What somebody hears who does not speak TLS here.
const NOT_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n\
    connection: close\r\ncontent-length: 32\r\n\r\nthis port speaks TLS: use https\n";
const DAY_S: u64 = 24 * 60 * 60;
/// Later than the end of any certificate.
const END_OF_TIME: UnixTime = UnixTime::since_unix_epoch(Duration::MAX);

/// Why TLS cannot begin, or goes on with the certificate before, each with what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One file without the other.
    #[error(
        "only one of TLS_CERT_FILE and TLS_KEY_FILE is set; set both to serve TLS, or neither to serve plain HTTP"
    )]
    Half,
    /// A file cannot be read.
    #[error("{variable} cannot be read: {}: {source}; name a file that this user may read", path.display())]
    Unreadable {
        /// The variable that names it.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file without certificates.
    #[error(
        "TLS_CERT_FILE holds no certificate: {}; name a file in PEM with the server's certificate first and its chain after it", .0.display()
    )]
    NoCertificate(PathBuf),
    /// A file without a key.
    #[error(
        "TLS_KEY_FILE holds no private key: {}; name a file in PEM whose key is not encrypted", .0.display()
    )]
    NoKey(PathBuf),
    /// The key is another certificate's.
    #[error(
        "the key of TLS_KEY_FILE is not that of the first certificate of TLS_CERT_FILE; name the two files of one certificate, its chain after it"
    )]
    Mismatch,
    /// The certificate is not valid any more.
    #[error("the certificate of TLS_CERT_FILE expired {days} days ago: {}; renew it", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// Whole days since.
        days: u64,
    },
    /// The certificate is not valid yet.
    #[error(
        "the certificate of TLS_CERT_FILE is not valid yet: {}; set this machine's clock, or use the certificate before", .0.display()
    )]
    NotYetValid(PathBuf),
    /// Something else is wrong with certificate or key.
    #[error("TLS_CERT_FILE and TLS_KEY_FILE cannot be used: {0}; make both anew")]
    Unusable(#[from] rustls::Error),
}

/// Where the certificate and its key are.
#[derive(Debug, Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What was in them.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// What new connections get.
struct Current {
    contents: Contents,
    not_after: UnixTime,
    config: Arc<ServerConfig>,
}

/// Ends TLS with the newest certificate that could be used. Clones are the same.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: Files,
    reload: Duration,
    current: RwLock<Current>,
}

impl Tls {
    /// TLS with the certificate and key of these files, of which both or neither are set. They are
    /// looked at again after each `reload`.
    ///
    /// # Errors
    /// [`TlsError`], for the person who runs the server.
    pub fn of_files(
        certificate: Option<&Path>,
        key: Option<&Path>,
        reload: Duration,
    ) -> Result<Option<Self>, TlsError> {
        let files = match (certificate, key) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => Files {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
            },
            (Some(_), None) | (None, Some(_)) => return Err(TlsError::Half),
        };
        let current = files.load()?;
        metrics::certificate_ends(current.not_after);
        let current = RwLock::new(current);
        Ok(Some(Self(Arc::new(Inner {
            files,
            reload,
            current,
        }))))
    }

    /// The handshake with a new connection. Whoever speaks plain HTTP is told in plain HTTP.
    ///
    /// # Errors
    /// When the other side is gone, or there is no agreement.
    pub(crate) async fn accept(&self, mut tcp: TcpStream) -> io::Result<Stream> {
        let mut first = [0];
        if tcp.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first != [HANDSHAKE] {
            refuse(&mut tcp).await?;
            return Err(io::Error::other("not TLS"));
        }
        let config = Arc::clone(&self.current().config);
        let accepting = TlsAcceptor::from(config).accept_with(tcp, |session| {
            session.set_buffer_limit(Some(SESSION_BYTES));
        });
        Ok(Stream::Tls(Box::new(accepting.await?)))
    }

    /// Takes the files' certificate whenever it has changed, for ever. While it cannot be used, new
    /// connections get the one before, and the log says why once.
    pub(crate) async fn renew(self) {
        let mut complaint = String::new();
        loop {
            tokio::time::sleep(self.0.reload).await;
            match self.reload().await {
                Ok(true) => tracing::info!("new connections get the renewed certificate"),
                Ok(false) => {}
                Err(error) => {
                    let why = error.to_string();
                    if why != complaint {
                        tracing::error!(%error, "new connections still get the certificate before");
                    }
                    complaint = why;
                    continue;
                }
            }
            complaint.clear();
        }
    }

    /// Whether the certificate is another one now.
    async fn reload(&self) -> Result<bool, TlsError> {
        let files = self.0.files.clone();
        let loading = tokio::task::spawn_blocking(move || files.load());
        let Ok(loaded) = loading.await else {
            return Ok(false); // The process ends.
        };
        let loaded = loaded?;
        if self.current().contents == loaded.contents {
            return Ok(false);
        }
        let mut current = self
            .0
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        metrics::certificate_ends(loaded.not_after);
        *current = loaded;
        Ok(true)
    }

    fn current(&self) -> std::sync::RwLockReadGuard<'_, Current> {
        self.0
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    fn load(&self) -> Result<Current, TlsError> {
        let contents = Contents {
            certificate: read("TLS_CERT_FILE", &self.certificate)?,
            key: read("TLS_KEY_FILE", &self.key)?,
        };
        let (config, not_after) = self.config(&contents)?;
        Ok(Current {
            contents,
            not_after,
            config: Arc::new(config),
        })
    }

    /// What connections get, and when it ends.
    fn config(&self, contents: &Contents) -> Result<(ServerConfig, UnixTime), TlsError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<_, _>>()
            .map_err(|_| TlsError::NoCertificate(self.certificate.clone()))?;
        let Some(own) = chain.first() else {
            return Err(TlsError::NoCertificate(self.certificate.clone()));
        };
        let not_after = self.check_dates(own, UnixTime::now())?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|_| TlsError::NoKey(self.key.clone()))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    TlsError::Mismatch
                }
                other => TlsError::Unusable(other),
            })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Who comes back needs no signature, and the server remembers nobody for it.
        config.ticketer = ring::Ticketer::new()?;
        Ok((config, not_after))
    }

    /// When a certificate ends that is valid `now`.
    fn check_dates(
        &self,
        certificate: &CertificateDer<'_>,
        now: UnixTime,
    ) -> Result<UnixTime, TlsError> {
        let unusable = |error: webpki::Error| {
            let error = rustls::CertificateError::Other(rustls::OtherError(Arc::new(error)));
            TlsError::Unusable(error.into())
        };
        let certificate = EndEntityCert::try_from(certificate).map_err(unusable)?;
        // Trusting nobody, this always refuses, and the dates are what it looks at first. Whether
        // anybody trusts the certificate is for the clients to judge.
        let refusal = |at| {
            let usage = KeyUsage::server_auth();
            let verified = certificate.verify_for_usage(&[], &[], &[], at, usage, None, None);
            verified.err()
        };
        match refusal(now) {
            Some(webpki::Error::CertExpired { not_after, .. }) => Err(TlsError::Expired {
                path: self.certificate.clone(),
                days: (now.as_secs() - not_after.as_secs()) / DAY_S,
            }),
            Some(webpki::Error::CertNotValidYet { .. }) => {
                Err(TlsError::NotYetValid(self.certificate.clone()))
            }
            _ => match refusal(END_OF_TIME) {
                Some(webpki::Error::CertExpired { not_after, .. }) => Ok(not_after),
                _ => Ok(END_OF_TIME),
            },
        }
    }
}

fn read(variable: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable {
        variable,
        path: path.to_owned(),
        source,
    })
}

/// Answers a plain request.
async fn refuse(tcp: &mut TcpStream) -> io::Result<()> {
    // What was not read would make the system cut the answer off.
    let _ = tcp.try_read(&mut [0; 4096]);
    tcp.write_all(NOT_TLS).await?;
    tcp.shutdown().await
}

#[cfg(test)]
mod tests {
    use chat_testbed::{Authority, Pair, Valid};

    use super::*;

    fn config(tls: &Tls) -> Arc<ServerConfig> {
        Arc::clone(&tls.current().config)
    }

    #[tokio::test]
    async fn a_renewal_that_cannot_be_used_leaves_the_certificate_before() {
        let authority = Authority::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let issue = |valid| authority.issue(valid, folder.path()).unwrap();
        let Pair { certificate, key } = issue(Valid::Now);
        let tls = Tls::of_files(Some(&certificate), Some(&key), RELOAD);
        let tls = tls.unwrap().unwrap();
        let first = config(&tls);
        assert!(!tls.reload().await.unwrap(), "nothing has changed");

        issue(Valid::Before);
        assert!(matches!(tls.reload().await, Err(TlsError::Expired { .. })));
        issue(Valid::Later);
        assert!(matches!(tls.reload().await, Err(TlsError::NotYetValid(_))));
        std::fs::write(&certificate, "").unwrap();
        assert!(matches!(
            tls.reload().await,
            Err(TlsError::NoCertificate(_))
        ));
        std::fs::remove_file(&key).unwrap();
        assert!(matches!(
            tls.reload().await,
            Err(TlsError::Unreadable { .. })
        ));
        assert!(Arc::ptr_eq(&first, &config(&tls)));

        issue(Valid::Now);
        assert!(tls.reload().await.unwrap());
        assert!(!Arc::ptr_eq(&first, &config(&tls)));
    }

    #[test]
    fn the_answer_to_plain_http_is_as_long_as_it_says() {
        let answer = std::str::from_utf8(NOT_TLS).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let length = format!("content-length: {}", body.len());
        assert!(head.ends_with(&length), "{head}");
    }
}
