//! `docs/config.md`, made from the options.

use clap::CommandFactory;

use super::Cli;
use super::bounds::BOUNDS;

const HEAD: &str = "# Configuration of chat-backend

Made from `crates/chat-backend/src/config.rs` by `chat-backend config-docs`; do not edit.

The service refuses to start when a number is outside of its range, and when the environment has a
variable that begins with `CHAT_` and is not in this table. Two kinds of variables are none of its
business: those of the front end (`CHAT_FRONTEND_…`), and the service links that Kubernetes injects
for services named `chat` or `chat-…`: `…_SERVICE_HOST`, `…_SERVICE_PORT`, `…_SERVICE_PORT_<name>`,
`…_PORT` with an address such as `tcp://10.0.0.1:80`, and `…_PORT_<n>_<TCP|UDP|SCTP>` also with
`_PROTO`, `_PORT` or `_ADDR`.

A rate such as `20/1m` is a bucket of 20 that refills within a minute: 1 to 1000000 within 1 to 8760
`ms`, `s`, `m` or `h`.

";

const CANARY: &str = "
## The canary

What `chat-backend canary` takes; of the above it reads what is about its log, its admin address and its
commit.

";

const TABLE: &str = "\
| variable | flag | default | range | meaning |
|---|---|---|---|---|
";

/// `docs/config.md`, made from the options.
///
/// # Panics
/// Never: there is a canary.
pub fn markdown() -> String {
    let command = Cli::command();
    let canary = command.find_subcommand("canary");
    let canary = canary.expect("it is a command of the program");
    let table = |command: &clap::Command| {
        let rows: String = command.get_arguments().filter_map(row).collect();
        format!("{TABLE}{rows}")
    };
    format!("{HEAD}{}{CANARY}{}", table(&command), table(canary))
}

fn row(arg: &clap::Arg) -> Option<String> {
    let variable = arg.get_env()?.to_string_lossy();
    let flag = arg.get_long()?;
    let help = arg.get_help()?;
    let defaults = arg.get_default_values().iter();
    let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
    let default = if defaults.is_empty() {
        "none".to_owned()
    } else {
        format!("`{}`", defaults.join(","))
    };
    let range = range(&variable);
    Some(format!(
        "| `{variable}` | `--{flag}` | {default} | {range} | {help} |\n"
    ))
}

fn range(variable: &str) -> String {
    let bounds = BOUNDS.iter().find(|bounds| bounds.variable == variable);
    bounds.map_or_else(String::new, |bounds| {
        format!("{} to {}", bounds.least, bounds.most)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_range() {
        for arg in Cli::command().get_arguments() {
            let (Some(variable), [default]) = (arg.get_env(), arg.get_default_values()) else {
                continue;
            };
            let is_number = default.to_string_lossy().parse::<u64>().is_ok();
            let has_range = !range(&variable.to_string_lossy()).is_empty();
            assert_eq!(is_number, has_range, "{}", variable.display());
        }
    }
}
