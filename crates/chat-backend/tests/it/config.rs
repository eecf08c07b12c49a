//! The program refuses to start, with an instruction, rather than to serve what cannot work.

use std::process::{Command, Output};

use chat_backend::config::{Cli, Origin, markdown};
use chat_types::limits::ROOM_NAME_CHARS;
use clap::Parser;

const KEY: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

/// Runs the program with exactly these variables.
fn run(variables: &[(&str, &str)]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_chat-backend"));
    program
        .env_clear()
        .env("CHAT_ADDR", "127.0.0.1:0")
        .env("CHAT_ADMIN_ADDR", "127.0.0.1:0");
    program.envs(variables.iter().copied());
    program.output().unwrap()
}

/// The program ends with an error that says this, and without a backtrace.
fn refuses(variables: &[(&str, &str)], words: &[&str]) {
    let said = refusal(variables);
    for words in words {
        assert!(said.contains(words), "expected `{words}` in: {said}");
    }
}

/// What the program says when it does not start.
fn refusal(variables: &[(&str, &str)]) -> String {
    let output = run(variables);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn regression_10_a_missing_secret_key_stops_the_start_with_an_instruction() {
    refuses(&[], &["SECRET_KEY is not set", "openssl rand -base64 48"]);
    refuses(&[("SECRET_KEY", "")], &["SECRET_KEY is not set"]);
}

#[test]
fn a_short_or_monotonous_secret_key_stops_the_start() {
    refuses(
        &[("SECRET_KEY", "secret")],
        &["SECRET_KEY is too short: 6 bytes", "32"],
    );
    refuses(
        &[("SECRET_KEY", &"ab".repeat(32))],
        &["SECRET_KEY is too easy to guess"],
    );
    let short_previous = [("SECRET_KEY", KEY), ("SECRET_KEY_PREVIOUS", "short")];
    refuses(&short_previous, &["SECRET_KEY_PREVIOUS is too short"]);
    let short_next = [("SECRET_KEY", KEY), ("SECRET_KEY_NEXT", "short")];
    refuses(&short_next, &["SECRET_KEY_NEXT is too short"]);
}

#[test]
fn a_rotation_that_begins_before_the_last_one_ended_stops_the_start() {
    let variables = [
        ("SECRET_KEY", KEY),
        ("SECRET_KEY_NEXT", KEY),
        ("SECRET_KEY_PREVIOUS", KEY),
    ];
    refuses(&variables, &["end one rotation"]);
}

#[test]
fn the_address_of_a_bus_that_is_none_is_refused_without_its_password() {
    for url in [
        "http://nats:4222",
        "nats://chat:pa55word@",
        "nats://a,,nats://b",
    ] {
        let said = refusal(&[("SECRET_KEY", KEY), ("NATS_URL", url)]);
        assert!(said.contains("NATS_URL cannot be used"), "{said}");
        assert!(!said.contains("pa55word"), "{said}");
    }
    let prefix = [("SECRET_KEY", KEY), ("CHAT_NATS_PREFIX", "a..b")];
    refuses(&prefix, &["CHAT_NATS_PREFIX is `a..b`"]);
}

#[test]
fn tls_without_files_that_work_stops_the_start_with_an_instruction() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("tls.pem");
    let absent = absent.to_str().unwrap();
    let (key, certificate) = (("TLS_KEY_FILE", absent), ("TLS_CERT_FILE", absent));
    for half in [key, certificate] {
        refuses(
            &[("SECRET_KEY", KEY), half],
            &["only one of TLS_CERT_FILE and TLS_KEY_FILE"],
        );
    }
    let both = [("SECRET_KEY", KEY), key, certificate];
    refuses(&both, &["TLS_CERT_FILE cannot be read", absent]);
}

#[test]
fn a_host_that_no_request_names_stops_the_start() {
    for host in [
        "https://api.example.com",
        "api.example.com:443",
        "api.example.com/",
        "me@api.example.com",
        "api.example.com,",
        "api.example.com, other.example.com",
    ] {
        let hosts = [("SECRET_KEY", KEY), ("ALLOWED_HOSTS", host)];
        refuses(&hosts, &["ALLOWED_HOSTS names"]);
    }
    let two = ["chat-backend", "--allowed-hosts", "api.example.com,[::1]"];
    let problems = Cli::parse_from(two).config.validate().unwrap_err();
    let of_hosts = |problem: &&String| problem.contains("ALLOWED_HOSTS");
    assert_eq!(problems.iter().find(of_hosts), None);
}

#[test]
fn a_parameter_of_the_database_that_is_mistyped_stops_the_start() {
    let url = "postgres://chat:pa55word@127.0.0.1:1/chat?sslmod=require";
    let said = refusal(&[("SECRET_KEY", KEY), ("DATABASE_URL", url)]);
    assert!(said.contains("a parameter `sslmod`"), "{said}");
    assert!(!said.contains("pa55word"), "{said}");
}

#[test]
fn every_mistake_is_reported_at_once() {
    let mistakes = [
        ("SECRET_KEY", "secret"),
        ("CHAT_ADRR", "127.0.0.1:1"),
        ("DATABASE_URL", "mysql://localhost/chat"),
        ("CHAT_LOG", "info,=="),
    ];
    refuses(
        &mistakes,
        &[
            "SECRET_KEY is too short",
            "CHAT_ADRR is not a variable",
            "DATABASE_URL must",
            "CHAT_LOG is not",
        ],
    );
}

#[test]
fn a_number_outside_its_range_stops_the_start_with_the_range() {
    let outside = [
        ("SECRET_KEY", KEY),
        ("CHAT_PING_MS", "0"),
        ("CHAT_RECHECK_MS", "0"),
        ("CHAT_HEADS_MS", "0"),
        ("CHAT_SOCKET_AGE_MS", "18446744073709551615"),
        ("CHAT_LIMIT_FRAMES", "0"),
    ];
    refuses(
        &outside,
        &[
            "CHAT_PING_MS is 0; it must be 1000 to 300000.",
            "CHAT_RECHECK_MS is 0; it must be 1000 to 86400000.",
            "CHAT_HEADS_MS is 0; it must be 100 to 3600000.",
            "CHAT_SOCKET_AGE_MS is 18446744073709551615; it must be 1000 to 2592000000.",
            "CHAT_LIMIT_FRAMES is 0; it must be 1 to 10000.",
        ],
    );
}

#[test]
fn every_number_is_accepted_at_both_ends_of_its_range_and_not_beyond() {
    let problems = |flag: &str, value: u64| {
        let value = value.to_string();
        let words = ["chat-backend", "--secret-key", KEY, flag, &value];
        match Cli::try_parse_from(words) {
            Ok(cli) => cli.config.validate().err().unwrap_or_default(),
            Err(refused) => vec![refused.to_string()],
        }
    };
    let mut numbers = 0;
    for row in markdown().lines() {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, variable, flag, _, range, ..] = cells[..] else {
            continue;
        };
        let (variable, flag) = (variable.trim_matches('`'), flag.trim_matches('`'));
        let Some((least, most)) = range.split_once(" to ") else {
            continue;
        };
        let (least, most): (u64, u64) = (least.parse().unwrap(), most.parse().unwrap());
        for inside in [least, most] {
            assert_eq!(problems(flag, inside), [""; 0], "{variable} = {inside}");
        }
        let below = least.checked_sub(1);
        for outside in below.into_iter().chain([most + 1]) {
            let found = problems(flag, outside);
            assert_eq!(found.len(), 1, "{variable} = {outside}: {found:?}");
            assert!(found[0].contains(variable), "{}", found[0]);
        }
        numbers += 1;
    }
    assert!(numbers > 15, "only {numbers} were found");
}

#[test]
fn a_purge_comes_more_often_than_half_of_the_time_of_an_empty_page() {
    let problems = |every: &str| {
        let keep = "--keep-empty-pages-ms=86400000";
        let words = [
            "chat-backend",
            "--secret-key",
            KEY,
            keep,
            "--purge-ms",
            every,
        ];
        let cli = Cli::try_parse_from(words).unwrap();
        cli.config.validate().err().unwrap_or_default()
    };
    assert_eq!(problems("43199999"), [""; 0]);
    let refused = problems("43200000");
    let wanted = "CHAT_PURGE_MS is 43200000; it must be less than half of CHAT_KEEP_EMPTY_PAGES_MS";
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].starts_with(wanted), "{}", refused[0]);
}

#[test]
fn the_service_links_of_kubernetes_do_not_stop_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    // It gets past its configuration, as far as the address that is taken.
    let variables = [
        ("SECRET_KEY", KEY),
        ("CHAT_DATA_DIR", folder.path().to_str().unwrap()),
        ("CHAT_ADDR", &address),
        ("CHAT_BACKEND_SERVICE_HOST", "10.0.0.1"),
        ("CHAT_BACKEND_SERVICE_PORT", "8080"),
        ("CHAT_BACKEND_SERVICE_PORT_HTTP", "8080"),
        ("CHAT_BACKEND_PORT", "tcp://10.0.0.1:8080"),
        ("CHAT_BACKEND_PORT_8080_TCP_ADDR", "10.0.0.1"),
    ];
    refuses(&variables, &[&format!("cannot listen on {address}")]);
}

#[test]
fn an_unusable_address_is_named_with_its_variable() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let variables = [
        ("SECRET_KEY", KEY),
        ("CHAT_DATA_DIR", folder.path().to_str().unwrap()),
        ("CHAT_ADDR", address.as_str()),
    ];
    refuses(
        &variables,
        &[&format!("cannot listen on {address}"), "CHAT_ADDR"],
    );
}

#[test]
fn an_unusable_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not-a-folder");
    std::fs::write(&file, "not a database ".repeat(1_000)).unwrap();
    let below = file.join("data");
    let variables = [
        ("SECRET_KEY", KEY),
        ("CHAT_DATA_DIR", below.to_str().unwrap()),
    ];
    refuses(&variables, &["CHAT_DATA_DIR", below.to_str().unwrap()]);
    let url = format!("sqlite:{}", file.display());
    let variables = [("SECRET_KEY", KEY), ("DATABASE_URL", url.as_str())];
    refuses(&variables, &["the database", file.to_str().unwrap()]);
    let missing = folder.path().join("missing").join("chat.db");
    let url = format!("sqlite:{}", missing.display());
    let variables = [("SECRET_KEY", KEY), ("DATABASE_URL", url.as_str())];
    refuses(
        &variables,
        &["cannot be opened or created", missing.to_str().unwrap()],
    );
}

/// A database whose only table says that a migration 9999 was run.
const NEWER: &[u8] = include_bytes!("newer.db");

#[test]
fn a_database_of_a_newer_release_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("chat.db"), NEWER).unwrap();
    let variables = [
        ("SECRET_KEY", KEY),
        ("CHAT_DATA_DIR", folder.path().to_str().unwrap()),
    ];
    refuses(
        &variables,
        &["has schema version 9999", "start the newer version"],
    );
}

#[tokio::test]
async fn a_database_that_another_process_serves_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let store = chat_store_sqlite::SqliteStore::open(&path).await.unwrap();
    let variables = [
        ("SECRET_KEY", KEY),
        ("CHAT_DATA_DIR", folder.path().to_str().unwrap()),
    ];
    refuses(&variables, &["is in use by another process"]);
    chat_store::Store::close(&store).await;
}

#[cfg(unix)]
#[test]
fn a_new_data_directory_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new").join("data");
    let mut program = Command::new(env!("CARGO_BIN_EXE_chat-backend"));
    program.env_clear().env("CHAT_DATA_DIR", &data);
    assert!(program.arg("migrate").output().unwrap().status.success());
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("chat.db")), 0o600);
}

#[test]
fn migrating_needs_no_key_and_may_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let program = || {
        let mut program = Command::new(env!("CARGO_BIN_EXE_chat-backend"));
        program
            .env_clear()
            .env("CHAT_DATA_DIR", folder.path())
            .arg("migrate");
        program.output().unwrap().status.success()
    };
    assert!(program() && program());
    assert!(folder.path().join("chat.db").exists());
}

#[test]
fn the_health_check_fails_when_nobody_listens() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_chat-backend"));
    program
        .env_clear()
        .env("CHAT_ADMIN_ADDR", free.to_string())
        .arg("healthcheck");
    assert!(!program.output().unwrap().status.success());
}

#[test]
fn an_origin_is_written_as_browsers_send_it() {
    let parsed = |text: &str| {
        text.parse::<Origin>()
            .map(|origin| origin.as_str().to_owned())
    };
    assert_eq!(
        parsed("https://chat.example.com").as_deref(),
        Ok("https://chat.example.com")
    );
    assert_eq!(
        parsed("https://chat.example.com:443").as_deref(),
        Ok("https://chat.example.com")
    );
    assert_eq!(
        parsed("http://[::1]:3000").as_deref(),
        Ok("http://[::1]:3000")
    );
    for wrong in [
        "*",
        "chat.example.com",
        "https://a.example/",
        "https://a.example/x",
        "ftp://a",
        "https://A.example",
        "null",
        "https://",
    ] {
        assert!(parsed(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn sites_are_read_with_their_origins() {
    let sites = |text: &str| {
        Cli::try_parse_from(["chat-backend", "--sites", text]).map(|cli| cli.config.sites)
    };
    let parsed = sites("blog=https://a.example http://b.example;demo=*").unwrap();
    assert_eq!(parsed[0].origins, ["https://a.example", "http://b.example"]);
    assert_eq!(
        (parsed[1].key.as_str(), &parsed[1].origins[..]),
        ("demo", &["*".to_owned()][..])
    );
    for wrong in ["blog", "blog=", "Blog=*", "blog=a.example"] {
        assert!(sites(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_first_room_has_a_name_or_there_is_none() {
    let first = |text: &str| {
        Cli::try_parse_from(["chat-backend", "--first-room", text]).map(|cli| cli.config.first_room)
    };
    assert_eq!(first("Lounge").unwrap().0.unwrap().as_str(), "Lounge");
    assert_eq!(first("").unwrap().0, None);
    assert!(first(&"x".repeat(ROOM_NAME_CHARS)).is_ok());
    assert!(first(&"x".repeat(ROOM_NAME_CHARS + 1)).is_err());
}
