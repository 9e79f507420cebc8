//! `postgres`: a database of the test's own, in which it may do what it likes, and from which nobody else's is reached.

mod support;

use itest::service::Postgres;
use itest::{Url, integration};
use sqlx::postgres::{PgConnectOptions, PgListener};
use sqlx::{Connection, PgConnection, PgPool, Transaction};
use support::Guests;
use support::notes::{note, wait_for};
use tokio::process::Command;

#[integration(postgres)]
async fn every_type_leads_to_the_same_database(
    pool: PgPool,
    mut own: PgConnection,
    lent: &mut PgConnection,
    mut transaction: Transaction<'static, sqlx::Postgres>,
    options: PgConnectOptions,
    url: Url<Postgres>,
) -> anyhow::Result<()> {
    let name = "SELECT current_database() || ' ' || current_user";
    let expected: String = sqlx::query_scalar(name).fetch_one(&pool).await?;
    let mut made = PgConnection::connect_with(&options).await?;
    let others: [String; 4] = [
        sqlx::query_scalar(name).fetch_one(&mut own).await?,
        sqlx::query_scalar(name).fetch_one(lent).await?,
        sqlx::query_scalar(name).fetch_one(&mut *transaction).await?,
        sqlx::query_scalar(name).fetch_one(&mut made).await?,
    ];
    assert!(others.iter().all(|other| *other == expected), "{expected}: {others:?}");
    assert_eq!(psql(url.as_str(), name).await?, expected);
    Ok(())
}

#[integration(postgres)]
async fn a_test_may_change_its_schema_and_commit_on_several_connections(db: PgPool) -> anyhow::Result<()> {
    sqlx::raw_sql(
        "CREATE SCHEMA billing; CREATE TABLE billing.invoices (id bigserial PRIMARY KEY, cents bigint NOT NULL);
         CREATE MATERIALIZED VIEW billing.totals AS SELECT sum(cents) FROM billing.invoices;
         COMMENT ON DATABASE postgres IS NULL",
    )
    .execute(&db)
    .await
    .expect_err("the whole of it is rolled back: `postgres` is nobody's");
    sqlx::raw_sql("CREATE TABLE invoices (id bigserial PRIMARY KEY, cents bigint NOT NULL)")
        .execute(&db)
        .await?;
    let (mut first, mut second) = (db.begin().await?, db.begin().await?);
    for cents in [100_i64, 200] {
        for transaction in [&mut first, &mut second] {
            sqlx::query("INSERT INTO invoices (cents) VALUES ($1)")
                .bind(cents)
                .execute(&mut **transaction)
                .await?;
        }
    }
    first.commit().await?;
    second.commit().await?;
    let (count, last): (i64, i64) = sqlx::query_as("SELECT count(*), max(id) FROM invoices")
        .fetch_one(&db)
        .await?;
    assert_eq!((count, last), (4, 4));
    sqlx::raw_sql("TRUNCATE invoices RESTART IDENTITY; VACUUM invoices")
        .execute(&db)
        .await
        .expect_err("one transaction");
    sqlx::raw_sql("VACUUM invoices").execute(&db).await?;
    Ok(())
}

#[integration(postgres)]
async fn a_test_may_create_trusted_extensions(db: PgPool) -> anyhow::Result<()> {
    sqlx::raw_sql("CREATE EXTENSION pg_trgm; CREATE EXTENSION citext SCHEMA public")
        .execute(&db)
        .await?;
    let same: bool = sqlx::query_scalar("SELECT 'Ink'::citext = 'iNK'::citext")
        .fetch_one(&db)
        .await?;
    assert!(same);
    Ok(())
}

#[integration(here = postgres, there = postgres)]
async fn a_notification_arrives_here_and_nowhere_else(here: PgPool, there: PgPool) -> anyhow::Result<()> {
    let (mut near, mut far) = (
        PgListener::connect_with(&here).await?,
        PgListener::connect_with(&there).await?,
    );
    near.listen("orders").await?;
    far.listen("orders").await?;
    sqlx::query("SELECT pg_notify('orders', 'from here')")
        .execute(&here)
        .await?;
    sqlx::query("SELECT pg_notify('orders', 'from there')")
        .execute(&there)
        .await?;
    assert_eq!(near.recv().await?.payload(), "from here");
    assert_eq!(far.recv().await?.payload(), "from there");
    Ok(())
}

#[integration(postgres(migrations = "./tests/migrations"), there = postgres)]
async fn no_other_database_lets_a_test_in(
    here: PgConnectOptions,
    here_by_url: Url<Postgres>,
    there: PgPool,
) -> anyhow::Result<()> {
    let others: Vec<String> = sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE datname <> $1")
        .bind(here.get_database())
        .fetch_all(&there)
        .await?;
    assert!(
        others.len() >= 5,
        "another test's, the template, and three of the server's: {others:?}"
    );
    let own = here.get_database().unwrap().to_owned();
    for other in others {
        let refused = PgConnection::connect_with(&here.clone().database(&other)).await;
        assert_refused(refused, &other);
        let by_tcp: PgConnectOptions = here_by_url.as_str().replace(&own, &other).parse()?;
        assert_refused(PgConnection::connect_with(&by_tcp).await, &other);
    }
    Ok(())
}

fn assert_refused(connected: sqlx::Result<PgConnection>, database: &str) {
    let error = connected.map(drop).expect_err(database).to_string();
    let refused = [
        "permission denied for database",
        "not currently accepting connections",
        "does not exist",
    ];
    assert!(refused.iter().any(|text| error.contains(text)), "{database}: {error}");
}

#[integration(postgres)]
async fn over_tcp_nobody_is_a_superuser(url: Url<Postgres>, db: PgPool) -> anyhow::Result<()> {
    let user = sqlx::query_scalar::<_, String>("SELECT current_user")
        .fetch_one(&db)
        .await?;
    let own: PgConnectOptions = url.as_str().parse()?;
    assert_eq!(own.get_username(), user);
    for password in ["", "postgres"] {
        let superuser = own.clone().username("postgres").password(password);
        let error = PgConnection::connect_with(&superuser)
            .await
            .map(drop)
            .expect_err("refused");
        // By the provider: nobody gets in so, or only who knows a password that no test is told.
        let refused = ["pg_hba.conf rejects", "password authentication failed"];
        assert!(refused.iter().any(|text| error.to_string().contains(text)), "{error}");
    }
    let error = PgConnection::connect_with(&own.password("wrong"))
        .await
        .map(drop)
        .expect_err("refused");
    assert!(error.to_string().contains("password authentication failed"), "{error}");
    Ok(())
}

#[integration(postgres)]
async fn what_belongs_to_the_whole_server_is_refused(db: PgPool) -> anyhow::Result<()> {
    for statement in [
        "CREATE ROLE another",
        "CREATE DATABASE another",
        "ALTER SYSTEM SET work_mem = '1MB'",
        "ALTER ROLE postgres RENAME TO me",
        "CREATE TABLESPACE another LOCATION '/tmp'",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_get_activity(NULL) WHERE usesysid = 'postgres'::regrole",
        "SET session_replication_role = replica",
        "CREATE EXTENSION dblink",
    ] {
        let error = sqlx::raw_sql(statement)
            .execute(&db)
            .await
            .map(drop)
            .expect_err(statement)
            .to_string();
        let refused = ["permission denied", "must be", "must have"];
        assert!(refused.iter().any(|text| error.contains(text)), "{statement}: {error}");
    }
    Ok(())
}

#[integration(postgres(migrations = "./tests/migrations"))]
async fn a_template_can_not_be_changed_by_a_test_that_starts_from_it(db: PgPool) -> anyhow::Result<()> {
    let templates: Vec<String> =
        sqlx::query_scalar(r"SELECT datname::text FROM pg_database WHERE datistemplate AND datname LIKE 'itest\_%'")
            .fetch_all(&db)
            .await?;
    assert!(!templates.is_empty());
    for template in templates {
        for change in ["ALLOW_CONNECTIONS true", "IS_TEMPLATE false", "CONNECTION LIMIT 7"] {
            let changed = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("ALTER DATABASE \"{template}\" {change}")))
                .execute(&db)
                .await;
            let error = changed.map(drop).expect_err(change).to_string();
            assert!(error.contains("must be owner"), "{change}: {error}");
        }
    }
    Ok(())
}

#[integration(postgres)]
async fn the_server_knows_a_test_by_its_name(db: PgPool) -> anyhow::Result<()> {
    let user: String = sqlx::query_scalar("SELECT current_user::text").fetch_one(&db).await?;
    assert!(user.starts_with("the_server_knows_a_test_by_its_name#"), "{user}");
    Ok(())
}

#[tokio::test]
async fn clients_of_a_lease_that_has_ended_are_cut_off_and_locked_out() {
    let guests = Guests::new();
    let lease = guests.start("lease_that_others_still_use");
    support::wait_until("the guest has a lease", || {
        guests.notes("url").is_empty().then(|| "no URL is noted".to_owned())
    })
    .await;
    let options: PgConnectOptions = guests.notes("url")[0].parse().unwrap();
    let mut idle = PgConnection::connect_with(&options).await.unwrap();
    let mut busy = PgConnection::connect_with(&options).await.unwrap();
    let sleeping = tokio::spawn(async move { sqlx::raw_sql("SELECT pg_sleep(60)").execute(&mut busy).await });
    guests.let_end(lease).await;

    let cut = tokio::time::timeout(support::PATIENCE, sleeping)
        .await
        .expect("it ends at once")
        .unwrap();
    cut.expect_err("it was cut off");
    sqlx::raw_sql("SELECT 1")
        .execute(&mut idle)
        .await
        .expect_err("it was cut off");
    guests.pass("lease_that_others_still_use").await;
    let error = PgConnection::connect_with(&options)
        .await
        .map(drop)
        .expect_err("its role is gone");
    assert!(error.to_string().contains("password authentication failed"), "{error}");
    guests.end_supervisors(rustix::process::Signal::TERM).await;
}

#[integration(postgres)]
#[ignore = "a guest"]
async fn lease_that_others_still_use(url: Url<Postgres>) {
    note("url", url);
    wait_for("end").await;
}

/// Asks another client than ours, over TCP.
async fn psql(url: &str, query: &str) -> anyhow::Result<String> {
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", query, url]);
    let output = psql.env_remove("PGOPTIONS").output().await?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[tokio::test]
async fn a_test_meets_no_session_but_its_own_whether_its_database_is_new_or_used() {
    let guests = Guests::new();
    for _ in 0..3 {
        guests.pass("counts_sessions_and_ends_all_but_its_own").await;
    }
    let counted = guests.notes("sessions");
    assert_eq!(counted, ["1 1", "1 1", "1 1"]);
    guests.end_supervisors(rustix::process::Signal::TERM).await;
}

#[integration(postgres)]
#[ignore = "a guest"]
async fn counts_sessions_and_ends_all_but_its_own(db: &mut PgConnection) -> anyhow::Result<()> {
    let (listed, counted): (i64, i32) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()),
           (SELECT numbackends FROM pg_stat_database WHERE datname = current_database())",
    )
    .fetch_one(&mut *db)
    .await?;
    note("sessions", format!("{listed} {counted}"));
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .execute(db)
    .await?;
    Ok(())
}

#[integration(postgres)]
async fn a_pool_survives_the_end_of_a_connection(db: PgPool) -> anyhow::Result<()> {
    let (mut first, mut second) = (db.acquire().await?, db.acquire().await?);
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut *first)
        .await?;
    drop(first);
    // The pool has it back a moment later.
    support::wait_until("the connection is back", || {
        (db.num_idle() == 0).then(|| "it is lent".to_owned())
    })
    .await;
    sqlx::query("SELECT pg_terminate_backend($1)")
        .bind(pid)
        .execute(&mut *second)
        .await?;
    while sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)")
        .bind(pid)
        .fetch_one(&mut *second)
        .await?
    {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        sqlx::query("SELECT 1").execute(&db).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_data_folder_may_have_any_name() {
    let base = tempfile::tempdir().unwrap();
    // Servers that run as another user have to get through.
    std::fs::set_permissions(base.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for name in ["with space", "it's", "a,b", r"a\b", "say \"x\""] {
        let folder = base.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let guests = Guests::new().with("ITEST_DATA_DIR", folder.to_str().unwrap());
        guests.pass("has_a_database_and_a_cache").await;
        guests.end_supervisors(rustix::process::Signal::TERM).await;
    }
}

#[tokio::test]
async fn servers_run_whatever_umask_the_tests_have() {
    let guests = Guests::new();
    guests
        .pass_below_a_shell("umask 077 && \"$0\" \"$@\"", "has_a_database_and_a_cache")
        .await;
    guests.end_supervisors(rustix::process::Signal::TERM).await;
}

#[tokio::test]
async fn nothing_of_the_callers_variables_reaches_a_test() {
    for (name, value) in [
        ("PGAPPNAME", "somebody's"),
        ("PGUSER", "nobody"),
        ("PGPASSWORD", "wrong"),
        ("PGDATABASE", "elsewhere"),
        ("PGHOST", "192.0.2.1"),
        ("PGPORT", "1"),
        ("PGSSLMODE", "verify-full"),
        ("PGPASSFILE", "/nowhere"),
    ] {
        let guests = Guests::new().with(name, value);
        guests.pass("is_named_by_nobody").await;
        guests.end_supervisors(rustix::process::Signal::TERM).await;
    }
}

// For somebody else's server they are meant.
#[integration(postgres(migrations = "./tests/migrations", native))]
#[ignore = "a guest"]
async fn is_named_by_nobody(db: PgPool) -> anyhow::Result<()> {
    let (name, database): (String, String) =
        sqlx::query_as("SELECT current_setting('application_name'), current_database()")
            .fetch_one(&db)
            .await?;
    assert_eq!(name, "");
    assert_ne!(database, "elsewhere");
    Ok(())
}

// What comes first in a process may shape it, but not the servers that all use.
#[tokio::test]
async fn servers_run_whatever_a_test_makes_of_its_process() {
    let guests = Guests::new();
    guests.pass("spoils_its_process").await;
    guests.pass("has_a_database_and_a_cache").await;
    let supervisors = guests.supervisors();
    assert_eq!(supervisors.len(), 1, "one was found from both");
    guests.end_supervisors(rustix::process::Signal::TERM).await;
}

#[test]
#[ignore = "a guest"]
fn spoils_its_process() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    // SAFETY: no other thread of this process looks at its environment: there is no test beside this one.
    unsafe {
        for name in ["TMPDIR", "HOME", "PATH", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"] {
            std::env::set_var(name, "/nowhere");
        }
        std::env::set_var("LC_ALL", "none");
    }
    std::env::set_current_dir("/proc").unwrap();
    let spoil = |resource, current| {
        let maximum = getrlimit(resource).maximum;
        let current = Some(current);
        setrlimit(resource, Rlimit { current, maximum }).unwrap();
    };
    spoil(Resource::Nofile, 64);
    spoil(Resource::Fsize, 4096);
    spoil(Resource::Stack, 100 << 10);
    has_a_database_and_a_cache();
}

#[integration(postgres, redis)]
#[ignore = "a guest"]
async fn has_a_database_and_a_cache(db: PgPool, cache: redis::Client) -> anyhow::Result<()> {
    sqlx::query("SELECT 1").execute(&db).await?;
    let mut cache = cache.get_multiplexed_async_connection().await?;
    redis::cmd("PING").query_async::<()>(&mut cache).await?;
    Ok(())
}
