//! Opens a database to one lease, and to no other.

use itest_runtime::service::{LeaseName, random_hex};
use itest_runtime::{Context, Error, Result};
use sqlx::AssertSqlSafe;

use super::{Logins, PgSlice, PgSlices, terms};
use crate::admin::{ident, literal};
use crate::grant::{Address, PgGrant};
use crate::{Isolation, PgSpec};

/// How many connections one lease may have: of the server's 300, so that no test can take them all.
const CONNECTIONS: i32 = 100;
/// The longest name that the server takes.
const NAME_LIMIT: usize = 63;

impl PgSlices {
    /// Opens a slice to one lease.
    pub(super) async fn open(&self, slice: &mut PgSlice, spec: &PgSpec, lease: &LeaseName) -> Result<PgGrant> {
        let (old, password) = match (&slice.role, &self.logins) {
            (Some(role), _) => (role.clone(), random_hex(24)),
            (None, Logins::UrlUser { user, password, .. }) => {
                let (user, password) = (user.clone(), password.clone());
                return Ok(PgGrant {
                    bare: slice.is_guest,
                    ..self.grant_of(&slice.database, user, password, spec.isolation)
                });
            }
            (None, Logins::Own) => return Err(Error::new("a slice has no role")),
        };
        if spec.isolation == Isolation::Shared {
            return self.grant_shared(slice, spec, lease, &password).await;
        }
        let new = lease.within(NAME_LIMIT);
        let limit = if spec.isolation == Isolation::Transaction {
            1
        } else {
            CONNECTIONS
        };
        let mut granted = format!("ALTER ROLE {} RENAME TO {}", ident(&old), ident(&new));
        // From one transaction to the next nothing else changes where a socket needs no password: none of them can be reached
        // by a URL.
        let as_before = slice.opened == Some(Isolation::Transaction) && spec.isolation == Isolation::Transaction;
        if !as_before || !matches!(self.address, Address::Native { .. }) {
            granted.push_str(&format!(
                "; ALTER ROLE {new} CONNECTION LIMIT {limit} PASSWORD {password}",
                new = ident(&new),
                password = literal(&password),
            ));
        }
        match &mut slice.connection {
            // Quicker than one of the pool's.
            Some(connection) => sqlx::raw_sql(AssertSqlSafe(granted))
                .execute(connection)
                .await
                .map(drop)
                .context(|| "failed to open a database to the test")?,
            None => self.admin.run("failed to open a database to the test", granted).await?,
        }
        slice.role = Some(new.clone());
        slice.opened = Some(spec.isolation);
        Ok(PgGrant {
            must_see_rollback: slice.baseline.is_none(),
            ..self.grant_of(&slice.database, new, password, spec.isolation)
        })
    }

    /// Each lease of a shared database has a role of its own besides.
    async fn grant_shared(&self, slice: &PgSlice, spec: &PgSpec, lease: &LeaseName, password: &str) -> Result<PgGrant> {
        let role = lease.within(NAME_LIMIT);
        let owner = slice.role.as_deref().unwrap_or_default();
        let made = format!(
            "CREATE ROLE {role} LOGIN PASSWORD {password}; GRANT {owner} TO {role}; {like_owner}; ALTER ROLE {role} SET role = {owner}",
            like_owner = terms::like_role(slice.role.as_deref().unwrap_or_default(), &role),
            role = ident(&role),
            owner = ident(owner),
            password = literal(password),
        );
        self.admin.run("failed to make a role", made).await?;
        Ok(self.grant_of(&slice.database, role, password.to_owned(), spec.isolation))
    }
}
