//! The external provider: the same tests on servers that someone else runs, which are left as they were found.

mod support;

use itest::service::{Postgres, Redis};
use itest::{Url, integration};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use rustix::process::{Signal, kill_process};
use sqlx::PgPool;
use support::notes::{note, wait_for};
use support::outside::Outside;
use support::{Ended, Guests, wait_until};
use tokio::process::Command;

fn guests(postgres: &str, redis: &str) -> Guests {
    Guests::new()
        .with("ITEST_PROVIDER", "auto")
        .with("ITEST_POSTGRES_URL", postgres)
        .with("ITEST_REDIS_URL", redis)
}

#[integration(postgres(migrations = "./tests/migrations", fixtures("rooms")), redis)]
#[ignore = "a guest"]
async fn stores_and_caches(db: PgPool, mut cache: MultiplexedConnection) -> anyhow::Result<()> {
    let (server, user, room): (i64, String, i64) = sqlx::query_as(
        "INSERT INTO rooms (name) VALUES ('green')
         RETURNING (SELECT extract(epoch FROM pg_postmaster_start_time())::bigint), current_user::text, id",
    )
    .fetch_one(&db)
    .await?;
    assert_eq!(room, 3);
    note("server", server);
    note("user", user);
    assert_eq!(redis::cmd("DBSIZE").query_async::<i64>(&mut cache).await?, 0);
    let _: () = cache.set("green", room).await?;
    note("busy", "now");
    wait_for_permission().await;
    let rooms: i64 = sqlx::query_scalar("SELECT count(*) FROM rooms").fetch_one(&db).await?;
    assert_eq!(
        (rooms, cache.get::<_, i64>("green").await?),
        (3, 3),
        "nobody took it away"
    );
    Ok(())
}

/// Guests stay for as long as the test that runs them wants.
async fn wait_for_permission() {
    if std::env::var_os("GUESTS_STAY").is_some() {
        wait_for("end").await;
    }
}

#[integration(postgres(migrations = "./tests/migrations", fixtures("rooms"), transaction))]
#[ignore = "a guest"]
async fn rolls_back(db: PgPool) -> anyhow::Result<()> {
    let room: i64 = sqlx::query_scalar("INSERT INTO rooms (name) VALUES ('green') RETURNING id")
        .fetch_one(&db)
        .await?;
    assert_eq!(room, 3);
    Ok(())
}

#[integration(postgres(migrations = "./tests/migrations", transaction))]
#[ignore = "a guest"]
async fn commits(db: PgPool) -> anyhow::Result<()> {
    sqlx::raw_sql("COMMIT").execute(&db).await?;
    Ok(())
}

#[integration(redis)]
#[ignore = "a guest"]
async fn only_caches(mut cache: MultiplexedConnection) -> anyhow::Result<()> {
    assert_eq!(redis::cmd("DBSIZE").query_async::<i64>(&mut cache).await?, 0);
    let _: () = cache.set("k", 1).await?;
    // Long enough that others want a database meanwhile.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert_eq!(redis::cmd("DBSIZE").query_async::<i64>(&mut cache).await?, 1);
    note(
        "database",
        redis::cmd("CLIENT").arg("ID").query_async::<i64>(&mut cache).await?,
    );
    Ok(())
}

#[integration(postgres(dedicated), redis(dedicated))]
async fn two_supervisors_share_a_server_and_leave_nothing(
    db: PgPool,
    postgres: Url<Postgres>,
    redis: Url<Redis>,
) -> anyhow::Result<()> {
    let outside = Outside::new(db, &postgres, &redis).await?;
    outside.put_somebodys_data(2).await?;
    outside.postgres_user("itest_20260131_orders", "").await?;
    let before = outside.inventory().await?;
    let one = guests(&outside.postgres(), &outside.redis());
    let other = guests(&outside.postgres(), &outside.redis());
    let tests = ["stores_and_caches", "rolls_back", "stores_and_caches", "only_caches"];
    for _ in 0..2 {
        tokio::join!(one.pass_together(&tests), other.pass_together(&tests));
    }
    let started: i64 = sqlx::query_scalar("SELECT extract(epoch FROM pg_postmaster_start_time())::bigint")
        .fetch_one(&outside.db)
        .await?;
    let servers = [one.notes("server"), other.notes("server")].concat();
    assert!(
        servers.len() == 8 && servers.iter().all(|server| *server == started.to_string()),
        "{servers:?}"
    );
    let users = one.notes("user");
    assert!(
        users.iter().all(|user| user.starts_with("stores_and_caches#")),
        "{users:?}"
    );

    tokio::join!(one.end_supervisors(Signal::TERM), other.end_supervisors(Signal::TERM));
    outside.stays(&before).await?;
    Ok(())
}

// A password in the environment of a test is one that its supervisor doesn't have.
#[integration(postgres(dedicated), redis(dedicated))]
async fn a_urls_user_and_password_may_be_in_the_environment(
    db: PgPool,
    postgres: Url<Postgres>,
    redis: Url<Redis>,
) -> anyhow::Result<()> {
    let outside = Outside::new(db, &postgres, &redis).await?;
    let url = outside.postgres_user("creator", "CREATEDB").await?;
    let place = url.replace("creator:secret@", "");
    let (server, _) = place.rsplit_once('/').unwrap();
    let before = outside.inventory().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("passwords");
    std::fs::write(&file, "*:*:creator:creator:secret\n")?;
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let file = file.to_str().unwrap();
    for (url, variables) in [
        (place.as_str(), &[("PGUSER", "creator"), ("PGPASSWORD", "secret")][..]),
        (server, &[("PGUSER", "creator"), ("PGPASSFILE", file)]),
        (&format!("{place}?user=creator"), &[("PGPASSWORD", "secret")]),
        (
            &format!("{server}?user=creator&password=secret"),
            &[("PGPASSWORD", "another")],
        ),
    ] {
        let of = |guests: Guests| {
            variables
                .iter()
                .fold(guests, |guests, (name, value)| guests.with(name, *value))
        };
        let own = of(guests(url, &outside.redis()));
        own.pass_together(&["stores_and_caches", "rolls_back", "connects_by_url"])
            .await;
        own.end_supervisors(Signal::TERM).await;
        outside.stays(&before).await?;
    }
    let said = guests(&place, &outside.redis())
        .with("PGUSER", "creator")
        .with("PGPASSWORD", "no");
    said.fail_saying("rolls_back", &["password authentication failed", "PGPASSFILE"])
        .await;
    let said = guests(&format!("{url}?sslmode=require"), &outside.redis());
    said.fail_saying("rolls_back", &["without TLS support", "tls-rustls"])
        .await;
    Ok(())
}

#[integration(postgres)]
#[ignore = "a guest"]
async fn connects_by_url(url: Url<Postgres>, db: PgPool) -> anyhow::Result<()> {
    let own = PgPool::connect(url.as_str()).await?;
    let who = "SELECT current_user::text || ' ' || current_database()";
    let ours: String = sqlx::query_scalar(who).fetch_one(&own).await?;
    assert_eq!(ours, sqlx::query_scalar::<_, String>(who).fetch_one(&db).await?);
    Ok(())
}

#[integration(postgres(dedicated, native), redis(dedicated, native))]
async fn servers_may_listen_on_sockets_alone(
    db: PgPool,
    postgres: Url<Postgres>,
    redis: Url<Redis>,
    mut cache: MultiplexedConnection,
) -> anyhow::Result<()> {
    let outside = Outside::new(db, &postgres, &redis).await?;
    outside.postgres_user("creator", "CREATEDB").await?;
    let plain = outside.redis_user("plain", &["-acl"]).await?;
    assert!(plain.contains("plain:secret@"));
    let before = outside.inventory().await?;
    let (folder, port): (String, String) =
        sqlx::query_as("SELECT current_setting('unix_socket_directories'), current_setting('port')")
            .fetch_one(&outside.db)
            .await?;
    let socket: Vec<String> = redis::cmd("CONFIG")
        .arg(&["GET", "unixsocket"])
        .query_async(&mut cache)
        .await?;
    let (_, login) = redis.as_str().split_once("//").unwrap();
    let (login, _) = login.split_once('@').unwrap();
    let (user, password) = login.split_once(':').unwrap();
    let folder = folder.trim_matches('"');
    let encoded = folder.replace('/', "%2F");
    for (postgres, redis) in [
        (
            format!("postgres://creator@{encoded}:{port}/creator"),
            format!("redis+unix://{}?user={user}&pass={password}", socket[1]),
        ),
        (
            format!("postgres:///creator?host={folder}&port={port}&user=creator"),
            format!("unix://{}?db=0&user=plain&pass=secret", socket[1]),
        ),
    ] {
        let guests = guests(&postgres, &redis);
        guests
            .pass_together(&["stores_and_caches", "connects_by_url", "connects_to_redis_by_url"])
            .await;
        guests.end_supervisors(Signal::TERM).await;
        outside.stays(&before).await?;
    }
    Ok(())
}

#[integration(redis)]
#[ignore = "a guest"]
async fn connects_to_redis_by_url(url: Url<Redis>, mut cache: MultiplexedConnection) -> anyhow::Result<()> {
    let mut own = redis::Client::open(url.as_str())?
        .get_multiplexed_async_connection()
        .await?;
    let _: () = own.set("k", 7).await?;
    assert_eq!(cache.get::<_, i64>("k").await?, 7);
    Ok(())
}

#[integration(postgres(dedicated), redis(dedicated))]
async fn a_user_who_may_only_create_databases_is_enough(
    db: PgPool,
    postgres: Url<Postgres>,
    redis: Url<Redis>,
) -> anyhow::Result<()> {
    let outside = Outside::new(db, &postgres, &redis).await?;
    let url = outside.postgres_user("creator", "CREATEDB").await?;
    let by_default = outside.redis_user("default", &[]).await?.replace("//default:", "//:");
    let before = outside.inventory().await?;
    let guests = guests(&url, &by_default);
    guests
        .pass_together(&["stores_and_caches", "rolls_back", "stores_and_caches"])
        .await;
    guests.pass("stores_and_caches").await;
    assert_eq!(guests.notes("user"), ["creator", "creator", "creator"]);
    guests.end_supervisors(Signal::TERM).await;
    outside.stays(&before).await?;
    Ok(())
}

#[integration(postgres(dedicated), redis(dedicated))]
async fn a_user_without_rights_has_transactions(
    db: PgPool,
    postgres: Url<Postgres>,
    redis: Url<Redis>,
) -> anyhow::Result<()> {
    let outside = Outside::new(db, &postgres, &redis).await?;
    let url = outside.postgres_user("plain", "").await?;
    let before = outside.inventory().await?;
    let guests = guests(&url, &outside.redis());
    guests.pass_together(&["rolls_back", "rolls_back", "rolls_back"]).await;
    guests.pass("rolls_back").await;
    let said = guests.fail("stores_and_caches").await;
    for part in ["may not create databases", "CREATEDB", "`postgres(transaction)`"] {
        assert!(said.contains(part), "{said}");
    }
    let said = guests.fail("commits").await;
    assert!(said.contains("stays in the database plain"), "{said}");
    let said = guests.fail("commits_in_a_fixture").await;
    assert!(said.contains("stays in part in the database plain"), "{said}");
    guests.end_supervisors(Signal::TERM).await;
    outside.stays(&before).await?;
    Ok(())
}

#[integration(postgres(migrations = "./tests/migrations", fixtures("commits"), transaction))]
#[ignore = "a guest that fails where no database may be created"]
fn commits_in_a_fixture(_db: PgPool) {}

// Without ACL and CONFIG: sixteen databases are counted, and all tests log in as the URL's user.
#[integration(postgres(dedicated), redis(dedicated))]
async fn databases_that_hold_somebodys_data_are_never_touched(
    db: PgPool,
    postgres: Url<Postgres>,
    redis: Url<Redis>,
) -> anyhow::Result<()> {
    let outside = Outside::new(db, &postgres, &redis).await?;
    for database in (0..16).filter(|database| ![7, 12].contains(database)) {
        outside.put_somebodys_data(database).await?;
    }
    for (name, rules) in [("plain", &["-acl", "-config"][..]), ("nearly", &["-config"])] {
        let url = outside.redis_user(name, rules).await?;
        let before = outside.inventory().await?;
        let guests = guests(&outside.postgres(), &url);
        guests.pass_together(&["only_caches"; 8]).await;
        assert_eq!(
            guests.notes("database").len(),
            8,
            "with two databases, all had their turn"
        );
        guests.end_supervisors(Signal::TERM).await;
        outside.stays(&before).await?;
    }
    Ok(())
}

// A `SELECT` that is refused must not have the next command hit the URL's own database.
#[integration(postgres(dedicated), redis(dedicated))]
async fn a_database_that_can_not_be_selected_is_left_alone(
    db: PgPool,
    postgres: Url<Postgres>,
    redis: Url<Redis>,
) -> anyhow::Result<()> {
    let outside = Outside::new(db, &postgres, &redis).await?;
    outside.put_somebodys_data(0).await?;
    let url = outside
        .redis_user("narrow", &["-acl", "-config", "-select", "+select|0", "+select|1"])
        .await?;
    let before = outside.inventory().await?;
    let guests = guests(&outside.postgres(), &url);
    guests.pass_together(&["only_caches"; 3]).await;
    guests.end_supervisors(Signal::TERM).await;
    outside.stays(&before).await?;
    Ok(())
}

#[integration(postgres(dedicated), redis(dedicated))]
async fn what_a_killed_supervisor_left_is_removed_and_what_a_living_one_owns_is_not(
    db: PgPool,
    postgres: Url<Postgres>,
    redis: Url<Redis>,
) -> anyhow::Result<()> {
    let outside = Outside::new(db, &postgres, &redis).await?;
    let before = outside.inventory().await?;
    let stay = || guests(&outside.postgres(), &outside.redis()).with("GUESTS_STAY", "1");
    let (killed, living, next) = (stay(), stay(), guests(&outside.postgres(), &outside.redis()));
    let (in_killed, in_living) = tokio::join!(
        killed.start_busy("stores_and_caches"),
        living.start_busy("stores_and_caches")
    );
    let pids = killed.supervisors();
    assert_eq!(pids.len(), 1);
    kill_process(pids[0], Signal::KILL)?;
    wait_until("the server sees that the killed one is gone", || {
        killed
            .supervisors()
            .first()
            .map(|pid| format!("{pid:?} has left its state"))
    })
    .await;

    next.pass("stores_and_caches").await;
    next.end_supervisors(Signal::TERM).await;
    living.let_end(in_living).await;
    living.end_supervisors(Signal::TERM).await;
    outside.stays(&before).await?;
    drop(in_killed);
    Ok(())
}

// With `restart_after_crash` all sessions end when one dies by a signal, as they do when somebody restarts the server.
#[integration(
    postgres(dedicated, settings("restart_after_crash=on", "synchronous_commit=on")),
    redis(dedicated)
)]
async fn a_server_that_restarts_costs_no_living_supervisor_its_databases(
    db: PgPool,
    postgres: Url<Postgres>,
    redis: Url<Redis>,
) -> anyhow::Result<()> {
    let outside = Outside::new(db, &postgres, &redis).await?;
    let before = outside.inventory().await?;
    let living = guests(&outside.postgres(), &outside.redis()).with("GUESTS_STAY", "1");
    let next = guests(&outside.postgres(), &outside.redis());
    let in_living = living.start_busy("stores_and_caches").await;
    let counts = "SELECT pg_stat_get_bgwriter_stat_reset_time()::text";
    let before_it: String = sqlx::query_scalar(counts).fetch_one(&outside.db).await?;
    let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&outside.db)
        .await?;
    kill_process(rustix::process::Pid::from_raw(backend).unwrap(), Signal::KILL)?;
    // The supervisor of this test has lost its sessions there, too, and doesn't know that the server is somebody else's: this
    // session says that it lives.
    let own = support::wait_for("the server is back", async || {
        let mut own = outside.db.acquire().await?;
        let since: String = sqlx::query_scalar(counts).fetch_one(&mut *own).await?;
        anyhow::ensure!(since != before_it, "it hasn't begun to end");
        sqlx::query(
            "SELECT set_config('application_name', 'itest:' || substring(current_database() FROM 7 FOR 8), false)",
        )
        .execute(&mut *own)
        .await?;
        Ok(own)
    })
    .await;

    next.pass("stores_and_caches").await;
    next.end_supervisors(Signal::TERM).await;
    living.let_end(in_living).await;
    // It stays no longer, as the file is there.
    living.pass("stores_and_caches").await;
    living.end_supervisors(Signal::TERM).await;
    outside.stays(&before).await?;
    drop(own);
    Ok(())
}

#[integration(postgres(dedicated), redis(dedicated))]
async fn a_redis_that_ends_all_connections_is_connected_to_anew(
    db: PgPool,
    postgres: Url<Postgres>,
    redis: Url<Redis>,
) -> anyhow::Result<()> {
    let outside = Outside::new(db, &postgres, &redis).await?;
    let guests = guests(&outside.postgres(), &outside.redis());
    guests.pass("only_caches").await;
    outside.end_redis_connections().await?;
    guests.pass("only_caches").await;
    guests.end_supervisors(Signal::TERM).await;
    Ok(())
}

// Those name the developer's own databases: a test must never find them by accident.
#[tokio::test]
async fn the_variables_of_applications_are_never_read() {
    let guests = Guests::new()
        .with("DATABASE_URL", "postgres://nobody:nothing@127.0.0.1:1/nowhere")
        .with("REDIS_URL", "redis://127.0.0.1:1/3")
        .with("PGHOST", "/nowhere")
        .with("PGUSER", "nobody")
        .with("PGSSLMODE", "require");
    guests.pass("stores_and_caches").await;
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(postgres(dedicated), redis(dedicated))]
async fn the_example_passes_on_external_servers(
    db: PgPool,
    postgres: Url<Postgres>,
    redis: Url<Redis>,
) -> anyhow::Result<()> {
    let outside = Outside::new(db, &postgres, &redis).await?;
    let before = outside.inventory().await?;
    let guests = guests(&outside.postgres(), &outside.redis()).with("ITEST_PROVIDER", "external");
    let mut tests = Command::from(fleet_driver::cargo());
    tests.args(["nextest", "run", "--workspace", "--color=never"]);
    for name in [
        "binary",
        "concurrency",
        "constraints",
        "errors",
        "events_and_cache",
        "orders",
        "users",
    ] {
        tests.args(["--test", name]);
    }
    guests.prepare(&mut tests);
    let ended = Ended::of(&tests.current_dir(env!("CARGO_MANIFEST_DIR")).output().await?);
    assert!(ended.passed, "{}", ended.said);
    guests.end_supervisors(Signal::TERM).await;
    outside.stays(&before).await?;
    Ok(())
}

// Three databases are for tests; each test needs two.
#[integration(postgres(dedicated), redis(dedicated, native, settings("databases 4")))]
async fn tests_that_need_two_slices_of_few_follow_each_other(
    db: PgPool,
    postgres: Url<Postgres>,
    redis: Url<Redis>,
) -> anyhow::Result<()> {
    let outside = Outside::new(db, &postgres, &redis).await?;
    let household = || guests(&outside.postgres(), &outside.redis()).with("ITEST_LINGER", "0");
    let one = household();
    one.pass_together(&["needs_two_of_few"; 6]).await;
    assert_eq!(one.notes("had two").len(), 6);
    let said = one
        .fail_saying(
            "needs_four_of_few",
            &["4 slices of redis at once", "this server has 3 at most"],
        )
        .await;
    assert!(said.contains("`redis(dedicated)`"), "{said}");
    one.end_supervisors(Signal::TERM).await;

    // Each has one and waits for another's: a supervisor doesn't see what the others' tests wait for.
    let all = [household(), household(), household()];
    let started: Vec<_> = all
        .iter()
        .map(|household| household.start("needs_two_of_few"))
        .collect();
    for one in started {
        let ended = Guests::end_of(one).await;
        assert!(ended.passed, "{}", ended.said);
    }
    for household in &all {
        household.end_supervisors(Signal::TERM).await;
    }
    Ok(())
}

#[integration(here = redis, there = redis)]
#[ignore = "a guest"]
async fn needs_two_of_few(here: redis::Client, there: redis::Client) -> anyhow::Result<()> {
    let (mut here, mut there) = (
        here.get_multiplexed_async_connection().await?,
        there.get_multiplexed_async_connection().await?,
    );
    let () = here.set("k", 1).await?;
    anyhow::ensure!(!there.exists::<_, bool>("k").await?);
    note("had two", "of few");
    Ok(())
}

#[integration(a = redis, b = redis, c = redis, d = redis)]
#[ignore = "a guest"]
async fn needs_four_of_few(a: redis::Client, b: redis::Client, c: redis::Client, d: redis::Client) {
    drop((a, b, c, d));
}
