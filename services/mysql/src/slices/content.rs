//! What is in a template, as statements that make a copy of it.
//!
//! MariaDB copies no databases. What `SHOW CREATE …` says is run once more in the new one, and rows are copied from table to table
//! on the server. A template's user has the template's name, as every slice's has its slice's, so that one name is to be replaced:
//! in the definers of views, routines, triggers and events, and where the server writes the database before a table.

use std::collections::HashMap;

use itest_runtime::{Context, Result};
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use crate::admin::{Admin, ident, literal};
use crate::failed;

/// What is in a database.
#[derive(Debug)]
pub(super) struct Content {
    database: String,
    /// The database's own character set and collation.
    characters: String,
    /// One batch: tables and sequences.
    tables: String,
    /// Routines, then views in an order in which each finds what it needs.
    before: Vec<Object>,
    /// One batch: rows, and where sequences stand.
    rows: String,
    /// Triggers, which must not see the rows come, and events.
    after: Vec<Object>,
}

/// What is made by one statement, in a session that is set as its maker's was.
#[derive(Debug)]
struct Object {
    session: String,
    statement: String,
}

const WANTED: &str = "failed to look what is in a template";

impl Content {
    pub(super) fn database(&self) -> &str {
        &self.database
    }

    pub(super) fn characters(&self) -> &str {
        &self.characters
    }

    /// Reads what is in a database that nobody changes any more.
    pub(super) async fn read(admin: &Admin, database: &str) -> Result<Self> {
        let mut reader = Reader {
            connection: &mut *admin.acquire().await?,
            database,
        };
        let characters = reader
            .rows("SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?")
            .await?;
        let characters = match characters.first() {
            Some(row) => format!("CHARACTER SET {} COLLATE {}", text(row, 0)?, text(row, 1)?),
            None => String::new(),
        };
        let (tables, rows) = reader.tables().await?;
        let mut before = reader.routines().await?;
        before.extend(reader.views().await?);
        let mut after = reader.triggers().await?;
        after.extend(reader.events().await?);
        Ok(Self {
            database: database.to_owned(),
            characters,
            tables,
            before,
            rows,
            after,
        })
    }

    /// Makes all of it in a database that is empty.
    pub(super) async fn copy_to(&self, admin: &Admin, database: &str) -> Result<()> {
        let mut connection = admin.acquire().await?;
        let renamed = |statement: &str| statement.replace(&self.database, database);
        let copied = async {
            let here = format!("USE {}; SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';", ident(database));
            run(&mut connection, format!("{here} {}", renamed(&self.tables))).await?;
            for object in &self.before {
                object.make(&mut connection, &renamed).await?;
            }
            // What is copied from keeps its name.
            let rows = self.rows.replace(TARGET, &ident(database));
            run(
                &mut connection,
                format!("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; {rows}"),
            )
            .await?;
            for object in &self.after {
                object.make(&mut connection, &renamed).await?;
            }
            Ok(())
        };
        let copied = copied
            .await
            .map_err(|error| failed("failed to copy a template", &error));
        // The session was set for what it made.
        let _ = connection.close().await;
        copied
    }
}

/// Stands for the copy in statements that name the template, too.
const TARGET: &str = "<the copy>";

impl Object {
    async fn make(&self, connection: &mut MySqlConnection, renamed: &impl Fn(&str) -> String) -> sqlx::Result<()> {
        run(connection, self.session.clone()).await?;
        // It may hold semicolons of its own.
        run(connection, renamed(&self.statement)).await
    }
}

async fn run(connection: &mut MySqlConnection, sql: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

/// Names may come as bytes.
fn text(row: &MySqlRow, column: usize) -> Result<String> {
    let text = row.try_get::<String, _>(column).or_else(|_| {
        row.try_get::<Vec<u8>, _>(column)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    });
    text.context(|| WANTED)
}

struct Reader<'a> {
    connection: &'a mut MySqlConnection,
    database: &'a str,
}

impl Reader<'_> {
    /// What a query says of the database, which is its one parameter.
    async fn rows(&mut self, query: &'static str) -> Result<Vec<MySqlRow>> {
        let rows = sqlx::query(query)
            .bind(self.database)
            .fetch_all(&mut *self.connection)
            .await;
        rows.context(|| WANTED)
    }

    /// The row that `SHOW CREATE` answers with.
    async fn shown(&mut self, kind: &str, name: &str) -> Result<MySqlRow> {
        let show = format!("SHOW CREATE {kind} {}.{}", ident(self.database), ident(name));
        let shown = sqlx::raw_sql(AssertSqlSafe(show))
            .fetch_one(&mut *self.connection)
            .await;
        shown.context(|| WANTED)
    }

    async fn value<T>(&mut self, query: String) -> Result<T>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::MySql> + sqlx::Type<sqlx::MySql>,
    {
        let row = sqlx::raw_sql(AssertSqlSafe(query))
            .fetch_one(&mut *self.connection)
            .await;
        row.and_then(|row| row.try_get(0)).context(|| WANTED)
    }

    /// Statements that make tables and sequences, and those that fill them.
    async fn tables(&mut self) -> Result<(String, String)> {
        let columns = self
            .rows(
                "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS
                 WHERE TABLE_SCHEMA = ? AND COALESCE(GENERATION_EXPRESSION, '') = '' ORDER BY TABLE_NAME, ORDINAL_POSITION",
            )
            .await?;
        let mut stored: HashMap<String, Vec<String>> = HashMap::new();
        for row in &columns {
            stored.entry(text(row, 0)?).or_default().push(ident(&text(row, 1)?));
        }
        let tables = self
            .rows(
                "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES
                 WHERE TABLE_SCHEMA = ? AND TABLE_TYPE <> 'VIEW' ORDER BY TABLE_NAME",
            )
            .await?;
        let (mut made, mut filled) = (String::new(), String::new());
        for row in &tables {
            let (name, kind) = (text(row, 0)?, text(row, 1)?);
            let (from, to) = (
                format!("{}.{}", ident(self.database), ident(&name)),
                format!("{TARGET}.{}", ident(&name)),
            );
            if kind == "SEQUENCE" {
                let shown = self.shown("SEQUENCE", &name).await?;
                made.push_str(&format!("{};\n", text(&shown, 1)?));
                let next: i64 = self.value(format!("SELECT next_not_cached_value FROM {from}")).await?;
                filled.push_str(&format!("DO SETVAL({to}, {next}, 0);\n"));
                continue;
            }
            let shown = self.shown("TABLE", &name).await?;
            made.push_str(&format!("{};\n", text(&shown, 1)?));
            let has_rows: i64 = self.value(format!("SELECT EXISTS(SELECT 1 FROM {from})")).await?;
            if let Some(columns) = stored.get(&name).filter(|_| has_rows == 1) {
                let columns = columns.join(", ");
                filled.push_str(&format!("INSERT INTO {to} ({columns}) SELECT {columns} FROM {from};\n"));
            }
        }
        Ok((made, filled))
    }

    async fn routines(&mut self) -> Result<Vec<Object>> {
        let routines = self
            .rows(
                "SELECT ROUTINE_NAME, ROUTINE_TYPE, SQL_MODE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION
                 FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ? ORDER BY ROUTINE_TYPE, ROUTINE_NAME",
            )
            .await?;
        let mut made = Vec::new();
        for row in &routines {
            let shown = self.shown(&text(row, 1)?, &text(row, 0)?).await?;
            made.push(Object {
                session: session(&text(row, 2)?, &text(row, 3)?, &text(row, 4)?),
                statement: text(&shown, 2)?,
            });
        }
        Ok(made)
    }

    async fn views(&mut self) -> Result<Vec<Object>> {
        let views = self
            .rows(
                "SELECT TABLE_NAME, VIEW_DEFINITION, CHARACTER_SET_CLIENT, COLLATION_CONNECTION
                 FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ? ORDER BY TABLE_NAME",
            )
            .await?;
        let mut waiting = Vec::new();
        for row in &views {
            let name = text(row, 0)?;
            let shown = self.shown("VIEW", &name).await?;
            let view = Object {
                session: session("", &text(row, 2)?, &text(row, 3)?),
                statement: text(&shown, 1)?,
            };
            waiting.push((name, text(row, 1)?, view));
        }
        let database = ident(self.database);
        let mut made = Vec::new();
        while !waiting.is_empty() {
            // The server writes the whole name of each view that a view needs.
            let names: Vec<String> = waiting
                .iter()
                .map(|(name, ..)| format!("{database}.{}", ident(name)))
                .collect();
            let ready = waiting.iter().enumerate().position(|(own, (_, definition, _))| {
                let needs = names
                    .iter()
                    .enumerate()
                    .any(|(other, name)| other != own && definition.contains(name));
                !needs
            });
            // There is no circle of views.
            let (.., view) = waiting.remove(ready.unwrap_or(0));
            made.push(view);
        }
        Ok(made)
    }

    async fn triggers(&mut self) -> Result<Vec<Object>> {
        let triggers = self
            .rows(
                "SELECT TRIGGER_NAME, SQL_MODE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION FROM information_schema.TRIGGERS
                 WHERE TRIGGER_SCHEMA = ? ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER",
            )
            .await?;
        self.objects("TRIGGER", 2, &triggers).await
    }

    async fn events(&mut self) -> Result<Vec<Object>> {
        let events = self
            .rows(
                "SELECT EVENT_NAME, SQL_MODE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION, TIME_ZONE
                 FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ? ORDER BY EVENT_NAME",
            )
            .await?;
        let mut made = self.objects("EVENT", 3, &events).await?;
        for (event, row) in made.iter_mut().zip(&events) {
            // What it says of hours is meant there.
            event
                .session
                .push_str(&format!(", time_zone = {}", literal(&text(row, 4)?)));
        }
        Ok(made)
    }

    /// The statement stands in that column of what is shown.
    async fn objects(&mut self, kind: &str, column: usize, rows: &[MySqlRow]) -> Result<Vec<Object>> {
        let mut made = Vec::new();
        for row in rows {
            let shown = self.shown(kind, &text(row, 0)?).await?;
            made.push(Object {
                session: session(&text(row, 1)?, &text(row, 2)?, &text(row, 3)?),
                statement: text(&shown, column)?,
            });
        }
        Ok(made)
    }
}

/// Sets a session as that of an object's maker was.
fn session(mode: &str, characters: &str, collation: &str) -> String {
    format!(
        "SET sql_mode = {}, character_set_client = {characters}, collation_connection = {collation}",
        literal(mode)
    )
}
