//! Mistakes that recycling could make, each of which must make a random program fail.

pub(super) struct Mutant {
    pub(super) name: &'static str,
    pub(super) file: &'static str,
    pub(super) good: &'static str,
    pub(super) bad: &'static str,
}

const fn mutant(name: &'static str, file: &'static str, good: &'static str, bad: &'static str) -> Mutant {
    Mutant { name, file, good, bad }
}

const PLAN: &str = "itest-runtime/src/service/postgres/recycle/plan.rs";
const LOOK: &str = "itest-runtime/src/service/postgres/recycle/look.rs";
const RESTORE: &str = "itest-runtime/src/service/postgres/recycle/restore.rs";
const TEMPLATE: &str = "itest-runtime/src/service/postgres/recycle/template.rs";
const SEEDS: &str = "itest-runtime/src/service/postgres/recycle/seeds.rs";
const RECYCLE: &str = "itest-runtime/src/service/postgres/recycle/mod.rs";
const SLICES: &str = "itest-runtime/src/service/postgres/slices/mod.rs";

pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "updates are not looked at",
        PLAN,
        "since.updated + since.deleted == 0",
        "since.deleted == 0",
    ),
    mutant(
        "deletes are not looked at",
        PLAN,
        "since.updated + since.deleted == 0",
        "since.updated == 0",
    ),
    mutant(
        "sequences stay",
        PLAN,
        "                restoration.sequences.push(*oid);\n",
        "",
    ),
    mutant(
        "new rows of catalogs are not looked at",
        PLAN,
        "    if *new == 0 {\n        Catalog::Unchanged\n    } else {\n        Catalog::Changed",
        "    if *new >= 0 {\n        Catalog::Unchanged\n    } else {\n        Catalog::Changed",
    ),
    mutant(
        "rows of catalogs are not counted",
        PLAN,
        "if *rows != expected {",
        "if *rows < 0 {",
    ),
    mutant(
        "rows of pg_class are not compared",
        PLAN,
        "        return if only_rewritten {",
        "        return if only_rewritten || true {",
    ),
    mutant(
        "a truncated table stays empty",
        PLAN,
        "Some(Kind::Table { .. }) => restoration.tables.push((oid, How::Refill)),",
        "Some(Kind::Table { .. }) => {}",
    ),
    mutant(
        "settings and rights are not looked at",
        PLAN,
        "if !contract.holds(&seen.terms) {",
        "if false && !contract.holds(&seen.terms) {",
    ),
    mutant(
        "a reset of counters is not noticed",
        LOOK,
        "pg_stat_get_db_stat_reset_time(d.oid),",
        "",
    ),
    mutant(
        "other sessions are not ended",
        LOOK,
        "count(CASE WHEN (datid = {} OR usesysid = {}) AND pid <> pg_backend_pid()",
        "count(CASE WHEN (datid = {} OR usesysid = {}) AND pid < 0",
    ),
    mutant(
        "triggers fire while rows are put back",
        LOOK,
        "SET session_replication_role = replica",
        "SELECT 1",
    ),
    mutant(
        "what inherits is deleted, too",
        RESTORE,
        "DELETE FROM ONLY {name}{condition}",
        "DELETE FROM {name}{condition}",
    ),
    mutant(
        "rows that were put back count as new",
        RECYCLE,
        "            self.contract.horizon = horizon;\n",
        "            let _ = horizon;\n",
    ),
    mutant(
        "triggers that always fire are not looked for",
        TEMPLATE,
        "t.tgenabled IN ('A', 'R')",
        "t.tgenabled IN ('X')",
    ),
    mutant(
        "generated columns are believed",
        SEEDS,
        "differ.await.unwrap_or(true)",
        "differ.await.unwrap_or(true) && false",
    ),
    mutant(
        "the last lease's clients get in",
        SLICES,
        "\"BEGIN; ALTER ROLE {} RENAME TO {}; COMMIT\"",
        "\"BEGIN; COMMENT ON ROLE {} IS NULL; COMMIT; SELECT 1 AS {} LIMIT 0\"",
    ),
];
