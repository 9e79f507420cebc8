//! A database that was used and recycled is the template's exact content again, whatever was done to it.

#[path = "recycling/content.rs"]
mod content;
#[path = "recycling/layers.rs"]
mod layers;
#[path = "recycling/program.rs"]
mod program;
#[path = "recycling/workbench.rs"]
mod workbench;

use anyhow::Context as _;
use std::cell::RefCell;

use content::pg_dump;
use itest::service::Postgres;
use itest::{Url, integration};
use layers::LayerBench;
use program::{Layers, Program, by_one, layers, programs};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Runtime;
use workbench::Workbench;

/// A number that `cargo xtask prove` sets.
fn number(name: &str, otherwise: u32) -> u32 {
    let asked = std::env::var(name).ok();
    asked.map_or(otherwise, |count| {
        count.parse().unwrap_or_else(|_| panic!("{name} is no number: {count}"))
    })
}

/// A bench on this server.
fn bench(url: &Url<Postgres>) -> anyhow::Result<(Runtime, Workbench)> {
    let pg_dump = pg_dump().context("no pg_dump was found")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bench = runtime.block_on(Workbench::new(url.as_str(), pg_dump))?;
    Ok((runtime, bench))
}

#[integration(postgres(dedicated, settings("max_prepared_transactions = 8")), timeout = "6h")]
#[needs::pg_dump]
fn random_programs_leave_nothing(url: Url<Postgres>) -> anyhow::Result<()> {
    let (runtime, mut bench) = bench(&url)?;
    let config = Config {
        cases: number("RECYCLING_PROGRAMS", 300),
        failure_persistence: None,
        max_shrink_iters: number("RECYCLING_SHRINK", 400),
        ..Config::default()
    };
    let cell = RefCell::new(&mut bench);
    let ended = TestRunner::new(config).run(&programs(), |program: Program| {
        runtime
            .block_on(cell.borrow_mut().check(&program))
            .map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    eprintln!(
        "{} databases were recycled, {} made again",
        bench.recycled, bench.rebuilt
    );
    ended.map_err(|failure| anyhow::anyhow!("{failure}"))?;
    assert!(bench.recycled > bench.rebuilt, "little is recycled, and little proved");
    Ok(())
}

/// Fixture files come to the same whether they are run for each test, in a template upon the base's or in one from nothing.
#[integration(postgres(dedicated, settings("max_prepared_transactions = 8")), timeout = "6h")]
#[needs::pg_dump]
fn random_layers_come_to_the_same_in_each_way(url: Url<Postgres>) -> anyhow::Result<()> {
    let pg_dump = pg_dump().context("no pg_dump was found")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut bench = runtime.block_on(LayerBench::new(url.as_str(), pg_dump))?;
    let config = Config {
        cases: number("RECYCLING_LAYERS", 20),
        failure_persistence: None,
        max_shrink_iters: number("RECYCLING_SHRINK", 400),
        ..Config::default()
    };
    let cell = RefCell::new(&mut bench);
    let ended = TestRunner::new(config).run(&layers(), |layers: Layers| {
        runtime
            .block_on(cell.borrow_mut().check(&layers))
            .map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    eprintln!(
        "{} lists of fixture files ran, {} failed in each way; {} databases were recycled, {} made again",
        bench.ran, bench.failed, bench.recycled, bench.rebuilt
    );
    ended.map_err(|failure| anyhow::anyhow!("{failure}"))
}

/// Programs that once left something, and those whose database must be recycled rather than made again.
macro_rules! programs {
    ($($name:ident: $expected:ident, $statements:expr;)*) => { $(
        #[integration(postgres(dedicated, settings("max_prepared_transactions = 8")))]
        #[needs::pg_dump]
        fn $name(url: Url<Postgres>) -> anyhow::Result<()> {
            let (runtime, mut bench) = bench(&url)?;
            // Twice: the second lease finds what the first one's recycling has left.
            for _ in 0..2 {
                runtime.block_on(bench.check(&by_one(&$statements)))?;
            }
            assert_eq!(bench.$expected, 2, "{} recycled, {} made again", bench.recycled, bench.rebuilt);
            Ok(())
        }
    )* };
}

programs! {
    nothing_at_all_is_recycled: recycled, ["SELECT 1"];
    rows_of_every_kind_of_table_are_recycled: recycled, [
        "UPDATE plain SET note = note || '!'",
        "DELETE FROM identified; INSERT INTO identified (price) VALUES (1)",
        "UPDATE kinds SET f = 2; DELETE FROM parted; UPDATE parent SET note = 'x'; DELETE FROM fleeting",
        "UPDATE guarded SET owner = 'x'; DELETE FROM watched; UPDATE ruled SET note = 'x'; DELETE FROM bulky",
        "SELECT nextval('used'), setval('loose', 11, false)",
    ];
    rolled_back_schema_changes_are_recycled: recycled, [
        "BEGIN", "CREATE TABLE made (id serial PRIMARY KEY)", "ALTER TABLE plain DROP COLUMN at", "TRUNCATE plain CASCADE", "ROLLBACK",
    ];
    a_client_that_holds_its_own_role_is_ended: recycled, ["BEGIN", "ALTER ROLE CURRENT_USER PASSWORD 'changed'"];
    temporary_tables_are_recycled: recycled, ["CREATE TEMP TABLE t AS SELECT * FROM plain", "CREATE TEMP TABLE u (id serial)"];
    a_truncated_table_is_recycled: recycled, [
        "INSERT INTO plain (note) VALUES ('x')", "TRUNCATE plain, empty RESTART IDENTITY", "INSERT INTO plain (note) VALUES ('y')",
    ];
    an_analyzed_table_is_recycled: recycled, ["DELETE FROM plain WHERE id > 3", "ANALYZE plain"];
    a_stale_generated_column_needs_another_database: rebuilt, ["DELETE FROM stale"];
    what_inherits_stays_when_its_parent_is_restored: recycled, ["DELETE FROM ONLY parent"];
    a_rewritten_table_is_recycled: recycled, ["UPDATE plain SET note = 'x' || id", "VACUUM FULL plain", "REINDEX TABLE kinds"];
    counters_that_were_reset_are_not_believed: rebuilt, ["DELETE FROM plain", "vanish", "reset counters"];
    an_array_is_restored_whatever_the_database_sets: recycled, ["UPDATE listed SET id = id + 1"];
    a_check_that_writes_needs_another_database: rebuilt, ["DELETE FROM checked"];
    a_check_that_writes_by_another_function_needs_another_database: rebuilt, ["DELETE FROM wrapped"];
    a_trigger_that_always_fires_needs_another_database: rebuilt, ["DELETE FROM stubborn"];
    a_granted_right_needs_another_database: rebuilt, ["GRANT INSERT ON plain TO PUBLIC"];
    a_right_that_was_taken_back_needs_another_database: rebuilt, ["REVOKE SELECT ON plain FROM PUBLIC"];

    what_was_only_added_to_the_schema_is_dropped: recycled, [
        "CREATE TABLE made (id serial PRIMARY KEY, note text DEFAULT 'x', m mood, long text)", "INSERT INTO made (note) VALUES ('x')",
        "CREATE SCHEMA more CREATE TABLE t (id int REFERENCES public.plain, p point3) CREATE VIEW v AS SELECT * FROM t",
        "CREATE TYPE colour AS ENUM ('red'); CREATE TYPE pair AS (a colour, b int); CREATE DOMAIN small AS int CHECK (VALUE < 9)",
        "CREATE FUNCTION paint(colour) RETURNS setof made LANGUAGE sql AS 'SELECT * FROM made'; CREATE VIEW painted AS SELECT * FROM paint('red')",
        "CREATE MATERIALIZED VIEW seen AS SELECT * FROM plain; CREATE INDEX ON seen (note); CREATE SEQUENCE steps",
        "UPDATE plain SET note = note || '!'; TRUNCATE parted; INSERT INTO made (note) SELECT note FROM plain; ANALYZE made",
        "CREATE TEMP TABLE brief (m colour); DROP TABLE more.t CASCADE; GRANT SELECT ON made TO PUBLIC; COMMENT ON TABLE made IS 'x'",
    ];
    what_was_counted_before_an_analyze_is_not_forgotten: recycled, ["UPDATE plain SET note = note || '!'", "vanish", "ANALYZE plain"];
    an_index_that_was_added_needs_another_database: rebuilt, ["CREATE TABLE made ()", "CREATE INDEX ON columnless ((1))"];
    a_function_that_was_replaced_needs_another_database: rebuilt, [
        "CREATE TABLE made ()", "CREATE OR REPLACE FUNCTION quiet(text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true'",
    ];
    new_rows_of_a_large_table_are_deleted: recycled, [
        "INSERT INTO vast SELECT g, repeat(md5(g::text), 16) FROM generate_series(5000, 5100) AS g",
        "BEGIN", "INSERT INTO vast VALUES (4000, 'x')", "SAVEPOINT s", "INSERT INTO vast VALUES (4001, 'x')", "ROLLBACK TO SAVEPOINT s", "COMMIT",
    ];
    rows_of_a_large_table_that_were_rolled_back_are_no_change: recycled, [
        "BEGIN", "INSERT INTO vast VALUES (4000, 'x')", "ROLLBACK", "BEGIN", "TRUNCATE vast", "INSERT INTO vast VALUES (1, 'x')", "ROLLBACK",
    ];
    changes_that_were_rolled_back_are_none: recycled, [
        "BEGIN", "UPDATE vast SET body = 'x'", "DELETE FROM plain CASCADE", "INSERT INTO stubborn VALUES (7, 'x')", "DELETE FROM stale",
        "ROLLBACK", "INSERT INTO vast VALUES (4000, 'x')", "BEGIN", "UPDATE vast SET body = 'y' WHERE id < 9", "SAVEPOINT s",
        "DELETE FROM vast WHERE id < 100", "ROLLBACK TO SAVEPOINT s", "ROLLBACK",
    ];
    as_many_new_rows_as_old_ones_went_are_no_new_rows_alone: recycled, [
        "INSERT INTO vast SELECT g, 'x' FROM generate_series(4000, 4009) AS g", "DELETE FROM vast WHERE id < 6",
        "UPDATE vast SET body = 'changed' WHERE id BETWEEN 10 AND 14",
    ];
    a_large_table_is_filled_again: recycled, [
        "INSERT INTO vast VALUES (4000, 'x')", "DELETE FROM vast WHERE id > 2400", "VACUUM vast", "INSERT INTO vast VALUES (4001, 'x')",
    ];

    a_schema_change_needs_another_database: rebuilt, ["ALTER TABLE plain ADD COLUMN more int"];
    a_database_that_was_made_a_template_goes: rebuilt, [
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I IS_TEMPLATE true', current_database()); END $$",
    ];
    a_closed_database_with_a_prepared_transaction_goes: rebuilt, [
        "BEGIN", "INSERT INTO plain (note) VALUES ('x')", "PREPARE TRANSACTION 'x'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I ALLOW_CONNECTIONS false', current_database()); END $$",
    ];
}

/// What is known of a template was seen in its first database, and each has an owner of its own.
#[integration(postgres(dedicated, settings("max_prepared_transactions = 8")))]
#[needs::pg_dump]
fn the_second_database_of_a_template_is_recycled_like_the_first(url: Url<Postgres>) -> anyhow::Result<()> {
    let (runtime, mut bench) = bench(&url)?;
    for statement in [
        "ALTER TABLE plain ADD COLUMN more int",
        "TRUNCATE plain, empty",
        "VACUUM FULL plain",
    ] {
        runtime.block_on(bench.check(&by_one(&[statement])))?;
    }
    assert_eq!((bench.recycled, bench.rebuilt), (2, 1));
    Ok(())
}

/// Its pages have room, and only VACUUM tells where: nobody finds it before.
#[integration(postgres(dedicated, settings("max_prepared_transactions = 8")))]
#[needs::pg_dump]
fn new_rows_that_lie_among_the_templates_own_are_found(url: Url<Postgres>) -> anyhow::Result<()> {
    let (runtime, mut bench) = bench(&url)?;
    for statement in [
        "VACUUM vast",
        "INSERT INTO vast SELECT g, repeat('x', 400) FROM generate_series(5001, 5020) AS g",
        "INSERT INTO vast VALUES (4001, repeat('x', 400))",
    ] {
        runtime.block_on(bench.check(&by_one(&[statement])))?;
    }
    assert_eq!((bench.recycled, bench.rebuilt), (3, 0));
    Ok(())
}
