//! Passwords: argon2id on a bounded pool of blocking threads, so a flood of sign-ins delays neither
//! messages nor the runtime.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use chat_types::text::Password;
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Memory of one hash in KiB, passes and lanes: the OWASP minimum for argon2id (19 MiB, 2, 1).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How many callers may wait for each core; more are told to come back.
const WAITING_PER_CORE: usize = 16;

/// Hashes and verifies passwords.
pub struct Passwords {
    argon2: Argon2<'static>,
    /// Verified when there is no account, so that this takes the same time.
    nobodys_hash: Arc<str>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Passwords {
    /// A pool that hashes so many passwords at once.
    ///
    /// # Panics
    /// When there is no memory for one hash.
    pub fn with_width(cores: usize) -> Self {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("constants are valid");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobodys_hash = hash_now(&argon2, &super::token::random_token())
            .expect("hashing a short text with valid parameters works");
        Self {
            argon2,
            nobodys_hash: nobodys_hash.into(),
            running: Arc::new(Semaphore::new(cores)),
            waiting: Arc::new(Semaphore::new(cores * (1 + WAITING_PER_CORE))),
        }
    }

    /// The hash of a new password, in PHC string format.
    ///
    /// # Errors
    /// `overloaded` when too many wait already.
    pub async fn hash(&self, password: Password) -> Result<String, ApiError> {
        let argon2 = self.argon2.clone();
        let hashed = self
            .run(move || hash_now(&argon2, password.reveal()))
            .await?;
        hashed.map_err(ApiError::internal)
    }

    /// Whether this is the password of the hash. Without a hash or with a password that nobody can
    /// have, the answer is no and takes as long.
    ///
    /// # Errors
    /// `overloaded` when too many wait already.
    pub async fn verify(
        &self,
        password: Option<Password>,
        hash: Option<String>,
    ) -> Result<bool, ApiError> {
        let argon2 = self.argon2.clone();
        let possible = password.is_some() && hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobodys_hash.to_string());
        self.run(move || {
            let password = password.as_ref().map_or("", Password::reveal);
            let matches = PasswordHash::new(&hash)
                .is_ok_and(|hash| argon2.verify_password(password.as_bytes(), &hash).is_ok());
            possible && matches
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let waiting = Arc::clone(&self.waiting)
            .try_acquire_owned()
            .map_err(|_| ApiError::overloaded())?;
        let running = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(ApiError::internal)?;
        // The permits travel with the work: it goes on when the caller has gone away.
        let work = move || {
            let _permits = (waiting, running);
            work()
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(ApiError::internal)
    }
}

fn hash_now(argon2: &Argon2<'_>, password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(argon2.hash_password(password.as_bytes())?.to_string())
}
