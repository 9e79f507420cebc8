//! Tests of another package with the names of `alpha_two`, on another template; and some whose template is built by code.

use fleet_driver::logbook::{HOLD_BUILDER, Logbook};
use sqlx::PgPool;

fleet_probe::guests!(
    (migrations = "../alpha/migrations", fixtures("more_rooms")) with 20 rooms: first second third fourth fifth
);

mod built_by_code {
    fleet_probe::guests!(
        (migrations = "../alpha/migrations", setup = crate::add_rooms_slowly) with 15 rooms: inner
    );
}

/// Adds rooms one by one. A driver may stop it when it is half done.
async fn add_rooms_slowly(db: PgPool) -> anyhow::Result<()> {
    let logbook = Logbook::of_our_driver();
    let test = std::env::var("NEXTEST_TEST_NAME").unwrap_or_default();
    if let Some(logbook) = &logbook {
        logbook.begin_building(&test)?;
    }
    for number in 11..=15 {
        sqlx::query("INSERT INTO rooms (number) VALUES ($1)")
            .bind(number)
            .execute(&db)
            .await?;
        if let Some(logbook) = &logbook
            && number == 13
            && std::env::var_os(HOLD_BUILDER).is_some()
        {
            logbook.hold()?;
        }
    }
    Ok(())
}
