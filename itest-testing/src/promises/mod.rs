//! What every service promises, whatever it is.

mod stale;
mod tried;

use std::error::Error;
use std::future::Future;

use itest_runtime::service::Service;

#[doc(hidden)]
pub use self::stale::{LeaseOf, Stale, is_not_reached};
#[doc(hidden)]
pub use self::tried::*;
use crate::notes::note;

/// How things end here.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What is done with a slice to try the promises on it.
///
/// ```
/// # use itest::service::postgres::Postgres;
/// # use itest::service::testing::{Subject, promises::Outcome};
/// # use sqlx::PgPool;
/// struct Databases;
///
/// impl Subject for Databases {
///     type Service = Postgres;
///     type Value = PgPool;
///
///     async fn write(db: &PgPool) -> Outcome<()> {
///         sqlx::raw_sql("CREATE TABLE IF NOT EXISTS written (); INSERT INTO written DEFAULT VALUES").execute(db).await?;
///         Ok(())
///     }
///
///     async fn count(db: &PgPool) -> Outcome<usize> {
///         let there: bool = sqlx::query_scalar("SELECT to_regclass('written') IS NOT NULL").fetch_one(db).await?;
///         if !there {
///             return Ok(0);
///         }
///         let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM written").fetch_one(db).await?;
///         Ok(usize::try_from(rows)?)
///     }
///
///     async fn server(db: &PgPool) -> Outcome<String> {
///         Ok(sqlx::query_scalar("SELECT pg_postmaster_start_time()::text").fetch_one(db).await?)
///     }
/// }
/// ```
pub trait Subject {
    /// The service.
    type Service: Service;
    /// What a test is given.
    type Value: Send + Sync + 'static;

    /// Leaves one more thing in the slice, of a kind that other tests would meet if slices didn't keep them apart.
    ///
    /// # Errors
    /// When the server refuses.
    fn write(value: &Self::Value) -> impl Future<Output = Outcome<()>> + Send;

    /// How many things there are in the slice: none when a test begins.
    ///
    /// # Errors
    /// When the server refuses.
    fn count(value: &Self::Value) -> impl Future<Output = Outcome<usize>> + Send;

    /// What is the same for all slices of one server, and another for each server: when it started, say.
    ///
    /// # Errors
    /// When the server doesn't say.
    fn server(value: &Self::Value) -> impl Future<Output = Outcome<String>> + Send;

    /// Does what a failing test is told about, by the server's log or by what the slice holds, and says how that must read.
    /// By default nothing is told.
    ///
    /// # Errors
    /// When the server refuses something else.
    fn provoke(value: &Self::Value) -> impl Future<Output = Outcome<&'static [&'static str]>> + Send {
        let _ = value;
        async { Ok(&[][..]) }
    }
}

/// Writes the promises as tests of the module that it stands in, and the guests that they run. It takes the service, as it stands
/// in an attribute, what is given to the test, and the [`Subject`].
///
/// ```ignore
/// itest::service::testing::promises!(postgres, Databases);
/// ```
#[macro_export]
macro_rules! promises {
    ($service:ident, $subject:ty) => {
        #[::itest::integration($service)]
        #[ignore = "a guest"]
        async fn writes(value: &<$subject as $crate::Subject>::Value) -> $crate::promises::Outcome<()> {
            $crate::promises::writes::<$subject>(value).await
        }

        #[::itest::integration($service)]
        #[ignore = "a guest"]
        async fn writes_and_fails(value: &<$subject as $crate::Subject>::Value) -> $crate::promises::Outcome<()> {
            $crate::promises::writes::<$subject>(value).await?;
            Err("it fails".into())
        }

        #[::itest::integration($service)]
        #[ignore = "a guest"]
        async fn writes_and_hangs(value: &<$subject as $crate::Subject>::Value) -> $crate::promises::Outcome<()> {
            $crate::promises::writes::<$subject>(value).await?;
            $crate::notes::note("busy", "");
            $crate::notes::wait_for("end").await;
            Ok(())
        }

        #[::itest::integration($service)]
        #[ignore = "a guest"]
        async fn is_told_of_what_it_provoked(
            value: &<$subject as $crate::Subject>::Value,
        ) -> $crate::promises::Outcome<()> {
            for told in <$subject as $crate::Subject>::provoke(value).await? {
                $crate::notes::note("told", told);
            }
            Err("it fails".into())
        }

        /// Two in one process: the second runs while a client of the first is still there.
        mod stale {
            use super::*;

            static CLIENT: ::std::sync::Mutex<Option<$crate::promises::Stale>> = ::std::sync::Mutex::new(None);

            #[::itest::integration($service)]
            #[ignore = "a guest"]
            async fn a_first_leaves_a_client(
                lease: &$crate::promises::LeaseOf<<$subject as $crate::Subject>::Service>,
            ) -> $crate::promises::Outcome<()> {
                let stale = $crate::promises::Stale::of::<$subject, _>(lease).await?;
                *CLIENT.lock().expect("nobody panics") = Some(stale);
                Ok(())
            }

            #[::itest::integration($service)]
            #[ignore = "a guest"]
            async fn b_second_is_not_reached_by_it(
                value: &<$subject as $crate::Subject>::Value,
            ) -> $crate::promises::Outcome<()> {
                let stale = CLIENT.lock().expect("nobody panics").take();
                $crate::promises::is_not_reached::<$subject>(value, stale).await
            }
        }

        #[tokio::test]
        async fn one_server_serves_all_processes() {
            $crate::promises::one_server_serves_all_processes(::std::module_path!()).await;
        }

        #[tokio::test]
        async fn every_test_begins_with_a_clean_slice() {
            $crate::promises::every_test_begins_with_a_clean_slice(::std::module_path!()).await;
        }

        #[tokio::test]
        async fn what_a_killed_test_wrote_is_gone() {
            $crate::promises::what_a_killed_test_wrote_is_gone(::std::module_path!()).await;
        }

        #[tokio::test]
        async fn a_client_that_outlives_its_test_is_locked_out() {
            $crate::promises::a_client_that_outlives_its_test_is_locked_out(::std::module_path!()).await;
        }

        #[tokio::test]
        async fn a_failing_test_says_what_the_server_has_of_it() {
            $crate::promises::a_failing_test_says_what_the_server_has_of_it(::std::module_path!()).await;
        }

        #[tokio::test]
        async fn what_a_failing_test_wrote_stays_if_asked_for() {
            $crate::promises::what_a_failing_test_wrote_stays_if_asked_for(::std::module_path!()).await;
        }

        #[tokio::test]
        async fn nothing_is_left_when_the_supervisor_ends() {
            $crate::promises::nothing_is_left(::std::module_path!(), false).await;
        }

        #[tokio::test]
        async fn nothing_is_left_when_the_supervisor_is_killed() {
            $crate::promises::nothing_is_left(::std::module_path!(), true).await;
        }
    };
}

/// What guests run.
#[doc(hidden)]
pub async fn writes<S: Subject>(value: &S::Value) -> Outcome<()> {
    let found = S::count(value).await?;
    if found > 0 {
        note("found", found);
        return Err(format!("{found} things are there that this test didn't write").into());
    }
    for _ in 0..3 {
        S::write(value).await?;
    }
    let found = S::count(value).await?;
    if found != 3 {
        return Err(format!("{found} things are there, of 3 that this test wrote").into());
    }
    note("server", S::server(value).await?);
    Ok(())
}
