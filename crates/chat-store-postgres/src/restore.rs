//! What has to happen after a backup was restored. Backups themselves are made by PostgreSQL's own tools.

use sqlx::Connection;

use crate::Settings;
use crate::error::OpenError;
use crate::open::{connect, migrate, options, place};

/// A name for each feed that it never had.
const RENAME: &str = "UPDATE rooms SET epoch = replace(gen_random_uuid()::text, '-', '')";

/// Whether something was restored.
const HAS_ROOMS: &str = "SELECT to_regclass('rooms') IS NOT NULL";

/// Gives every room's feed a new epoch. A restored feed is behind what clients have read, and will use the same
/// numbers for other changes; with a new epoch they load it afresh. Nobody may serve the database meanwhile.
///
/// # Errors
/// As [`PostgresStore::open`](crate::PostgresStore::open); also when nothing was restored yet.
pub async fn new_epochs(settings: &Settings) -> Result<(), OpenError> {
    let options = options(settings)?;
    let failed = |source| OpenError::Unreachable {
        place: place(&options),
        source,
    };
    let mut connection = connect(&options, settings.wait).await?;
    let has_rooms = sqlx::query_scalar(HAS_ROOMS).fetch_one(&mut connection);
    if !has_rooms.await.map_err(failed)? {
        return Err(OpenError::Empty {
            place: place(&options),
        });
    }
    migrate(settings).await?;
    let renamed = sqlx::query(RENAME).execute(&mut connection).await;
    renamed.map_err(failed)?;
    drop(connection.close().await);
    Ok(())
}
