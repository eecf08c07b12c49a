//! Access tokens (JWT, RFC 8725) and refresh tokens (256 random bits).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_store::TokenHash;
use chat_types::id::{SessionId, UserId};
use chat_types::problem::ErrorCode;
use chat_types::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Secret;
use crate::error::ApiError;

/// How long an access token lasts, unless it is configured.
pub const ACCESS_MS: u64 = 10 * 60 * 1_000;
/// How long a session lasts without being refreshed.
pub const SESSION_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// By how much clocks of two replicas may differ.
const LEEWAY_MS: u64 = 5_000;
const ISSUER: &str = "sarangbang";
const AUDIENCE: &str = "sarangbang-api";
/// Longer than any token that we make.
const MAX_BYTES: usize = 1_024;

/// Signs and reads tokens.
pub struct Tokens {
    signing: Key,
    /// During a rotation: the key of nodes that are a step further, or a step behind.
    other: Option<Key>,
    validation: Validation,
    access_ms: u64,
}

struct Key {
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    refresh: Hmac<Sha256>,
}

/// What a valid access token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Who.
    pub user: UserId,
    /// By which login.
    pub session: SessionId,
    /// Until when.
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    iat: u64,
    exp: u64,
}

impl Tokens {
    /// Signs with `key` access tokens that last `access_ms`; also reads what `other` signed.
    pub fn new(key: &Secret, other: Option<&Secret>, access_ms: u64) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The end is compared with our own clock below.
        validation.validate_exp = false;
        Self {
            signing: Key::new(key),
            other: other.map(Key::new),
            validation,
            access_ms,
        }
    }

    /// A new access token and its lifetime in milliseconds.
    pub fn access(
        &self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<(String, u64), ApiError> {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.signing.id.clone());
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            sid: session,
            iat: now.0 / 1_000,
            exp: now.plus_ms(self.access_ms).0 / 1_000,
        };
        let token = jsonwebtoken::encode(&header, &claims, &self.signing.encoding)
            .map_err(ApiError::internal)?;
        Ok((token, Timestamp(claims.exp * 1_000).since_ms(now)))
    }

    /// What an access token proves.
    ///
    /// # Errors
    /// `token_expired` when only its time is over, `unauthorized` for every other flaw.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Proof, ApiError> {
        let refused =
            || ApiError::new(ErrorCode::Unauthorized).detail("the access token is not valid");
        if token.len() > MAX_BYTES {
            return Err(refused());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused())?;
        let key = header
            .kid
            .and_then(|id| self.key(&id))
            .ok_or_else(refused)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &self.validation)
            .map_err(|_| refused())?
            .claims;
        let expires_at = claims
            .exp
            .checked_mul(1_000)
            .map(Timestamp)
            .ok_or_else(refused)?;
        if now >= expires_at.plus_ms(LEEWAY_MS) {
            return Err(ApiError::new(ErrorCode::TokenExpired).detail("the access token has ended"));
        }
        Ok(Proof {
            user: claims.sub,
            session: claims.sid,
            expires_at,
        })
    }

    fn key(&self, id: &str) -> Option<&Key> {
        std::iter::once(&self.signing)
            .chain(&self.other)
            .find(|key| key.id == id)
    }

    /// The successor of a refresh token: the same each time it is asked for, so that a lost answer
    /// can be asked for again, and unknown to anyone without our key.
    pub fn successor(&self, presented: &str) -> String {
        self.signing.successor(presented)
    }

    /// The successor that the token was given if that was under the other key.
    pub fn other_successor(&self, presented: &str) -> Option<String> {
        let other = self.other.as_ref();
        other.map(|key| key.successor(presented))
    }
}

impl Key {
    fn successor(&self, presented: &str) -> String {
        let mut mac = self.refresh.clone();
        mac.update(presented.as_bytes());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    fn new(secret: &Secret) -> Self {
        let refresh_key = Sha256::new()
            .chain_update(b"refresh tokens\0")
            .chain_update(secret.reveal())
            .finalize();
        Self {
            id: URL_SAFE_NO_PAD.encode(
                &Sha256::new()
                    .chain_update(b"key id\0")
                    .chain_update(secret.reveal())
                    .finalize()[..6],
            ),
            encoding: EncodingKey::from_secret(secret.reveal()),
            decoding: DecodingKey::from_secret(secret.reveal()),
            refresh: Hmac::new_from_slice(&refresh_key).expect("HMAC takes a key of any length"),
        }
    }
}

/// A new random token of 256 bits, in base64url.
pub fn random_token() -> String {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What is stored of a token.
pub fn hash(token: &str) -> TokenHash {
    TokenHash(Sha256::digest(token.as_bytes()).into())
}
