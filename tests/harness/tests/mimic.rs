//! A harness that lists and runs tests as the standard one does: the supervisor is this program, as ever.

use itest::integration;
use libtest_mimic::{Arguments, Failed, Trial};
use sqlx::PgPool;

#[integration(postgres, harness = false)]
async fn a_database(db: PgPool) -> sqlx::Result<()> {
    sqlx::query("CREATE TABLE made_here ()").execute(&db).await.map(drop)
}

mod within {
    #[itest::integration(postgres, harness = false)]
    pub(super) fn a_module(_db: sqlx::PgPool) {}
}

/// It fails in the way that harnesses expect: by a panic.
#[integration(postgres, harness = false)]
async fn a_failure(_db: PgPool) -> Result<(), &'static str> {
    Err("as it should")
}

fn main() {
    let fails = || match std::panic::catch_unwind(a_failure) {
        Ok(()) => Err(Failed::from("it was to fail")),
        Err(_) => Ok(()),
    };
    let trials = vec![
        Trial::test("a_database", || {
            a_database();
            Ok(())
        }),
        Trial::test("within::a_module", || {
            within::a_module();
            Ok(())
        }),
        Trial::test("a_failure", fails),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
