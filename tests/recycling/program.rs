//! Random programs: what several clients might do to one database, at once.

use std::time::Duration;

use proptest::prelude::*;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

type Statements = &'static [(u32, &'static [&'static str])];

/// What clients do with rows, each with how often beside the others; `{a}` and `{b}` stand for small numbers. Much of it fails, as much of
/// what programs do: it is in a transaction that has failed already, meets a row that is there, or is not allowed.
const ROWS: Statements = &[
    (
        50,
        &[
            "INSERT INTO plain (note) VALUES ('new {a}')",
            "INSERT INTO plain (note) SELECT 'many {a} ' || g FROM generate_series(1, {b} * 10) AS g",
            "UPDATE plain SET note = note || '!' WHERE id <= {a}",
            "UPDATE plain SET at = '2000-01-01' WHERE id = {a}",
            "DELETE FROM plain WHERE id = {a}",
            "DELETE FROM plain",
            "INSERT INTO plain (id, note) VALUES ({a}, 'merged') ON CONFLICT (id) DO UPDATE SET note = EXCLUDED.note || '{b}'",
            "INSERT INTO plain (note) VALUES ('seed {a}') ON CONFLICT DO NOTHING",
            "INSERT INTO empty (note, plain_id) SELECT 'x', id FROM plain LIMIT {a}",
            "UPDATE empty SET note = 'y' WHERE id % 2 = 0",
            "DELETE FROM empty WHERE id < {a}",
            "INSERT INTO identified (price, parent) VALUES ({a}, {b})",
            "INSERT INTO identified (price) VALUES ({a}.5)",
            "UPDATE identified SET price = price + 1 WHERE id < 110",
            "DELETE FROM identified WHERE id = 121",
            "INSERT INTO kinds (id, j, n) VALUES (gen_random_uuid(), '{\"a\": {a}}', {b})",
            "UPDATE kinds SET f = 1.0 / 3, a = a || 'z', p = (1, 2, 'q'), m = 'happy' WHERE n > 0",
            "UPDATE kinds SET x = NULL, money = '3.50'",
            "DELETE FROM kinds WHERE f IS NULL",
            "UPDATE bulky SET body = body || repeat('z', 3000) WHERE id = {a} % 4 + 1",
            "INSERT INTO bulky SELECT {a} + 10, repeat(md5('{b}'), 2000)",
            "DELETE FROM bulky WHERE id = 2",
            "INSERT INTO parted VALUES ({a}, 'eu', {b}), ({b}, 'us', {a}), ({a}, 'moon', 1)",
            "UPDATE parted SET region = 'us' WHERE region = 'eu'",
            "UPDATE parted SET amount = amount + {a}",
            "DELETE FROM parted WHERE region <> 'eu'",
            "INSERT INTO parent VALUES ({a}, 'p')",
            "INSERT INTO child VALUES ({a}, 'c', 'e')",
            "UPDATE parent SET note = 'both' WHERE id < 3",
            "DELETE FROM parent",
            "INSERT INTO fleeting VALUES ({a}, 'u')",
            "UPDATE fleeting SET note = 'v'",
            "INSERT INTO guarded VALUES ({a}, 'me')",
            "UPDATE guarded SET owner = 'other'",
            "DELETE FROM guarded",
            "INSERT INTO watched VALUES ({a}, 'w')",
            "UPDATE watched SET note = 'changed' WHERE id < {a}",
            "DELETE FROM watched",
            "INSERT INTO ruled VALUES ({a}, 'r')",
            "UPDATE ruled SET note = 'u'",
            "DELETE FROM ruled",
            "INSERT INTO \"Odd \"\"Name\"\"; --\" VALUES ({a}, 'odd')",
            "DELETE FROM \"Odd \"\"Name\"\"; --\" WHERE \"the \"\"column\"\"\" = 3",
            "INSERT INTO columnless DEFAULT VALUES",
            "INSERT INTO vast VALUES ({a} + 5000, 'new'), ({b} * 100 + 7, repeat('x', 500))",
            "INSERT INTO vast SELECT {a} * 1000 + g, repeat(md5(g::text), 16) FROM generate_series(1, {b}) AS g ON CONFLICT DO NOTHING",
            "UPDATE vast SET body = 'changed' WHERE id = {a}",
            "DELETE FROM vast WHERE id > 5000 OR id = {a}",
            "WITH gone AS (DELETE FROM plain WHERE id < {a} RETURNING id) INSERT INTO audit (what) SELECT id::text FROM gone",
            "MERGE INTO fleeting f USING (VALUES ({a})) AS v(id) ON f.id = v.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN \
             INSERT VALUES (v.id, 'merged')",
            "SELECT count(*) FROM plain, identified",
            "SELECT * FROM plain WHERE id < {a} FOR UPDATE",
            "LOCK TABLE watched IN SHARE MODE",
            "UPDATE notes SET note = 'through a view {a}' WHERE id = {b}",
        ],
    ),
    (
        10,
        &[
            "SELECT nextval('used')",
            "SELECT nextval('loose')",
            "SELECT setval('used', {a})",
            "SELECT setval('loose', 12, false)",
            "SELECT setval('plain_id_seq', {a} + 2000, false)",
            "SELECT nextval('plain_id_seq') FROM generate_series(1, {a})",
            "SELECT setval('empty_id_seq', 1, false)",
            "SELECT last_value FROM used",
        ],
    ),
    (
        24,
        &[
            "BEGIN",
            "BEGIN ISOLATION LEVEL SERIALIZABLE",
            "COMMIT",
            "COMMIT AND CHAIN",
            "ROLLBACK",
            "SAVEPOINT s",
            "ROLLBACK TO SAVEPOINT s",
            "RELEASE SAVEPOINT s",
            "SELECT 1 / 0",
            "SET CONSTRAINTS ALL IMMEDIATE",
        ],
    ),
    (
        7,
        &[
            "TRUNCATE plain CASCADE",
            "TRUNCATE plain, empty RESTART IDENTITY",
            "TRUNCATE identified RESTART IDENTITY",
            "TRUNCATE parted",
            "TRUNCATE parent",
            "TRUNCATE ONLY parent",
            "TRUNCATE watched",
            "TRUNCATE bulky, kinds",
        ],
    ),
    (
        6,
        &[
            "ANALYZE plain",
            "ANALYZE vast",
            "VACUUM vast",
            "VACUUM",
            "VACUUM (FREEZE) plain",
            "VACUUM FULL identified",
            "REINDEX TABLE plain",
            "CHECKPOINT",
        ],
    ),
    (
        6,
        &[
            "CREATE TEMP TABLE t AS SELECT * FROM plain",
            "CREATE TEMP TABLE plain (id int)",
            "DROP TABLE pg_temp.plain",
            "CREATE TEMP SEQUENCE ts",
            "CREATE TEMP VIEW tv AS SELECT * FROM plain",
            "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE TEMP TABLE gone (id serial) ON COMMIT DROP",
        ],
    ),
];

/// What changes more than rows, and mostly leaves nothing but a new clone.
const BEYOND_ROWS: Statements = &[
    (
        8,
        &[
            "INSERT INTO stale VALUES ({a})",
            "DELETE FROM stale WHERE id < {a}",
            "INSERT INTO stubborn VALUES ({a}, 's')",
            "DELETE FROM stubborn",
            "DELETE FROM columnless",
            "TRUNCATE stubborn",
            "TRUNCATE columnless",
            "ANALYZE",
            "CLUSTER plain USING plain_pkey",
            "REFRESH MATERIALIZED VIEW totals",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY totals",
        ],
    ),
    (
        9,
        &[
            "CREATE TABLE made (id serial PRIMARY KEY, note text DEFAULT 'x')",
            "CREATE TABLE made AS SELECT * FROM plain",
            "CREATE TABLE linked (id int PRIMARY KEY REFERENCES plain ON DELETE CASCADE, made serial, m mood)",
            "CREATE TABLE twin (LIKE identified INCLUDING ALL)",
            "CREATE TABLE heir (more int) INHERITS (parent)",
            "CREATE SCHEMA inner{a} CREATE TABLE t (id bigserial PRIMARY KEY, p point3[]) CREATE VIEW v AS SELECT * FROM t",
            "CREATE TYPE c{a} AS (x int, m mood)",
            "CREATE DOMAIN d{a} AS positive CHECK (VALUE < 100)",
            "CREATE AGGREGATE agg{a} (int) (SFUNC = int4pl, STYPE = int)",
            "CREATE PROCEDURE proc{a}(INOUT x plain) LANGUAGE sql AS 'SELECT x'",
            "CREATE TABLE wide{a} AS SELECT * FROM vast; ANALYZE wide{a}",
            "DROP TABLE made",
            "DROP TABLE empty",
            "DROP TABLE IF EXISTS watched CASCADE",
            "CREATE TABLE parted_{a} PARTITION OF parted_us FOR VALUES FROM ({a} * 1000) TO ({a} * 1000 + 1)",
            "ALTER TABLE parted DETACH PARTITION parted_eu",
            "ALTER TABLE plain ADD COLUMN extra int DEFAULT {a}",
            "ALTER TABLE plain DROP COLUMN at",
            "ALTER TABLE plain ALTER note DROP NOT NULL",
            "ALTER TABLE watched DISABLE TRIGGER ALL",
            "ALTER TABLE stubborn DISABLE TRIGGER stubborn_audited",
            "ALTER TABLE watched ENABLE ALWAYS TRIGGER audited",
            "ALTER TABLE fleeting SET LOGGED",
            "ALTER TABLE guarded DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE plain RENAME TO renamed",
            "ALTER TABLE plain SET SCHEMA pg_temp",
            "ALTER TABLE kinds SET (autovacuum_enabled = off)",
            "ALTER TABLE plain ALTER COLUMN note SET STATISTICS 10",
            "ALTER TABLE bulky ALTER COLUMN body SET STORAGE external",
            "ALTER TABLE plain CLUSTER ON plain_pkey",
            "ALTER SEQUENCE used RESTART WITH {a}",
            "ALTER SEQUENCE used INCREMENT {a}",
            "ALTER SEQUENCE loose OWNED BY plain.id",
            "ALTER TYPE mood ADD VALUE 'new {a}'",
            "ALTER DOMAIN positive DROP CONSTRAINT positive_check",
            "CREATE INDEX ON plain (at)",
            "CREATE INDEX CONCURRENTLY ON kinds (f)",
            "DROP INDEX plain_lower_idx",
            "CREATE SCHEMA s{a}",
            "CREATE TYPE t{a} AS ENUM ('a')",
            "CREATE FUNCTION f{a}() RETURNS int LANGUAGE sql AS 'SELECT {b}'",
            "CREATE OR REPLACE FUNCTION write_audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "CREATE VIEW v{a} AS SELECT * FROM plain",
            "CREATE OR REPLACE VIEW notes AS SELECT id, note FROM plain WHERE id < {a}",
            "CREATE MATERIALIZED VIEW mv AS SELECT {a} AS a",
            "CREATE TRIGGER tr AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION write_audit()",
            "CREATE RULE r AS ON INSERT TO plain DO ALSO NOTIFY r",
            "CREATE POLICY pol ON plain USING (id < {a})",
            "CREATE PUBLICATION pub FOR TABLE plain",
            "CREATE COLLATION col FROM \"C\"",
            "CREATE CAST (text AS mood) WITH INOUT",
            "CREATE EXTENSION citext",
            "DROP EXTENSION pg_trgm",
            "DROP STATISTICS plain_stats",
            "COMMENT ON TABLE plain IS 'other {a}'",
            "COMMENT ON TABLE watched IS NULL",
            "COMMENT ON COLUMN plain.id IS 'c'",
            "GRANT SELECT ON plain TO PUBLIC",
            "REVOKE ALL ON plain FROM CURRENT_USER",
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
            "REASSIGN OWNED BY CURRENT_USER TO CURRENT_USER",
            "DO $$ BEGIN CREATE TABLE made (id int); DROP TABLE made; END $$",
            "DO $$ BEGIN CREATE TABLE made (id int); RAISE EXCEPTION 'no'; EXCEPTION WHEN OTHERS THEN NULL; END $$",
        ],
    ),
    (
        4,
        &[
            "SELECT lo_from_bytea({a}, 'bytes')",
            "SELECT lo_put(900001, 3, 'X')",
            "SELECT lo_unlink(900001)",
            "SELECT lo_unlink({a})",
            "GRANT SELECT ON LARGE OBJECT 900001 TO PUBLIC",
        ],
    ),
    (
        5,
        &[
            "SET session_replication_role = replica",
            "SET track_counts = off",
            "SELECT pg_stat_reset()",
            "SELECT pg_stat_reset_single_table_counters('plain'::regclass)",
            "SET ROLE pg_database_owner",
            "RESET ROLE",
            "ALTER ROLE CURRENT_USER SET work_mem = '{a}MB'",
            "ALTER ROLE CURRENT_USER PASSWORD 'changed'",
            "ALTER ROLE CURRENT_USER CONNECTION LIMIT 1",
            "GRANT pg_database_owner TO CURRENT_USER",
            "SELECT pg_advisory_lock({a})",
            "SELECT pg_advisory_xact_lock({b})",
            "LISTEN channel",
            "NOTIFY channel, '{a}'",
            "PREPARE TRANSACTION 'prepared {a}'",
            "COMMIT PREPARED 'prepared {a}'",
            "ROLLBACK PREPARED 'prepared {a}'",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = CURRENT_USER AND pid <> pg_backend_pid()",
        ],
    ),
    (
        2,
        &[
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''{a}MB''', current_database()); END $$",
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT {a}', current_database()); END $$",
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I IS_TEMPLATE true', current_database()); END $$",
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I ALLOW_CONNECTIONS false', current_database()); END $$",
            "DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS ''mine''', current_database()); END $$",
            "DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO PUBLIC', current_database()); END $$",
            "DO $$ BEGIN EXECUTE format('ALTER ROLE %I IN DATABASE %I SET jit = on', current_user, current_database()); END $$",
        ],
    ),
];

/// What a fixture file leaves to its session, and nothing of which the next file finds.
const SESSION: Statements = &[(
    12,
    &[
        "SET search_path = pg_catalog",
        "SET search_path = ''",
        "SET LOCAL work_mem = '{a}MB'",
        "SELECT set_config('itest.own', '{a}', false)",
        "SELECT setseed(0.{a})",
        "INSERT INTO plain (note) SELECT 'found ' || coalesce(current_setting('itest.own', true), 'nothing')",
        "INSERT INTO plain (note) SELECT count(*) || ' temporary' FROM pg_class WHERE relnamespace = pg_my_temp_schema()",
        "INSERT INTO plain (note) SELECT 'in ' || current_schema()",
        "INSERT INTO plain (note) SELECT currval('plain_id_seq')::text",
        "INSERT INTO plain (note) SELECT 'used ' || nextval('used')",
        "INSERT INTO plain (note) SELECT 'of all ' || count(*) FROM plain",
        "INSERT INTO plain (note) SELECT 'by ' || pg_has_role('pg_database_owner', 'usage')",
        "PREPARE it AS SELECT 1",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    ],
)];

/// How many clients there are.
const CLIENTS: usize = 3;

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Run {
        client: usize,
        sql: String,
    },
    /// Rows by COPY.
    Copy {
        client: usize,
        rows: u32,
    },
    /// The client is gone without a word, in the middle of whatever it did.
    Vanish {
        client: usize,
    },
    /// A superuser looks after the server: counters start over.
    ResetCounters,
}

pub(crate) type Program = Vec<Step>;

pub(crate) fn programs() -> impl Strategy<Value = Program> {
    let of = |statements: &[Statements], reset| proptest::collection::vec(step(statements, reset), 1..14);
    prop_oneof![2 => of(&[ROWS], 0), 1 => of(&[ROWS, BEYOND_ROWS], 1)]
}

/// A transaction that is prepared keeps its locks, and the file would wait for itself. Whether a database may be cloned and
/// connected to is its maker's matter: in a template it is what a template's has to be. And a template refuses another password
/// of its role, as it would lock its tests out; a file that is run for a test locks that test out alone.
const NOT_FOR_FILES: &[&str] = &["PREPARE TRANSACTION", "IS_TEMPLATE", "ALLOW_CONNECTIONS", "PASSWORD"];

/// Fixture files, one after the other: what each of them says.
pub(crate) type Layers = Vec<String>;

pub(crate) fn layers() -> impl Strategy<Value = Layers> {
    let statement = statement(&[ROWS, BEYOND_ROWS, SESSION]).prop_filter("not for files", |sql| {
        NOT_FOR_FILES.iter().all(|text| !sql.contains(text))
    });
    let file = proptest::collection::vec(statement, 1..5);
    proptest::collection::vec(file.prop_map(|statements| statements.join(";\n")), 1..4)
}

fn statement(statements: &[Statements]) -> impl Strategy<Value = String> + use<> {
    let groups = statements
        .iter()
        .flat_map(|groups| groups.iter())
        .map(|(weight, statements)| (*weight, proptest::sample::select(*statements).boxed()))
        .collect();
    let statement = proptest::strategy::Union::new_weighted(groups);
    (statement, 1_u32..40, 1_u32..40)
        .prop_map(|(sql, a, b)| sql.replace("{a}", &a.to_string()).replace("{b}", &b.to_string()))
}

fn step(statements: &[Statements], reset: u32) -> impl Strategy<Value = Step> + use<> {
    let run = (0..CLIENTS, statement(statements)).prop_map(|(client, sql)| Step::Run { client, sql });
    prop_oneof![
        60 => run,
        3 => (0..CLIENTS, 1_u32..40).prop_map(|(client, rows)| Step::Copy { client, rows }),
        2 => (0..CLIENTS).prop_map(|client| Step::Vanish { client }),
        reset => Just(Step::ResetCounters),
    ]
}

/// The steps of a program that one client runs, with words for what isn't SQL.
pub(crate) fn by_one(statements: &[&str]) -> Program {
    let step = |sql: &&str| match *sql {
        "vanish" => Step::Vanish { client: 0 },
        "reset counters" => Step::ResetCounters,
        sql => Step::Run {
            client: 0,
            sql: sql.to_owned(),
        },
    };
    statements.iter().map(step).collect()
}

/// Runs a program to its end, and leaves its clients connected, as they are.
pub(crate) async fn run(
    program: &Program,
    options: &PgConnectOptions,
    superuser: &PgConnectOptions,
) -> Vec<PgConnection> {
    let mut clients: [Option<PgConnection>; CLIENTS] = Default::default();
    for step in program {
        match step {
            Step::Run { client, sql } => {
                if let Some(connection) = connected(&mut clients[*client], options).await {
                    let _ = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(connection).await;
                }
            }
            Step::Copy { client, rows } => {
                if let Some(connection) = connected(&mut clients[*client], options).await {
                    copy(connection, *rows).await;
                }
            }
            Step::Vanish { client } => clients[*client] = None,
            Step::ResetCounters => {
                let database = options.get_database().expect("a lease is of one database");
                let reset = async {
                    let mut own = PgConnection::connect_with(&superuser.clone().database(database)).await?;
                    sqlx::raw_sql("SELECT pg_stat_reset()").execute(&mut own).await?;
                    own.close().await
                };
                let _ = reset.await;
            }
        }
    }
    clients.into_iter().flatten().collect()
}

async fn connected<'a>(
    client: &'a mut Option<PgConnection>,
    options: &PgConnectOptions,
) -> Option<&'a mut PgConnection> {
    let usable = match client {
        Some(connection) => connection.ping().await.is_ok(),
        None => false,
    };
    if !usable {
        // Nobody waits for another one's locks for long.
        let opening = "SET lock_timeout = '50ms'; SET statement_timeout = '3s'";
        let connect = async {
            let mut connection = PgConnection::connect_with(options).await?;
            sqlx::raw_sql(opening).execute(&mut connection).await?;
            Ok::<_, sqlx::Error>(connection)
        };
        *client = tokio::time::timeout(Duration::from_secs(5), connect).await.ok()?.ok();
    }
    client.as_mut()
}

async fn copy(connection: &mut PgConnection, rows: u32) {
    let Ok(mut copy) = connection.copy_in_raw("COPY audit (what) FROM STDIN").await else {
        return;
    };
    let lines: String = (0..rows).map(|row| format!("copied {row}\n")).collect();
    let _ = copy.send(lines.as_bytes()).await;
    let _ = copy.finish().await;
}
