//! itest's MariaDB: a database for each test.

#[path = "support/people.rs"]
mod people;
mod support;

use itest::integration;
use sqlx::MySqlPool;

macro_rules! each {
    ($($name:ident)*) => { $(
        #[integration(mariadb(setup = people::forty_tables))]
        async fn $name(db: MySqlPool) -> sqlx::Result<()> {
            people::an_order(&db).await
        }
    )* };
}

support::tests!(100, each);
