//! Passwords: argon2id on a bounded pool of blocking threads, so a flood of sign-ins delays neither
//! messages nor the runtime, in memory that is used again for every hash: what is given back to the
//! allocator stays with the thread that had it, and there are hundreds of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use chat_types::text::Password;
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Memory of one hash in KiB, passes and lanes: the OWASP minimum for argon2id (19 MiB, 2, 1).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How many callers may wait for each core; more are told to come back.
const WAITING_PER_CORE: usize = 16;

/// Bytes of a salt and of a hash: the lengths that RFC 9106 recommends.
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// What one hash works in.
type Memory = Vec<Block>;

/// How busy the pool is: so many hashes run and wait, and so many may do either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// At work.
    pub running: usize,
    /// In line for it.
    pub waiting: usize,
    /// Both together at most.
    pub limit: usize,
}

/// Hashes and verifies passwords.
pub struct Passwords {
    /// How many hashes run at once.
    cores: usize,
    params: Params,
    /// Verified when there is no account, so that this takes the same time.
    nobodys_hash: Arc<str>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// Memory that no hash works in now: never more pieces than may run.
    free: Arc<Mutex<Vec<Memory>>>,
}

impl Passwords {
    /// A pool that hashes so many passwords at once.
    ///
    /// # Panics
    /// When there is no memory for one hash.
    pub fn with_width(cores: usize) -> Self {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES));
        let params = params.expect("constants are valid");
        let mut memory = Memory::new();
        let nobodys_hash = hash_now(&params, &super::token::random_token(), &mut memory)
            .expect("hashing a short text with valid parameters works");
        Self {
            cores,
            params,
            nobodys_hash: nobodys_hash.into(),
            running: Arc::new(Semaphore::new(cores)),
            waiting: Arc::new(Semaphore::new(limit(cores))),
            free: Arc::new(Mutex::new(vec![memory])),
        }
    }

    /// How busy the pool is now.
    pub fn load(&self) -> Load {
        let limit = limit(self.cores);
        let running = self.cores - self.running.available_permits();
        let all = limit - self.waiting.available_permits();
        Load {
            running,
            waiting: all.saturating_sub(running),
            limit,
        }
    }

    /// The hash of a new password, in PHC string format.
    ///
    /// # Errors
    /// `overloaded` when too many wait already.
    pub async fn hash(&self, password: Password) -> Result<String, ApiError> {
        let params = self.params.clone();
        let hashed = self
            .run(move |memory| hash_now(&params, password.reveal(), memory))
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
        let possible = password.is_some() && hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobodys_hash.to_string());
        self.run(move |memory| {
            let password = password.as_ref().map_or("", Password::reveal);
            let matches = matches_now(&hash, password, memory);
            possible && matches.unwrap_or(false)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let waiting = Arc::clone(&self.waiting)
            .try_acquire_owned()
            .map_err(|_| ApiError::overloaded())?;
        let running = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(ApiError::internal)?;
        // The permits travel with the work: it goes on when the caller has gone away.
        let free = Arc::clone(&self.free);
        let work = move || {
            let _permits = (waiting, running);
            let mut memory = lock(&free).pop().unwrap_or_default();
            let done = work(&mut memory);
            lock(&free).push(memory);
            done
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(ApiError::internal)
    }
}

/// How many callers may be served or wait.
const fn limit(cores: usize) -> usize {
    cores * (1 + WAITING_PER_CORE)
}

fn lock(free: &Mutex<Vec<Memory>>) -> MutexGuard<'_, Vec<Memory>> {
    free.lock().unwrap_or_else(PoisonError::into_inner)
}

type Hashed<T> = Result<T, argon2::password_hash::Error>;

/// The hash of a password under a new salt, in PHC string format.
fn hash_now(params: &Params, password: &str, memory: &mut Memory) -> Hashed<String> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let salt: [u8; SALT_BYTES] = rand::random();
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params)?,
        salt: Some(Salt::new(&salt)?),
        hash: Some(output(&argon2, password, &salt, HASH_BYTES, memory)?),
    };
    Ok(hash.to_string())
}

/// Whether this is the password of the hash, which says itself how it was made.
fn matches_now(hash: &str, password: &str, memory: &mut Memory) -> Hashed<bool> {
    let hash = PasswordHash::new(hash)?;
    let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
        return Ok(false);
    };
    let version = hash.version.map(Version::try_from).transpose()?;
    let argon2 = Argon2::new(
        Algorithm::try_from(hash.algorithm.as_str())?,
        version.unwrap_or_default(),
        Params::try_from(&hash)?,
    );
    let found = output(&argon2, password, salt, expected.len(), memory)?;
    // In constant time, as `Output` compares.
    Ok(found == *expected)
}

fn output(
    argon2: &Argon2<'_>,
    password: &str,
    salt: &[u8],
    bytes: usize,
    memory: &mut Memory,
) -> Hashed<Output> {
    let mut buffer = [0; Output::MAX_LENGTH];
    let out = buffer
        .get_mut(..bytes)
        .ok_or(argon2::password_hash::Error::OutputSize)?;
    memory.resize_with(argon2.params().block_count(), Block::default);
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, memory)?;
    Ok(Output::new(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::parse_attempt(text).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_password_matches_its_own_hash_and_nobodys_matches_none() {
        let passwords = Passwords::with_width(2);
        let hash = passwords.hash(password("correct horse")).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        for (attempt, hash, expected) in [
            ("correct horse", Some(hash.clone()), true),
            ("correct house", Some(hash.clone()), false),
            ("correct horse", None, false),
            ("correct horse", Some("no hash".to_owned()), false),
        ] {
            let verified = passwords.verify(Some(password(attempt)), hash).await;
            assert_eq!(verified.unwrap(), expected, "{attempt}");
        }
    }

    #[tokio::test]
    async fn a_hash_that_was_made_with_other_parameters_is_still_verified() {
        let passwords = Passwords::with_width(1);
        let params = Params::new(64, 1, 2, Some(16)).unwrap();
        let salt = [7; 8];
        let argon2 = Argon2::new(Algorithm::Argon2i, Version::V0x10, params.clone());
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2i.ident(),
            version: Some(Version::V0x10.into()),
            params: ParamsString::try_from(&params).unwrap(),
            salt: Some(Salt::new(&salt).unwrap()),
            hash: Some(output(&argon2, "old", &salt, 16, &mut Memory::new()).unwrap()),
        };
        let verified = passwords.verify(Some(password("old")), Some(hash.to_string()));
        assert!(verified.await.unwrap());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_hashes_there_are_never_more_pieces_of_memory_than_may_run() {
        let passwords = Arc::new(Passwords::with_width(2));
        let attempts: Vec<_> = (0..24)
            .map(|_| {
                let passwords = Arc::clone(&passwords);
                tokio::spawn(async move { passwords.verify(None, None).await })
            })
            .collect();
        for attempt in attempts {
            assert!(!attempt.await.unwrap().unwrap());
        }
        assert!(lock(&passwords.free).len() <= 2);
    }
}
