//! Connections are open files, and the system bounds how many of those a process has. A cap beyond
//! that bound would be no cap: accepting would fail, and so would everything else that opens a file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The process may open too few files to serve anybody.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error(
    "the limit of open files is {limit}, and at least {least} are needed: raise it (`ulimit -n`, `LimitNOFILE=`)"
)]
pub struct TooFew {
    /// How many the process may open.
    pub limit: u64,
    /// How many it needs to serve one connection.
    pub least: usize,
}

/// Open files besides the connections that are served: a database and its readers, listeners,
/// connections to other servers, logs, and connections that are being refused.
const BESIDES: usize = 256;

/// What a process may have open at most on systems that name no maximum and yet grant no more.
const GRANTED_WITHOUT_MAXIMUM: u64 = 10_240;

/// Raises this process's limit of open files as far as the system lets it, and returns what it is
/// then; `None` when there is none.
pub fn raise_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let granted = |current| {
        let wanted = Rlimit { current, ..limit };
        setrlimit(Resource::Nofile, wanted).is_ok()
    };
    let tries = [limit.maximum, below_maximum(&limit)];
    let raised = tries.into_iter().find(|&current| granted(current));
    raised.unwrap_or(limit.current)
}

/// The second try, where the maximum is not granted: never less than there is already.
fn below_maximum(limit: &Rlimit) -> Option<u64> {
    let most = limit.maximum.unwrap_or(u64::MAX);
    let current = limit.current?;
    Some(GRANTED_WITHOUT_MAXIMUM.min(most).max(current))
}

/// As many of the connections that `variable` wants as this limit of open files leaves; says so when
/// those are fewer.
///
/// # Errors
/// When the limit leaves none.
pub fn connections_within(
    limit: Option<u64>,
    wanted: usize,
    variable: &str,
) -> Result<usize, TooFew> {
    let Some(limit) = limit else {
        return Ok(wanted);
    };
    let files = usize::try_from(limit).unwrap_or(usize::MAX);
    let fit = files.saturating_sub(BESIDES);
    if fit == 0 {
        return Err(TooFew {
            limit,
            least: BESIDES + 1,
        });
    }
    if fit < wanted {
        tracing::warn!(
            connections = fit,
            wanted,
            open_files = limit,
            "fewer connections are served than {variable}: raise the limit of open \
             files (`ulimit -n`, `LimitNOFILE=`) by {}, or lower the variable",
            wanted - fit
        );
    }
    Ok(fit.min(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        let fit = |limit, wanted| connections_within(limit, wanted, "LIMIT").ok();
        assert_eq!(fit(Some(20_000), 18_000), Some(18_000));
        assert_eq!(fit(Some(18_256), 18_000), Some(18_000));
        assert_eq!(fit(Some(18_255), 18_000), Some(17_999));
        assert_eq!(fit(Some(257), 18_000), Some(1));
        assert_eq!(fit(None, 18_000), Some(18_000));
    }

    #[test]
    fn the_second_try_is_what_is_granted_without_a_maximum_and_lowers_nothing() {
        let second = |current, maximum| below_maximum(&Rlimit { current, maximum });
        assert_eq!(second(Some(256), None), Some(10_240));
        assert_eq!(second(Some(256), Some(4_096)), Some(4_096));
        assert_eq!(second(Some(20_000), None), Some(20_000));
        assert_eq!(second(None, None), None);
    }

    #[test]
    fn a_limit_that_leaves_no_connection_stops_the_start_with_an_instruction() {
        let refusal = connections_within(Some(256), 18_000, "LIMIT").unwrap_err();
        let words = refusal.to_string();
        assert!(words.contains("256") && words.contains("257") && words.contains("ulimit -n"));
    }
}
