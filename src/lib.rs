//! A testing DSL: one attribute on a test function says which real servers the test needs.
//!
//! The runtime finds or starts them, gives this test a clean *slice* of each, and puts everything back afterwards. The
//! [README](https://github.com/itest-rs/itest#readme) is the overview, with the configuration, the limits of each
//! guarantee, and a FAQ by error message; this is the manual.
//!
//! - [A first test](#a-first-test)
//! - [Declaring services](#declaring-services)
//! - [Parameters](#parameters)
//! - [Isolation](#isolation)
//! - [Templates](#templates)
//! - [Fixtures](#fixtures)
//! - [Test options](#test-options)
//! - [When a test fails](#when-a-test-fails)
//! - [With rstest](#with-rstest)
//! - [Any image, any compose file](#any-image-any-compose-file)
//! - [Configuration](#configuration)
//! - [Defining a service](#defining-a-service)
//! - [How it works](#how-it-works)
//! - [Limits](#limits)
//!
//! # A first test
//!
//! ```
//! use itest::integration;
//! use sqlx::PgPool;
//!
//! #[integration(postgres)]
//! # #[rustfmt::rstest]
//! async fn the_server_can_count(db: PgPool) -> anyhow::Result<()> {
//!     let sum: i32 = sqlx::query_scalar("SELECT 1 + 1").fetch_one(&db).await?;
//!     assert_eq!(sum, 2);
//!     Ok(())
//! }
//! ```
//!
//! It is a test like any other: `cargo nextest run`, `cargo test`, `#[ignore]`, `#[should_panic]`, filters and IDEs work
//! on it. The function is `async` or not, takes parameters by `T`, `&T` or `&mut T`, and returns nothing or a
//! `Result<(), E>` with `E: Debug`. An `async` body runs on a tokio runtime that the attribute makes, so `#[tokio::test]`
//! must not stand beside it; a body that isn't `async` runs where it may block.
//!
//! # Declaring services
//!
//! In the attribute stand services, and [test options](#test-options). A service's parentheses are calls of a builder:
//!
//! | written | called |
//! |---|---|
//! | `version = "16"` | [`.version("16")`](service::Postgres::version) |
//! | `fixtures("users", "orders")` | [`.fixtures(["users", "orders"])`](service::Postgres::fixtures) |
//! | `transaction` | [`.transaction()`](service::Postgres::transaction) |
//!
//! So the options of `postgres` are the methods of [`service::Postgres`], and those of `redis` the methods of
//! [`service::Redis`]; the compiler checks them, and shows the word that is wrong.
//!
//! ```
//! # use itest::integration;
//! # use sqlx::PgPool;
//! #[integration(postgres(version = "15", settings("work_mem=64MB", "log_statement=all")), redis(version = "7"))]
//! # #[rustfmt::rstest]
//! async fn both_are_of_the_version_we_run(db: PgPool, cache: redis::Client) {
//!     // ...
//! }
//! ```
//!
//! **Tests that ask for the same server share it.** `version` and `settings` shape the server: each combination is a
//! server of its own. All other options shape the slice.
//!
//! ## Instances
//!
//! Two services of a kind need names. The parameter of that name then gets it, whatever its type:
//!
//! ```
//! # use itest::integration;
//! # use sqlx::{PgConnection, PgPool};
//! #[integration(orders = postgres, billing = postgres(transaction), redis)]
//! # #[rustfmt::rstest]
//! async fn an_order_is_billed(orders: PgPool, billing: &mut PgConnection, cache: redis::Client) {
//!     // ...
//! }
//! ```
//!
//! ## Values without a name
//!
//! What stands first in a service's parentheses without a name is given to its function: `compose("stack.yml")` calls
//! [`service::compose()`], and `container("redis", "8.2", port = 6379)` calls [`service::container()`] and then `.port(6379)`.
//! They may be given to functions of your own, too. Such values are literals.
//!
//! # Parameters
//!
//! A parameter that has a service's name gets its value from that service. Otherwise its *type* says which service it is from: every type that implements [`Inject`] names its
//! service. A type that no declared service provides is a compile error on that parameter.
//!
//! | type | from | what it is |
//! |---|---|---|
//! | `sqlx::PgPool` | `postgres` | a pool; all values of one instance share it |
//! | `sqlx::PgConnection` | `postgres` | one connection, usually taken as `&mut PgConnection` |
//! | `sqlx::Transaction<'static, sqlx::Postgres>` | `postgres` | an open transaction, rolled back unless the test commits it |
//! | `sqlx::postgres::PgConnectOptions` | `postgres` | for a pool or a connection of your own making |
//! | [`Url<service::Postgres>`](Url) | `postgres` | `postgres://user:password@host:port/database` |
//! | `redis::Client` | `redis` | a client that connects when asked |
//! | `redis::aio::MultiplexedConnection` | `redis` | a connection |
//! | `redis::aio::ConnectionManager` | `redis` | a connection that is made again when it breaks |
//! | [`Url<service::Redis>`](Url) | `redis` | `redis://user:password@host:port/database` |
//! | `sqlx::MySqlPool` | `mariadb` | a pool; all values of one instance share it |
//! | `sqlx::MySqlConnection` | `mariadb` | one connection, usually taken as `&mut MySqlConnection` |
//! | `sqlx::Transaction<'static, sqlx::MySql>` | `mariadb` | an open transaction, rolled back unless the test commits it |
//! | `sqlx::mysql::MySqlConnectOptions` | `mariadb` | for a pool or a connection of your own making |
//! | `Url<service::MariaDb>` | `mariadb` | `mysql://user:password@host:port/database` |
//! | `async_nats::Client` | `nats` | a connection; each parameter has its own |
//! | `async_nats::jetstream::Context` | `nats` | JetStream, on a connection of its own |
//! | `nats::Credentials`, `nats::Operator` | `nats` | files for other processes: the user's token and key; what whoever runs a `dedicated` server has |
//! | `Url<service::Nats>` | `nats` | `nats://host:port`, to which credentials belong |
//! | [`ContainerHandle`] | `container` | where a container is, and what it can be made to do |
//! | [`ComposeHandle`] | `compose` | the containers of a compose file, by service |
//!
//! A [`Url`] is for what isn't Rust, or isn't this process:
//!
//! ```
//! # use itest::{Url, integration};
//! # use itest::service::{Postgres, Redis};
//! # use std::process::Command;
//! #[integration(postgres, redis)]
//! # #[rustfmt::rstest]
//! fn the_program_says_that_it_is_healthy(database: Url<Postgres>, cache: Url<Redis>) {
//!     let status = Command::new("my-service")
//!         .arg("--check")
//!         .env("DATABASE_URL", database.as_str())
//!         .env("REDIS_URL", cache.as_str())
//!         .status()
//!         .expect("it starts");
//!     assert!(status.success());
//! }
//! ```
//!
//! ## Types of your own
//!
//! Implement [`Inject`] for what your tests would otherwise make in their first lines. (For a type that isn't yours, `Inject` says
//! [how](Inject#types-of-other-crates).)
//!
//! ```
//! use itest::service::Postgres;
//! use itest::{Inject, Lease, integration};
//! use sqlx::PgPool;
//!
//! struct Users {
//!     db: PgPool,
//! }
//!
//! impl Inject for Users {
//!     type Service = Postgres;
//!
//!     async fn inject(lease: &Lease<Postgres>) -> itest::Result<Self> {
//!         Ok(Self { db: PgPool::inject(lease).await? })
//!     }
//! }
//!
//! #[integration(postgres(migrations = "./migrations"))]
//! # #[rustfmt::rstest]
//! async fn nobody_is_there_yet(users: Users) -> sqlx::Result<()> {
//!     let count: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&users.db).await?;
//!     assert_eq!(count, 0);
//!     Ok(())
//! }
//! ```
//!
//! # Isolation
//!
//! How far the slice is the test's own is one word among a service's options:
//!
//! - [`database`](service::Postgres::database), the default: the test may do anything that its database allows, with any
//!   number of connections and processes. It owns the database, but is not a superuser.
//! - [`transaction`](service::Postgres::transaction): the database is used again by other tests afterwards, so all that
//!   this one does is rolled back. `PgPool` is then a pool of one connection whose transaction is already open, and the
//!   code's own `begin()` makes a savepoint. What asks for a second connection fails, after 3 s at most, and the hint
//!   says why.
//! - [`shared`](service::Postgres::shared): none. All tests of the same template use one database at the same time.
//! - [`dedicated`](service::Postgres::dedicated): a server for this test alone. It is a superuser there ([for
//!   Redis](service::Redis::dedicated): every command is allowed). Starting one takes a while; prefer a slice.
//!
//! With `transaction`, before the rollback at the end of a test that passed, deferred constraints are checked: a
//! violation fails the test, as the commit would have. Sequences, which no rollback sets back, are set back for the next
//! test. Some things are out of reach: other connections see nothing, a failed statement ends the transaction (unless it
//! failed in a savepoint), `NOTIFY` isn't delivered, `now()` stands still, and `VACUUM`, `CREATE INDEX CONCURRENTLY`,
//! `CREATE DATABASE` and procedures that commit fail. If in doubt, leave the word out.
//!
//! Redis has one isolation besides `dedicated`: a logical database, and an ACL user that can't leave it. Pub/sub channels
//! are shared by the whole server.
//!
//! # Templates
//!
//! The content that every slice starts from: what [`migrations`](service::Postgres::migrations),
//! [`migrator`](service::Postgres::migrator), [`fixtures`](service::Postgres::fixtures) and
//! [`setup`](service::Postgres::setup) make, in the order in which they are written.
//!
//! ```
//! # use itest::integration;
//! # use sqlx::{PgPool, migrate::Migrator};
//! // As a rule `sqlx::migrate!()` in your crate.
//! static MIGRATOR: Migrator = Migrator::DEFAULT;
//!
//! async fn a_thousand_users(db: PgPool) -> sqlx::Result<()> {
//!     sqlx::query("INSERT INTO users SELECT 'user ' || n FROM generate_series(1, 1000) n").execute(&db).await?;
//!     Ok(())
//! }
//!
//! #[integration(postgres(migrator = MIGRATOR, setup = a_thousand_users, transaction))]
//! # #[rustfmt::rstest]
//! async fn a_page_has_twenty(db: PgPool) {
//!     // ...
//! }
//! ```
//!
//! The first test that needs a template builds it, in a blank database and with the code above; it says so on stderr.
//! Others wait. Then the template is sealed, and every test of it gets a clone. If the builder dies, another one takes
//! over; if the build fails, all tests of that run which need it are told the same error, with file and line where
//! PostgreSQL says it.
//!
//! A template is known by its fingerprint: of migrations and fixtures the names and contents, of a migrator the versions
//! and checksums, of a setup function its path and the test binary. It lives as long as the server does; once those
//! that nobody uses take more than 1 GiB, or a quarter of what is free beside them, the one that was used the longest ago goes
//! (256 MiB where nobody knows how much is free: in containers, and on somebody else's server). A setup function
//! that depends on anything else (a clock, a variable of the environment, another file) is not noticed to have changed.
//!
//! What a template is made of has two parts. The migrations before the first fixture file or function are its *base*, which is
//! built once for all templates that begin with it. Fixture files are run for each test, on a slice of the base, and undone with all
//! that the test does; files on which tests have spent more than a template is worth (0.3 s) get one, as functions do at
//! once, which is made upon a copy of the base. Either way it behaves as if it ran after them once and for all: it finds their tables, rows, sequences
//! and settings of the database and of its role, and nothing of their sessions, such as a `search_path` or a temporary table.
//!
//! What is in a template belongs to the test's own role, which isn't a superuser.
//!
//! # Fixtures
//!
//! A *fixture* is a value of your own that is made of other injected values: a client of the service under test, a user who has
//! signed up, a broker with its queues. [`#[itest::fixture]`](macro@fixture) makes one of a function; tests, and other fixtures, name
//! it in their attributes as they name a service, and get its value by a parameter of its type, or of its name.
//!
//! ```
//! # use itest::integration;
//! # use sqlx::PgPool;
//! # use redis::aio::ConnectionManager;
//! # struct Api;
//! # impl Api {
//! #     async fn start(db: PgPool, cache: ConnectionManager, workers: usize) -> anyhow::Result<Self> { Ok(Self) }
//! #     async fn stop(self) -> anyhow::Result<()> { Ok(()) }
//! #     async fn sign_up(&self, name: &str) -> anyhow::Result<i64> { Ok(1) }
//! # }
//! #[itest::fixture(postgres(migrations = "./migrations"), redis, teardown = Api::stop)]
//! async fn api(db: PgPool, cache: ConnectionManager, #[default(2)] workers: usize) -> anyhow::Result<Api> {
//!     Api::start(db, cache, workers).await
//! }
//!
//! #[itest::fixture(api)]
//! async fn ada(api: &Api) -> anyhow::Result<i64> {
//!     api.sign_up("ada").await
//! }
//!
//! #[integration(ada, api(workers = 2))]
//! # #[rustfmt::rstest]
//! async fn a_user_is_stored(ada: i64, api: &Api, db: PgPool) -> sqlx::Result<()> {
//!     // `db` is the api's own database.
//!     sqlx::query("SELECT FROM users WHERE id = $1").bind(ada).fetch_one(&db).await.map(drop)
//! }
//! ```
//!
//! - **Its services are the test's, too.** A test that names a fixture has its services, and the fixtures that it is made of: here
//!   `db` is made of the `postgres` that `api` names. What a test names itself comes first.
//! - **What is equal is there once.** Services and fixtures of a test with equal options are one: `ada`'s `api` is the test's. Named
//!   instances are different: `left = api, right = api` are two of everything.
//! - **The value** is what the function returns, or what is in its `Result`; a type whose name ends in `Result` is taken for one.
//!   Everybody has the same value, by `&T`, or by `T` if that is `Clone`. It owns all that is in it.
//! - **Options** are parameters with `#[default(value)]`, or with `#[option]` if they have none: `api(workers = 4)`. A function may be
//!   generic over the type of an `#[option]`.
//! - **Paths** in its attribute are relative to where the fixture is written: its package, and its own file.
//! - **Side by side**: fixtures that don't need each other are made at the same time. A function that isn't `async` runs where it may
//!   block. Making them counts as the test's time, for its `timeout`.
//! - **Teardown**: `teardown = stop` names a function that takes the value or a reference to it, `async` or not, and returns nothing
//!   or a `Result`. It is called however the test ended, the last fixture first, before the leases end; `Drop` comes after it. Each
//!   has 10 s, or `teardown_timeout = "1m"`. One that fails, panics or takes longer fails the test, and keeps no other from
//!   running. (A thread that blocks can't be given up: only an `async` teardown is.) Where a test that isn't `async` runs on after
//!   its time is over, a value that its thread still has can be taken down by reference alone.
//! - **When one fails**, it says its name; how far each came, and the time that it took, stands under the failing test. One that takes
//!   more than 5 s says so meanwhile.
//! - **With `postgres(transaction)`** a fixture takes `&PgPool`: a `PgConnection` would be the only one there is, and its transaction
//!   ends when it is given back.
//! - **In a fixture of a service of your own**, that service's builder needs a type of its function's name, as a function has no type
//!   that can be named: `type cache = Cache;`. The compiler says "expected type, found function `cache`".
//!
//! Fixtures are looked up as functions are: in `tests/common/mod.rs`, in another crate, re-exported, by a path (`common::api`).
//! A `pub` fixture is made of `pub` fixtures, and its value's type is `pub`.
//!
//! ## Shared ones
//!
//! What is dear to make and harmless to share (a compiled binary, a generated key, a warmed-up model) can be made once:
//!
//! | written | made once | the value |
//! |---|---|---|
//! | `shared` | per process: under nextest that is per test, under `cargo test` per test binary | is `Send + Sync` |
//! | `shared = "run"` | per run, for all its processes and test binaries | is `Serialize + DeserializeOwned` (serde); each test has a copy |
//!
//! ```
//! # use itest::integration;
//! # use std::path::{Path, PathBuf};
//! # fn compile(into: &Path) -> std::io::Result<()> { Ok(()) }
//! /// The program that the tests run, compiled once per run.
//! #[itest::fixture(shared = "run")]
//! fn program(#[folder] folder: &Path) -> std::io::Result<PathBuf> {
//!     compile(folder)?;
//!     Ok(folder.join("program"))
//! }
//!
//! #[integration(program)]
//! # #[rustfmt::rstest]
//! fn it_tells_its_version(program: &PathBuf) {
//!     // ...
//! }
//! ```
//!
//! - **Never for what tests write to**: what one test does to it, all others see. The types don't forbid it; this sentence does.
//! - It is made of options alone, as everything else ends with a test, and is told apart by them: `program(profile = "debug")` is another
//!   one. With `"run"` they are compared by their `Debug` form. Other fixtures may be made of it.
//! - `#[folder]` (with `"run"`) is an empty folder for files, which goes with the supervisor, however that ends.
//! - While one test makes it, the others wait. If that test dies half-way, the next one makes it, in an empty folder. If it can't be
//!   made, all tests of the process or run are told the same.
//! - It isn't taken down: it has no `teardown`, and what a process shares isn't dropped. Nor must it live on the runtime of the test
//!   that made it, which ends with that test.
//!
//! ## For those who know pytest
//!
//! | pytest | here |
//! |---|---|
//! | `@pytest.fixture def api(db): ...` | `#[itest::fixture(postgres)] async fn api(db: PgPool) -> Api` |
//! | `conftest.py` | a module (`tests/common/mod.rs`) or a crate, and `use`: what a name means is said in the file |
//! | `yield api; await api.stop()` | `teardown = Api::stop`, or `Drop` |
//! | `scope="function"` | always: each test has its own |
//! | `scope="session"` | `shared = "run"`, for what can be written as JSON or files; servers are shared without a word, slices never |
//! | `scope="module"`, `"class"` | none; `shared` is the nearest: with a process for each test nothing lives in a module |
//! | `params=[...]` | [rstest](#with-rstest)'s cases, whose values may be options: `api(workers = workers)` |
//! | `@pytest.mark.parametrize` | rstest's `#[case]` and `#[values]` |
//! | `autouse=True` | none: a test says what it has |
//! | `request.param`, factories | options: `#[default(2)] workers: usize` |
//! | `request.addfinalizer` | `teardown`, or a guard in the value |
//! | `request.getfixturevalue` | none: what a test has is known when it is compiled |
//!
//! # Test options
//!
//! | option | meaning | unless given |
//! |---|---|---|
//! | `timeout = "30s"` | how long one attempt may take, once its slices are there | `ITEST_TIMEOUT`, else no limit |
//! | `retries = 2` | how many more attempts a failing test gets, each with slices of its own | 0 |
//! | `retry_delay = "100ms"` | the pause between two attempts | none |
//! | `flavor = "multi_thread"` | the kind of tokio runtime | `"current_thread"` |
//! | `worker_threads = 4` | the threads of a `multi_thread` runtime | one for each core |
//! | `crate = path::to::itest` | where this crate is, if another one re-exports it | found in `Cargo.toml` |
//!
//! ```
//! # use itest::integration;
//! #[integration(redis, timeout = "10s", retries = 1, flavor = "multi_thread", worker_threads = 2)]
//! # #[rustfmt::rstest]
//! async fn a_stream_is_read_by_two(cache: &redis::Client) {
//!     // ...
//! }
//! ```
//!
//! # When a test fails
//!
//! Under its panic or error stand the lines that PostgreSQL logged for this test alone, and a hint where the failure's
//! text shows that a limit of the slice is the cause:
//!
//! ```text
//! ---- itest: roles_are_made failed
//!   error returned from database: permission denied to create role
//!   what postgres logged for this test:
//!     2026-11-24 03:01:48.299 UTC [8497] roles_are_made#410c3068-38@itest_410c3068_s35 ERROR:  permission denied to create role
//!     2026-11-24 03:01:48.299 UTC [8497] roles_are_made#410c3068-38@itest_410c3068_s35 STATEMENT:  CREATE ROLE somebody
//!   hint: roles, settings and other things of the whole server are shared by all tests; for a server of the test's own, where it
//!         is a superuser, write `postgres(dedicated)`
//! ```
//!
//! The test's name is part of its role's name, so it is also in `pg_stat_activity` and, for Redis, in `CLIENT LIST`.
//!
//! With `ITEST_KEEP=10m` the slices of a failed test stay that long, and the command that opens each is shown (for a
//! PostgreSQL of this machine a `psql` that needs no password).
//!
//! # With rstest
//!
//! Above `#[rstest]`, parameters that carry an attribute (`#[case]`, `#[values]`, `#[from]`, `#[future]`, …) are filled
//! by rstest, and all others are injected. A case's value may appear in a service's parentheses. With `retries`, the
//! values must be `Clone`.
//!
//! ```
//! use itest::integration;
//! use rstest::rstest;
//! use sqlx::PgPool;
//!
//! #[integration(postgres)]
//! #[rstest]
//! #[case::letters("ada", 3)]
//! #[case::none("", 0)]
//! async fn lengths(db: &PgPool, #[case] text: &str, #[case] length: i32) -> sqlx::Result<()> {
//!     let found: i32 = sqlx::query_scalar("SELECT length($1)").bind(text).fetch_one(db).await?;
//!     assert_eq!(found, length);
//!     Ok(())
//! }
//! ```
//!
//! Below `#[rstest]` it works, too, if the parameters to inject carry `#[ignore]`; an `async fn` is then to be annotated
//! with [`#[itest::test]`](macro@test), because rstest wants to see an attribute of that name.
//!
//! # Any image, any compose file
//!
//! A container needs no Rust type of its own. A function that returns one is a service, and so is a compose file:
//!
//! ```
//! # use itest::integration;
//! # use sqlx::PgPool;
//! use itest::service::{Compose, Container, compose, container};
//! use itest::wait::http;
//! use itest::{ComposeHandle, ContainerHandle};
//!
//! fn mail() -> Container {
//!     container("mailhog/mailhog", "v1.0.1").ports([1025, 8025]).wait(http(8025, "/"))
//! }
//!
//! fn stack() -> Compose {
//!     compose("docker-compose.test.yml")
//! }
//!
//! #[integration(mail, postgres(migrations = "./migrations"))]
//! # #[rustfmt::rstest]
//! async fn a_new_user_gets_a_mail(mail: &ContainerHandle, db: PgPool) -> anyhow::Result<()> {
//!     let smtp = mail.address(1025)?; // such as 127.0.0.1:49153
//!     // ...
//!     Ok(())
//! }
//!
//! #[integration(stack)]
//! # #[rustfmt::rstest]
//! async fn all_parts_work_together(stack: &ComposeHandle) -> anyhow::Result<()> {
//!     let search = format!("http://{}", stack.address("search", 9200)?);
//!     // ...
//!     Ok(())
//! }
//! ```
//!
//! The options of a container are the methods of [`service::Container`]: ports, environment, arguments, files, and
//! what it has to show before it is ready ([`wait`]). Those of a compose file are the methods of [`service::Compose`].
//!
//! **There are no slices here**: all tests that say the same of a container share it, and see what the others do in it.
//! Where that matters, `mail(dedicated)` is a container of the test's own, and `stack(dedicated)` a whole set. Only what is
//! `dedicated` can be stopped, paused and killed, as the others would lose it, too.
//!
//! A compose file is brought up once in each run, by Docker's own tool, under a project name that no other has. What two
//! runs could fight over is taken out first: `container_name`, the host's side of `ports`, names of networks and
//! volumes, `restart`. Every port under `ports` and `expose` is published on a free port of the loopback interface.
//! Ready is what its health check says; without one, what runs; and of a job, what has ended with success. Everything
//! goes with the supervisor, but for images that were built: they stay, for the next run.
//!
//! # Configuration
//!
//! Tests say what they need; where it comes from is said outside of them, by `ITEST_*` variables or by `itest.toml` next
//! to the workspace's `Cargo.lock`. The README has the table. The most useful ones:
//!
//! | | |
//! |---|---|
//! | `ITEST_POSTGRES_URL=postgres://…` | use that server instead of starting one |
//! | `ITEST_PROVIDER=native` | start processes of this machine, even where there is a container engine |
//! | `ITEST_POSTGRES_BIN=/usr/lib/postgresql/16/bin` | start that one |
//! | `ITEST_POSTGRES_IMAGE=postgis/postgis:17-3.5` | make containers of that image |
//! | `ITEST_KEEP=10m` | keep the data of failed tests |
//! | `ITEST_LINGER=10m` | keep servers warm between runs; `0` ends them at once |
//!
//! # Defining a service
//!
//! A service is a function that returns a builder, and the builder implements [`service::Service`]; what makes, grants
//! and recycles slices in the supervisor implements [`service::Slices`]. Here is a whole one: memcached, in which a slice
//! is a prefix of keys.
//!
//! ```
//! use itest::provider::{Endpoint, Program, Recipe};
//! use itest::service::{LeaseName, Placement, Recycled, Service, Slices, TestContext, Used};
//! use itest::{Context, Result, Url, integration};
//! use tokio::net::TcpStream;
//!
//! /// What the attribute calls.
//! fn memcached() -> Memcached {
//!     Memcached::default()
//! }
//!
//! #[derive(Clone, Default)]
//! struct Memcached {
//!     placement: Placement,
//!     megabytes: Option<u32>,
//! }
//!
//! itest::options!(Memcached { dedicated, docker, native, external });
//!
//! impl Memcached {
//!     /// `megabytes = 16`
//!     fn megabytes(mut self, megabytes: u32) -> Self {
//!         self.megabytes = Some(megabytes);
//!         self
//!     }
//! }
//!
//! impl Service for Memcached {
//!     const NAME: &'static str = "memcached";
//!     const CODE: &'static str = itest::code!(); // So that no test is served by yesterday's code.
//!     type ServerSpec = u32; // What shapes the server: equal values share one.
//!     type SliceSpec = (); // What shapes the slice.
//!     type Grant = (String, String); // What a test needs to know: here the address and its prefix.
//!     type Slices = Prefixes;
//!
//!     fn placement(&self) -> &Placement {
//!         &self.placement
//!     }
//!
//!     fn specs(&self, _: &TestContext) -> Result<(u32, ())> {
//!         Ok((self.megabytes.unwrap_or(64), ()))
//!     }
//!
//!     /// As a process of this machine, and in a container.
//!     fn recipe(megabytes: &u32) -> Recipe {
//!         let megabytes = *megabytes;
//!         let program = Program::new("memcached").install("install it: `apt-get install memcached`");
//!         Recipe::listening(program, "memcached:1.6", 11211, move |at| {
//!             let words = format!("-l {} -p {} -m {megabytes}", at.host, at.port);
//!             words.split(' ').map(str::to_owned).collect()
//!         })
//!     }
//!
//!     /// Tried until it succeeds: it is the readiness probe, too.
//!     async fn connect(_: &u32, endpoint: &Endpoint) -> Result<Prefixes> {
//!         let address = endpoint.address()?;
//!         TcpStream::connect(&address).await.context(|| "failed to connect")?;
//!         Ok(Prefixes { address })
//!     }
//!
//!     fn url((address, prefix): &(String, String)) -> Result<String> {
//!         Ok(format!("memcached://{address}/{prefix}"))
//!     }
//! }
//!
//! /// The supervisor's end.
//! struct Prefixes {
//!     address: String,
//! }
//!
//! impl Slices<Memcached> for Prefixes {
//!     type Slice = ();
//!
//!     async fn make(&self, (): &()) -> Result<()> {
//!         Ok(())
//!     }
//!
//!     async fn grant(&self, (): &mut (), (): &(), lease: &LeaseName) -> Result<(String, String)> {
//!         Ok((self.address.clone(), lease.unique.clone())) // No two leases have the same.
//!     }
//!
//!     async fn recycle(&self, (): &mut (), _: Used) -> Result<Recycled> {
//!         Ok(Recycled::Ready) // The next lease has another prefix.
//!     }
//! }
//!
//! #[integration(memcached(megabytes = 16))]
//! # #[rustfmt::rstest]
//! async fn a_value_is_cached(cache: Url<Memcached>) {
//!     // ...
//! }
//! ```
//!
//! It is configured like the others: `ITEST_MEMCACHED_BIN`, `[memcached]` in `itest.toml`. Since only the binaries that
//! declare it know it, it gets a supervisor of its own, which one of those binaries becomes. [`code!`] names the code: a binary
//! built before a change of the package, or of a dependency, has another supervisor than one built after it.
//! `tests/user_defined_service.rs` in the repository is a fuller one, with a client to inject and real recycling.
//!
//! What else a server may need of a provider: a data folder made first ([`Prepare`](provider::Prepare)); further ports
//! ([`NativeRecipe::more_ports`](provider::NativeRecipe::more_ports), [`Endpoint::address_of`](provider::Endpoint::address_of)); its
//! outside address before its container starts, as Kafka does ([`DockerRecipe::advertises`](provider::DockerRecipe::advertises));
//! commands inside its container ([`ContainerPlace::exec`](provider::ContainerPlace::exec)).
//! `tests/user_defined_service/ports.rs` shows them.
//!
//! What else a service can do has traits of its own, which [`Slices::offers`](service::Slices::offers) names:
//! [`Templates`](service::Templates), [`KeptTemplates`](service::KeptTemplates), [`Logs`](service::Logs),
//! [`Clearing`](service::Clearing). What a template is made of are [`Steps`](service::Steps): folders, fixture files and
//! functions, whose names, fingerprints and places are the same for every service, so that a service only says how a file is run.
//! `tests/keyspace` is a service with [templates](#templates).
//!
//! # How it works
//!
//! ```text
//!  cargo nextest run
//!    ├─ test process ──────┐ unix socket, one connection = one lease
//!    ├─ test process ──────┤
//!    └─ test process ──────┴──► supervisor ──► postgres, redis, … (containers, child processes, or URLs)
//! ```
//!
//! `cargo nextest run` runs every test in its own process, so nothing that lives in a process can be shared there.
//! Servers, slices and leases therefore belong to a **supervisor**: a test binary, started once more by the first test
//! that finds none, in a session of its own and with its output in a log file. There is one for each user, workspace and
//! build of the runtime, and one more for each service of your own, or of code that the running one doesn't have. Its socket, lock, log and state lie in a
//! folder of mode 0700, `ITEST_DIR`. It ends when no lease is open, the cargo or nextest process that its tests belonged
//! to is gone, and it has lingered.
//!
//! **The life of a test:**
//! 1. Load the configuration. Connect to the supervisor, or start it.
//! 2. Ask each supervisor for all its slices in one message. Missing servers are started side by side, each once, however
//!    many tests ask.
//! 3. If a template is missing, build it, or wait for the test that does.
//! 4. Inject each parameter, and run the body under its timeout.
//! 5. If it failed, collect the diagnosis before the slices go.
//! 6. End the lease. The supervisor recycles the slices in the background: no test waits for another one's cleaning.
//!
//! **Why nothing is left behind:** a lease is a connection, so the kernel ends it with the test, however the test ends.
//! Servers carry the parent-death signal, so they end with the supervisor. A small shell process, the janitor, waits for
//! the supervisor's end and removes its folders and its containers. And each supervisor that starts first removes what dead
//! ones left on this machine, and on the container engine and the external servers that it uses: containers, networks and
//! volumes carry labels that say whose they are, and only what belonged to a process of this machine that is dead is taken.
//!
//! A supervisor whose binary was rebuilt takes no more tests and ends with its last lease; the next test starts
//! another.
//!
//! # Limits
//!
//! - Unix only. On systems other than Linux there is no parent-death signal: the janitor ends the servers.
//! - In a container, a server's data is in memory: what the image declares as a volume is a `tmpfs` there.
//! - `compose` needs Docker's compose tool on this machine, and what its file mounts must be where the engine is.
//! - Servers are tuned for data that nobody will miss: nothing of them survives a crash, by intent. PostgreSQL runs
//!   without fsync and autovacuum, with `wal_level = minimal`; `settings(…)` comes last and wins.
//! - What belongs to a whole server can't be sliced: roles, `ALTER SYSTEM`, tablespaces, Redis' pub/sub channels and
//!   settings. Use `dedicated`.
//! - A test harness of your own must know libtest's `--exact NAME --nocapture --include-ignored`. With one that doesn't,
//!   the supervisor lives within the process of the first test, and ends with it.
//! - With an external PostgreSQL whose user is not a superuser, all tests log in as that user: `psql` of one test could open
//!   the database of another, if it knew its name.

// The attribute's expansion names this crate by `::itest`, also in its own tests.
extern crate self as itest;

pub use itest_macros::{code, fixture, integration, test};
pub use itest_runtime::{Context, Error, Inject, Lease, Result, Url, options, provider, spec, wall};

#[cfg(feature = "docker")]
pub use itest_runtime::compose::ComposeHandle;
#[cfg(feature = "docker")]
pub use itest_runtime::container::{ContainerHandle, wait};
#[cfg(feature = "docker")]
pub use itest_runtime::provider::ExecOutput;

/// What it takes to be a service, and the services there are.
pub mod service {
    pub use itest_runtime::service::*;
    #[cfg(feature = "docker")]
    pub use itest_runtime::{
        compose::{self, Compose, compose},
        container::{self, Container, container},
    };

    #[cfg(feature = "testing")]
    pub use itest_testing as testing;

    #[cfg(feature = "mysql")]
    pub use itest_mysql::{self as mysql, MariaDb, mariadb};
    #[cfg(feature = "nats")]
    pub use itest_nats::{self as nats, Nats, nats};
    #[cfg(feature = "postgres")]
    pub use itest_postgres::{self as postgres, Postgres, postgres};
    #[cfg(feature = "redis")]
    pub use itest_redis::{self as redis, Redis, redis};
}

/// What the attribute's expansion names. Not for anybody else.
#[doc(hidden)]
pub mod __private {
    pub use itest_runtime::__private::*;

    /// The drivers of all services in [`crate::service`]: what every supervisor of this build can run.
    pub fn linked() -> Vec<Driver> {
        let services = [
            #[cfg(feature = "mysql")]
            Driver::of(itest_mysql::mariadb),
            #[cfg(feature = "nats")]
            Driver::of(itest_nats::nats),
            #[cfg(feature = "postgres")]
            Driver::of(itest_postgres::postgres),
            #[cfg(feature = "redis")]
            Driver::of(itest_redis::redis),
        ];
        services.into_iter().chain(own_drivers()).collect()
    }

    /// The names of the services that stand in an attribute without a path: of the functions, and of their types, by which a
    /// fixture says what it is made of.
    #[allow(non_camel_case_types, reason = "a type goes by the name of its function")]
    pub mod builtin {
        #[cfg(feature = "docker")]
        pub use itest_runtime::{compose::compose, container::container};

        #[cfg(feature = "mysql")]
        pub use itest_mysql::mariadb;
        #[cfg(feature = "nats")]
        pub use itest_nats::nats;
        #[cfg(feature = "postgres")]
        pub use itest_postgres::postgres;
        #[cfg(feature = "redis")]
        pub use itest_redis::redis;

        #[cfg(feature = "docker")]
        pub type compose = itest_runtime::compose::Compose;
        #[cfg(feature = "docker")]
        pub type container = itest_runtime::container::Container;
        #[cfg(feature = "mysql")]
        pub type mariadb = itest_mysql::MariaDb;
        #[cfg(feature = "nats")]
        pub type nats = itest_nats::Nats;
        #[cfg(feature = "postgres")]
        pub type postgres = itest_postgres::Postgres;
        #[cfg(feature = "redis")]
        pub type redis = itest_redis::Redis;
    }
}
