//! Together with rstest, above it and below it.

use itest::integration;
use rstest::{fixture, rstest};
use sqlx::PgPool;
use tokio::runtime::Handle;

async fn double(db: &PgPool, number: i32) -> sqlx::Result<i32> {
    sqlx::query_scalar("SELECT $1 * 2").bind(number).fetch_one(db).await
}

#[integration(postgres)]
#[rstest]
#[case(1, 2)]
#[case::negative(-3, -6)]
async fn above_rstest_with_cases(#[case] number: i32, db: PgPool, #[case] doubled: i32) -> sqlx::Result<()> {
    assert_eq!(double(&db, number).await?, doubled);
    Ok(())
}

#[integration(postgres)]
#[rstest]
async fn above_rstest_with_values(db: &PgPool, #[values(1, 2)] left: i32, #[values("+", "*")] operator: &str) {
    let sql = format!("SELECT {left} {operator} 2");
    let result: i32 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_one(db)
        .await
        .expect("it answers");
    assert_eq!(result, if operator == "+" { left + 2 } else { left * 2 });
}

#[fixture]
fn seven() -> i32 {
    7
}

#[integration(postgres, retries = 1)]
#[rstest]
async fn above_rstest_with_a_fixture_and_retries(#[from(seven)] number: i32, db: PgPool) -> sqlx::Result<()> {
    assert_eq!(double(&db, number).await?, 14);
    Ok(())
}

#[rstest]
#[case(1, 2)]
#[case::large(1000, 2000)]
#[itest::test(postgres)]
async fn below_rstest_with_cases(#[case] number: i32, #[case] doubled: i32, #[ignore] db: PgPool) {
    assert_eq!(double(&db, number).await.expect("it answers"), doubled);
}

#[rstest]
#[case("one")]
#[case::longer("one and two")]
#[itest::test(postgres)]
fn below_rstest_a_blocking_case_borrows(#[case] text: &str, #[ignore] db: PgPool) {
    assert_eq!(length(&db, text), text.len());
}

#[integration(postgres)]
#[rstest]
#[case("one")]
#[case("one and two")]
fn above_rstest_a_blocking_case_borrows(#[case] text: &str, db: PgPool) {
    assert_eq!(length(&db, text), text.len());
}

#[integration(postgres(settings(setting)))]
#[rstest]
#[case("work_mem=1MB", "1MB")]
async fn a_case_may_appear_in_a_services_parentheses(#[case] setting: &str, #[case] memory: &str, db: PgPool) {
    let found: String = sqlx::query_scalar("SHOW work_mem")
        .fetch_one(&db)
        .await
        .expect("it answers");
    assert_eq!(found, memory, "{setting}");
}

fn length(db: &PgPool, text: &str) -> usize {
    let length: i32 = Handle::current()
        .block_on(sqlx::query_scalar("SELECT length($1)").bind(text).fetch_one(db))
        .expect("it answers");
    usize::try_from(length).expect("a length")
}
