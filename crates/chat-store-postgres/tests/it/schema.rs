//! What is checked by reading.

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &str, kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(path.to_str().unwrap(), kind));
        } else if path.extension().is_some_and(|it| it == kind) {
            found.push(path);
        }
    }
    found
}

/// In a transaction that writes it makes all writers wait for one lock of the whole server, eight
/// times slower with 32 of them.
#[test]
fn nothing_is_told_through_the_database() {
    let forbidden = concat!("NOT", "IFY");
    let mut read = 0;
    for path in files("src", "rs")
        .into_iter()
        .chain(files("migrations", "sql"))
    {
        let text = fs::read_to_string(&path).unwrap().to_uppercase();
        // The runtime has a type of that name.
        let text = text.replace(&format!("{forbidden}_"), "");
        assert!(!text.contains(forbidden), "{}", path.display());
        read += 1;
    }
    assert!(read > 10, "only {read} files were found");
}

/// What takes away what a program of before may count on, beside columns that it would have to fill. Every
/// `DROP` is among them: also an index may be one that an `ON CONFLICT` names.
const TAKING_AWAY: [&str; 6] = [
    "DROP ",
    "RENAME ",
    "SET NOT NULL",
    " TYPE ",
    "ADD CONSTRAINT ",
    "CREATE UNIQUE INDEX ",
];
/// Migrations of before there was a floor.
const BEFORE_THE_FLOOR: [&str; 2] = ["0001_initial.sql", "0002_upkeep.sql"];

/// Whether a migration takes something away and lets programs that count on it start all the same.
fn lures_old_programs(sql: &str) -> bool {
    let lines = sql
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"));
    let words: Vec<_> = lines.flat_map(str::split_whitespace).collect();
    let sql = words.join(" ").to_uppercase();
    let takes_away = TAKING_AWAY.iter().any(|it| sql.contains(it)) || asks_for_more(&sql);
    takes_away && !sql.contains("UPDATE SCHEMA_FLOOR SET OLDEST = ")
}

/// Whether a column is added that programs of before leave out and must not.
fn asks_for_more(sql: &str) -> bool {
    let actions = sql
        .split(';')
        .filter(|statement| statement.contains("ALTER TABLE "))
        .flat_map(actions_of);
    let filled_in = |action: &str| {
        ["DEFAULT ", "GENERATED "]
            .iter()
            .any(|it| action.contains(it))
    };
    actions
        .filter(|action| action.contains("ADD "))
        .filter(|action| action.contains("NOT NULL") || action.contains("PRIMARY KEY"))
        .any(|action| !filled_in(action))
}

/// The actions of an `ALTER TABLE`, between commas that are in no parentheses.
fn actions_of(statement: &str) -> Vec<&str> {
    let mut depth = 0;
    let between = |c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    };
    statement.split(between).collect()
}

/// A release that is rolled back starts on the schema of the newer one, if the floor lets it.
#[test]
fn what_takes_something_away_raises_the_floor() {
    for path in ["migrations", "../chat-store-sqlite/migrations"]
        .iter()
        .flat_map(|folder| files(folder, "sql"))
        .filter(|path| !BEFORE_THE_FLOOR.iter().any(|name| path.ends_with(name)))
    {
        let sql = fs::read_to_string(&path).unwrap();
        assert!(
            !lures_old_programs(&sql),
            "{} takes something away: say with `UPDATE schema_floor SET oldest = …` which schema \
             version a program has to know that does without it",
            path.display()
        );
    }
}

#[test]
fn a_migration_that_takes_something_away_is_noticed() {
    for taking in [
        "ALTER TABLE rooms DROP COLUMN topic;",
        "ALTER TABLE rooms DROP topic;",
        "ALTER TABLE rooms DROP\n    COLUMN topic;",
        "DROP INDEX users_skeleton;",
        "CREATE UNIQUE INDEX one_name ON rooms (name);",
        "alter table rooms\n    rename column topic to subject;",
        "ALTER TABLE rooms ALTER COLUMN head TYPE INTEGER;",
        "ALTER TABLE users ALTER COLUMN username SET NOT NULL;",
        "ALTER TABLE rooms ADD COLUMN subject TEXT NOT NULL;",
        "ALTER TABLE rooms ADD COLUMN a TEXT, ADD b TEXT NOT NULL;",
        "ALTER TABLE rooms ADD COLUMN price NUMERIC(10, 2) NOT NULL;",
        "ALTER TABLE rooms ADD COLUMN id UUID PRIMARY KEY;",
    ] {
        assert!(lures_old_programs(taking), "{taking}");
        let raising = format!("{taking}\nUPDATE schema_floor SET oldest = 4;");
        assert!(!lures_old_programs(&raising), "{raising}");
    }
    for adding in [
        "-- Does not drop column topic.\nALTER TABLE rooms ADD COLUMN subject TEXT;",
        "ALTER TABLE rooms ADD COLUMN subject TEXT NOT NULL DEFAULT '', ADD COLUMN b TEXT;",
        "CREATE TABLE subjects (room UUID NOT NULL);",
    ] {
        assert!(!lures_old_programs(adding), "{adding}");
    }
}
