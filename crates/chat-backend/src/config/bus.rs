//! How nodes hear of each other, in words of the environment.

use clap::Args;

use super::values::Secret;
use crate::failure::Failure;
use crate::realtime::Broker;
use crate::realtime::broker::{Local, Nats, check_servers};

/// How nodes hear of each other.
#[derive(Clone, Args)]
pub struct Bus {
    /// The NATS servers through which several nodes hear of each other, comma separated, with user
    /// and password or without, for example `nats://chat:secret@nats:4222`; absent: this node is
    /// alone. A server that cannot be reached keeps nothing from starting: until it can, nodes find
    /// each other's messages in the database.
    #[arg(long = "nats-url", env = "NATS_URL", hide_env_values = true)]
    pub nats_url: Option<Secret>,
    /// How the subjects begin, so that several installations can share a server: letters, digits,
    /// `-`, `_` and inner dots.
    #[arg(
        long = "nats-prefix",
        env = "CHAT_NATS_PREFIX",
        default_value = "sarangbang"
    )]
    pub nats_prefix: String,
}

impl Bus {
    /// The broker.
    ///
    /// # Errors
    /// When an address is none.
    pub(super) fn broker(&self) -> Result<Box<dyn Broker>, Failure> {
        match self.urls() {
            None => Ok(Box::new(Local)),
            Some(urls) => {
                let nats = Nats::new(&urls, &self.nats_prefix).map_err(Failure::Bus)?;
                Ok(Box::new(nats))
            }
        }
    }

    /// What is wrong with it.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(Err(problem)) = self.urls().map(|urls| check_servers(&urls)) {
            problems.push(format!(
                "NATS_URL cannot be used: {problem}, such as `nats://user:password@host:4222`."
            ));
        }
        if !is_subject(&self.nats_prefix) {
            problems.push(format!(
                "CHAT_NATS_PREFIX is `{}`; it may have letters, digits, `-`, `_` and inner dots.",
                self.nats_prefix
            ));
        }
        problems
    }

    fn urls(&self) -> Option<String> {
        let url = self.nats_url.as_ref().map(Secret::reveal);
        let url = url.filter(|url| !url.is_empty());
        url.map(|url| String::from_utf8_lossy(url).into_owned())
    }
}

fn is_subject(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let mut tokens = text.split('.');
    tokens.all(|token| !token.is_empty() && token.chars().all(allowed))
}
