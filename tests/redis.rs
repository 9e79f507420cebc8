//! `redis`: a logical database of the test's own, which it can't leave, on a server that it can't harm.

mod support;

use itest::service::Redis;
use itest::{Url, integration};
use redis::aio::{ConnectionManager, MultiplexedConnection};
use redis::{AsyncCommands, Client, RedisResult, Value, cmd};
use rustix::process::Signal;
use support::Guests;
use support::notes::{note, wait_for};
use tokio::process::Command;

async fn connect(client: &Client) -> anyhow::Result<MultiplexedConnection> {
    Ok(client.get_multiplexed_async_connection().await?)
}

fn command(line: &str) -> redis::Cmd {
    let mut words = line.split(' ');
    let mut command = cmd(words.next().unwrap());
    command.arg(words.collect::<Vec<_>>());
    command
}

#[integration(redis)]
async fn every_type_leads_to_the_same_database(
    client: Client,
    mut connection: MultiplexedConnection,
    lent: &mut ConnectionManager,
    url: Url<Redis>,
) -> anyhow::Result<()> {
    let _: () = connection.set("k", 1).await?;
    assert_eq!(lent.incr::<_, _, i64>("k", 1).await?, 2);
    assert_eq!(connect(&client).await?.incr::<_, _, i64>("k", 1).await?, 3);
    assert_eq!(redis_cli(url.as_str(), &["INCR", "k"]).await?, "4");
    let database = url.as_str().rsplit('/').next().unwrap();
    assert_ne!(database, "0", "where clients land that forget to SELECT");
    assert_eq!(redis_cli(url.as_str(), &["SELECT", database]).await?, "OK");
    Ok(())
}

/// Another client than ours, over TCP.
async fn redis_cli(url: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("redis-cli")
        .args(["--no-auth-warning", "-u", url])
        .args(arguments)
        .output()
        .await?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[integration(here = redis, there = redis)]
async fn nobody_sees_anothers_keys(here: Client, there: Client) -> anyhow::Result<()> {
    let (mut here, mut there) = (connect(&here).await?, connect(&there).await?);
    let _: () = here.set("k", "here").await?;
    assert_eq!(there.get::<_, Option<String>>("k").await?, None);
    let _: () = there.set("k", "there").await?;
    cmd("FLUSHDB").query_async::<()>(&mut there).await?;
    assert_eq!(here.get::<_, Option<String>>("k").await?.as_deref(), Some("here"));
    assert_eq!(cmd("DBSIZE").query_async::<i64>(&mut there).await?, 0);
    Ok(())
}

#[integration(redis, other = redis)]
async fn what_reaches_others_is_refused(client: Client, other: Url<Redis>) -> anyhow::Result<()> {
    let mut connection = connect(&client).await?;
    let other = other.as_str().rsplit('/').next().unwrap();
    let _: () = connection.set("k", 1).await?;
    let lines = [
        "SELECT 0",
        "FLUSHALL",
        "FLUSHALL ASYNC",
        "SWAPDB 0 1",
        "CONFIG SET maxmemory 1",
        "CONFIG GET *",
        "CONFIG RESETSTAT",
        "SHUTDOWN NOSAVE",
        "DEBUG SLEEP 0",
        "MONITOR",
        "CLIENT KILL TYPE normal",
        "CLIENT LIST",
        "CLIENT PAUSE 100",
        "CLIENT UNBLOCK 1",
        "CLIENT TRACKING ON BCAST",
        "SCRIPT FLUSH",
        "SCRIPT KILL",
        "FUNCTION FLUSH",
        "FUNCTION LOAD x",
        "ACL LIST",
        "ACL SETUSER me on",
        "REPLICAOF NO ONE",
        "SLAVEOF NO ONE",
        "SAVE",
        "BGSAVE",
        "BGREWRITEAOF",
        "FAILOVER",
        "SLOWLOG RESET",
        "LATENCY RESET",
        "MODULE LIST",
        "SYNC",
        "PSYNC ? -1",
        "MIGRATE 127.0.0.1 1 k 0 1",
    ];
    let leaving = [
        format!("SELECT {other}"),
        format!("MOVE k {other}"),
        format!("COPY k l DB {other}"),
    ];
    for line in lines.map(str::to_owned).into_iter().chain(leaving) {
        for line in [line.clone(), as_script(&line)] {
            let words = if let Some(script) = line.strip_prefix("EVAL ") {
                let mut eval = cmd("EVAL");
                eval.arg(script).arg(0);
                eval
            } else {
                command(&line)
            };
            let answer: RedisResult<Value> = words.query_async(&mut connection).await;
            let error = answer.expect_err(&line).to_string().to_lowercase();
            let refused = [
                "no permissions",
                "noperm",
                "acl failure",
                "can't run this command",
                "not allowed",
            ];
            assert!(refused.iter().any(|text| error.contains(text)), "{line}: {error}");
        }
    }
    assert_eq!(connection.get::<_, i64>("k").await?, 1);
    Ok(())
}

fn as_script(line: &str) -> String {
    let words: Vec<_> = line.split(' ').map(|word| format!("'{word}'")).collect();
    format!("EVAL return redis.call({})", words.join(", "))
}

#[integration(redis)]
async fn what_concerns_nobody_else_works(client: Client) -> anyhow::Result<()> {
    let mut redis = connect(&client).await?;
    // A stream with a group.
    let id: String = command("XADD events * name opened").query_async(&mut redis).await?;
    command("XGROUP CREATE events readers 0")
        .query_async::<()>(&mut redis)
        .await?;
    let read: Value = command("XREADGROUP GROUP readers me COUNT 1 STREAMS events >")
        .query_async(&mut redis)
        .await?;
    assert!(format!("{read:?}").contains(&id), "{read:?}");
    // A script, by text and by digest.
    let script = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
    let digest: String = cmd("SCRIPT").arg("LOAD").arg(script).query_async(&mut redis).await?;
    assert_eq!(
        cmd("EVALSHA")
            .arg(&digest)
            .arg(1)
            .arg("n")
            .arg(5)
            .query_async::<i64>(&mut redis)
            .await?,
        5
    );
    assert_eq!(
        cmd("EVAL")
            .arg(script)
            .arg(1)
            .arg("n")
            .arg(5)
            .query_async::<i64>(&mut redis)
            .await?,
        10
    );
    // A transaction.
    let (n, m): (i64, i64) = redis::pipe()
        .atomic()
        .incr("n", 1)
        .incr("m", 1)
        .query_async(&mut redis)
        .await?;
    assert_eq!((n, m), (11, 1));
    // A client's own affairs.
    for line in [
        "CLIENT SETNAME me",
        "CLIENT ID",
        "ACL WHOAMI",
        "PING",
        "INFO server",
        "OBJECT ENCODING n",
        "TYPE n",
    ] {
        command(line).query_async::<Value>(&mut redis).await?;
    }
    Ok(())
}

#[integration(redis)]
async fn messages_are_published_and_heard(client: Client, url: Url<Redis>) -> anyhow::Result<()> {
    // Channels belong to the whole server: a name of the test's own keeps others out.
    let user: String = cmd("ACL")
        .arg("WHOAMI")
        .query_async(&mut connect(&client).await?)
        .await?;
    assert!(user.starts_with("messages_are_published_and_heard#"), "{user}");
    let mut listener = Command::new("redis-cli")
        .args(["--no-auth-warning", "-u", url.as_str(), "SUBSCRIBE", &user])
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut redis = connect(&client).await?;
    let deadline = std::time::Instant::now() + support::PATIENCE;
    while redis.publish::<_, _, i64>(&user, "hello").await? == 0 {
        anyhow::ensure!(std::time::Instant::now() < deadline, "nobody listens");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let mut lines = tokio::io::BufReader::new(listener.stdout.take().unwrap());
    let mut heard = String::new();
    while !heard.contains("hello") {
        let read = tokio::io::AsyncBufReadExt::read_line(&mut lines, &mut heard).await?;
        anyhow::ensure!(read > 0, "the listener ended: {heard}");
    }
    Ok(())
}

#[integration(one = redis(dedicated), other = redis(dedicated))]
async fn on_a_server_of_its_own_a_test_may_do_anything(one: Client, other: Client) -> anyhow::Result<()> {
    let (mut one, mut other) = (connect(&one).await?, connect(&other).await?);
    let _: () = one.set("k", 1).await?;
    assert_eq!(
        other.get::<_, Option<i64>>("k").await?,
        None,
        "two dedicated servers are two"
    );
    for line in [
        "CONFIG SET maxmemory 100mb",
        "ACL SETUSER me on >secret ~* +@all",
        "SCRIPT FLUSH",
        "COPY k l DB 3",
        "SWAPDB 0 3",
        "SELECT 3",
        "FLUSHALL",
        "CLIENT LIST",
    ] {
        command(line).query_async::<Value>(&mut one).await?;
    }
    let ended: RedisResult<Value> = command("SHUTDOWN NOSAVE").query_async(&mut one).await;
    ended.expect_err("it has no answer");
    Ok(())
}

#[tokio::test]
async fn clients_of_a_lease_that_has_ended_are_cut_off_and_locked_out() {
    let guests = Guests::new();
    let lease = guests.start("lease_that_others_still_use");
    support::wait_until("the guest has a lease", || {
        guests.notes("url").is_empty().then(|| "no URL".to_owned())
    })
    .await;
    let stale = Client::open(guests.notes("url")[0].as_str()).unwrap();
    let mut idle = connect(&stale).await.unwrap();
    let mut blocked = connect(&stale).await.unwrap();
    let mut queued = connect(&stale).await.unwrap();
    let waiting = tokio::spawn(async move { command("BLPOP queue 0").query_async::<Value>(&mut blocked).await });
    command("MULTI").query_async::<()>(&mut queued).await.unwrap();
    command("SET stale 1").query_async::<()>(&mut queued).await.unwrap();
    guests.let_end(lease).await;

    let cut = tokio::time::timeout(support::PATIENCE, waiting)
        .await
        .expect("it ends at once")
        .unwrap();
    cut.expect_err("it was cut off");
    // Whoever gets the same database would find what a stale client wrote.
    let database = databases_of(&guests).remove(0);
    pass_in_database(&guests, &database).await;
    command("EXEC")
        .query_async::<Value>(&mut queued)
        .await
        .expect_err("it was cut off");
    command("SET stale 1")
        .query_async::<Value>(&mut idle)
        .await
        .expect_err("it was cut off");
    connect(&stale).await.map(drop).expect_err("its user is gone");
    pass_in_database(&guests, &database).await;
    guests.end_supervisors(Signal::TERM).await;
}

/// Which databases the guests got, in the order in which they came.
fn databases_of(guests: &Guests) -> Vec<String> {
    let urls = guests.notes("url");
    urls.iter()
        .map(|url| url.rsplit('/').next().unwrap().to_owned())
        .collect()
}

/// Runs guests until one gets `database`. On a busy machine it may still be being recycled when the next one comes; after that it
/// lies below others, and is taken only when so many are wanted at once.
async fn pass_in_database(guests: &Guests, database: &str) {
    for together in 1..=8 {
        let before = databases_of(guests).len();
        guests
            .pass_together(&vec!["lease_that_others_still_use"; together])
            .await;
        if databases_of(guests)[before..].iter().any(|taken| taken == database) {
            return;
        }
    }
    panic!("nobody gets database {database} again: {:?}", databases_of(guests));
}

#[integration(redis)]
#[ignore = "a guest"]
async fn lease_that_others_still_use(url: Url<Redis>, client: Client) -> anyhow::Result<()> {
    let mut redis = connect(&client).await?;
    assert_eq!(cmd("DBSIZE").query_async::<i64>(&mut redis).await?, 0);
    let _: () = redis.set("left", 1).await?;
    note("url", url);
    wait_for("end").await;
    Ok(())
}

#[tokio::test]
async fn a_refused_command_is_explained() {
    let guests = Guests::new();
    let said = guests.fail("flushes_everything").await;
    assert!(
        said.contains("hint: this command reaches other tests") && said.contains("`redis(dedicated)`"),
        "{said}"
    );
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(redis)]
#[ignore = "a guest that fails"]
async fn flushes_everything(client: Client) -> anyhow::Result<()> {
    cmd("FLUSHALL").query_async::<()>(&mut connect(&client).await?).await?;
    Ok(())
}

// What a client leaves that forgot to SELECT doesn't stay for the next test.
#[tokio::test]
async fn database_zero_is_emptied_with_every_lease() {
    let guests = Guests::new();
    guests.pass("forgets_to_select").await;
    guests.pass("forgets_to_select").await;
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(redis)]
#[ignore = "a guest"]
async fn forgets_to_select(url: Url<Redis>) -> anyhow::Result<()> {
    let (server, _) = url.as_str().rsplit_once('/').unwrap();
    let mut redis = connect(&Client::open(server)?).await?;
    assert_eq!(redis.get::<_, Option<i64>>("k").await?, None);
    let _: () = redis.set("k", 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_script_that_never_ends_ends_with_its_lease() {
    let guests = Guests::new();
    guests.fail("runs_a_script_for_ever").await;
    guests.pass("forgets_to_select").await;
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(redis, timeout = "500ms")]
#[ignore = "a guest that fails"]
async fn runs_a_script_for_ever(client: Client) -> anyhow::Result<()> {
    let mut script = cmd("EVAL");
    script.arg("while true do end").arg(0);
    script.query_async::<()>(&mut connect(&client).await?).await?;
    Ok(())
}

// The server says that it is busy after 5 s, and not with whose script.
#[tokio::test]
async fn a_script_is_not_killed_when_anothers_lease_ends() {
    let guests = Guests::new();
    guests.pass_together(&["runs_a_script_for_7_s", "ends_meanwhile"]).await;
    guests.end_supervisors(rustix::process::Signal::TERM).await;
}

#[integration(redis)]
#[ignore = "a guest"]
async fn runs_a_script_for_7_s(client: Client) -> anyhow::Result<()> {
    wait_for("leased").await;
    note("running", "now");
    let mut script = cmd("EVAL");
    let text = "local began = redis.call('TIME')[1] repeat until redis.call('TIME')[1] - began >= 7 return 'done'";
    script.arg(text).arg(0);
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    let said: String = script.query_async(&mut connection).await?;
    assert_eq!(said, "done");
    Ok(())
}

#[integration(redis)]
#[ignore = "a guest"]
async fn ends_meanwhile(_client: Client) {
    note("leased", "now");
    wait_for("running").await;
}

#[tokio::test]
async fn what_the_server_does_not_take_is_said_at_once() {
    let guests = Guests::new().with("ITEST_PROVIDER", "native");
    for (guest, parts) in [
        (
            "sets_what_is_no_setting",
            [
                "bad=1",
                "hint: the server doesn't take what `redis(settings(...))` says",
            ],
        ),
        (
            "sets_a_password",
            [
                "`requirepass` in `redis(settings(...))` is not a test's to set",
                "hint: take it out",
            ],
        ),
        (
            "asks_for_an_old_version",
            [
                "asks for Redis 5.0, and itest works with Redis 6",
                "hint: write `version",
            ],
        ),
    ] {
        let began = std::time::Instant::now();
        let said = guests.fail_saying(guest, &parts).await;
        assert!(!said.contains("swordfish"), "{said}");
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "{guest}: {said}");
    }
    guests.end_supervisors(rustix::process::Signal::TERM).await;
}

#[integration(redis(settings("bad=1")))]
#[ignore = "a guest that fails"]
fn sets_what_is_no_setting(_client: Client) {}

#[integration(redis(settings("requirepass swordfish")))]
#[ignore = "a guest that fails"]
fn sets_a_password(_client: Client) {}

#[integration(redis(version = "5.0"))]
#[ignore = "a guest that fails"]
fn asks_for_an_old_version(_client: Client) {}

#[tokio::test]
async fn a_lock_that_is_held_around_the_tests_is_free_when_they_have_ended() {
    let guests = Guests::new();
    let lock = guests.notebook().with_file_name("lock");
    let script = format!("exec 9>'{}' && flock -n 9 && \"$0\" \"$@\"", lock.display());
    guests.pass_below_a_shell(&script, "has_a_database").await;
    assert_eq!(guests.supervisors().len(), 1, "it lingers");
    let lock = std::fs::File::open(lock).unwrap();
    lock.try_lock().expect("nobody holds it");
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(redis)]
#[ignore = "a guest"]
async fn has_a_database(client: Client) -> anyhow::Result<()> {
    connect(&client).await.map(drop)
}

#[tokio::test]
async fn a_script_that_nobody_can_kill_costs_the_server_and_no_other_test() {
    let guests = Guests::new();
    guests.pass("has_a_database").await;
    let said = guests.fail("writes_for_ever").await;
    assert!(said.contains("did not end within 500ms"), "{said}");
    let began = std::time::Instant::now();
    guests.pass_together(&["has_a_database", "has_a_database"]).await;
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(20), "{took:?}");
    guests.end_supervisors(Signal::TERM).await;
}

#[integration(redis, timeout = "500ms")]
#[ignore = "a guest"]
async fn writes_for_ever(client: Client) -> anyhow::Result<()> {
    let mut redis = connect(&client).await?;
    cmd("EVAL")
        .arg("while true do redis.call('INCR', 'n') end")
        .arg(0)
        .query_async::<()>(&mut redis)
        .await?;
    Ok(())
}
