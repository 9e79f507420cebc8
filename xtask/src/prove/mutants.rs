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

const PLAN: &str = "services/postgres/src/recycle/plan.rs";
const COUNTS: &str = "services/postgres/src/recycle/counts.rs";
const LOOK: &str = "services/postgres/src/recycle/look.rs";
const RESTORE: &str = "services/postgres/src/recycle/restore.rs";
const TEMPLATE: &str = "services/postgres/src/recycle/template.rs";
const SEEDS: &str = "services/postgres/src/recycle/seeds.rs";
const RECYCLE: &str = "services/postgres/src/recycle/mod.rs";
const BRING_BACK: &str = "services/postgres/src/slices/bring_back.rs";

pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "updates are not looked at",
        COUNTS,
        "if live == known && committed <= self.inserted",
        "if self.deleted == 0 && committed <= self.inserted + self.updated",
    ),
    mutant(
        "deletes are not looked at",
        COUNTS,
        "_ if self.updated + self.deleted == 0",
        "_ if self.updated == 0",
    ),
    mutant(
        "what was committed is not looked at",
        COUNTS,
        "Some(0) => Stayed::Nothing",
        "Some(_) => Stayed::Nothing",
    ),
    mutant(
        "what ANALYZE says is believed",
        COUNTS,
        "self.committed.filter(|_| self.estimated == 0)",
        "self.committed.filter(|_| true)",
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
        "let mut more = *new;",
        "let mut more = 0;",
    ),
    mutant(
        "rows of catalogs are not counted",
        PLAN,
        "if rows - more != expected {",
        "if false && rows - more != expected {",
    ),
    mutant(
        "rows of pg_class are not compared",
        PLAN,
        "if !only_rewritten {",
        "if false && !only_rewritten {",
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
        "new rows of a large table are looked for at its end alone",
        RESTORE,
        "if deleted != *rows {",
        "if deleted > *rows {",
    ),
    mutant(
        "what came to the schema is believed to be gone",
        RECYCLE,
        "            planned = self.plan(connection, template, &seen).await?;\n",
        "            planned = Plan::Restore(plan::Restoration::default());\n",
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
        BRING_BACK,
        "\"BEGIN; ALTER ROLE {} RENAME TO {}; COMMIT\"",
        "\"BEGIN; COMMENT ON ROLE {} IS NULL; COMMIT; SELECT 1 AS {} LIMIT 0\"",
    ),
];
