//! What the environment says.

/// The PostgreSQL server that tests use instead of one of their own. Its user must be allowed to
/// make databases; tests make their own there and drop them.
pub(crate) fn database_url() -> Option<String> {
    let url = std::env::var("DATABASE_URL").ok()?;
    let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    is_postgres.then_some(url)
}

/// Where programs are looked for.
pub(crate) fn path() -> Option<std::ffi::OsString> {
    std::env::var_os("PATH")
}
