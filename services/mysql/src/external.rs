//! Somebody else's server, which other machines may use at the same time.
//!
//! What we make there bears our name, `itest_OWNER_…`. A supervisor holds a named lock, `itest:OWNER`, as long as it lives: the server
//! lets go of it when the connection ends. Where nobody holds it, what is of that name may go.

use std::collections::BTreeSet;

use itest_runtime::{Context, Result};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{Connection, MySqlConnection};

use super::admin::Admin;

/// Says that a supervisor lives, as long as it does.
#[derive(Debug)]
pub(super) struct SignOfLife {
    _connection: MySqlConnection,
}

fn lock(owner: &str) -> String {
    format!("itest:{owner}")
}

impl SignOfLife {
    pub(super) async fn give(options: &MySqlConnectOptions, owner: &str) -> Result<Self> {
        let wanted = || "failed to connect";
        let mut connection = MySqlConnection::connect_with(options).await.context(wanted)?;
        sqlx::raw_sql("SET wait_timeout = 2147483")
            .execute(&mut connection)
            .await
            .context(wanted)?;
        sqlx::query("SELECT GET_LOCK(?, 0)")
            .bind(lock(owner))
            .execute(&mut connection)
            .await
            .context(wanted)?;
        Ok(Self {
            _connection: connection,
        })
    }
}

/// What is ours, or was another supervisor's: databases go last, so each that is left has one.
async fn databases(admin: &Admin) -> Result<Vec<String>> {
    let all: Vec<String> = sqlx::query_scalar("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA")
        .fetch_all(admin.pool())
        .await
        .context(|| "failed to look for databases")?;
    Ok(all.into_iter().filter(|name| owner_of(name).is_some()).collect())
}

fn owner_of(database: &str) -> Option<&str> {
    let (owner, rest) = database.strip_prefix("itest_")?.split_once('_')?;
    let is_ours = owner.len() == 8
        && owner.chars().all(|digit| digit.is_ascii_hexdigit())
        && rest.starts_with(['s', 'd'])
        && rest.len() > 1
        && rest[1..].chars().all(|digit| digit.is_ascii_digit());
    is_ours.then_some(owner)
}

async fn remove(admin: &Admin, database: &str) {
    let removed = async {
        admin.drop_user(database).await?;
        admin.drop_database(database).await
    };
    if let Err(error) = removed.await {
        tracing::warn!(%error, database, "something stays on an external server");
    }
}

/// Removes all that a supervisor made.
pub(super) async fn clear(admin: &Admin, owner: &str) -> Result<()> {
    for database in databases(admin).await? {
        if owner_of(&database) == Some(owner) {
            remove(admin, &database).await;
        }
    }
    Ok(())
}

/// Removes what supervisors left that have died.
pub(super) async fn harvest(admin: &Admin) -> Result<()> {
    let all = databases(admin).await?;
    let owners: BTreeSet<&str> = all.iter().filter_map(|database| owner_of(database)).collect();
    for owner in owners {
        let lives: bool = sqlx::query_scalar("SELECT IS_USED_LOCK(?) IS NOT NULL")
            .bind(lock(owner))
            .fetch_one(admin.pool())
            .await
            .context(|| "failed to look for other supervisors")?;
        if lives {
            continue;
        }
        tracing::info!(owner, "removing what a dead supervisor left on an external server");
        for database in all.iter().filter(|database| owner_of(database) == Some(owner)) {
            remove(admin, database).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_tells_its_owner() {
        assert_eq!(owner_of("itest_0badcafe_s17"), Some("0badcafe"));
        for other in [
            "itest",
            "itest_0badcafe",
            "itest_0badcafe_x1",
            "itest_0badcafe_s",
            "itest_wxyz0123_s1",
            "mysql",
        ] {
            assert_eq!(owner_of(other), None, "{other}");
        }
    }
}
