//! Schemas of any size, as folders of migrations.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// How large a schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Schema {
    pub(super) tables: usize,
    /// Half of them are customers, and half their orders: the tables that tests write to.
    pub(super) rows: usize,
}

impl Schema {
    pub(super) const ALL: [Self; 6] = [
        Self { tables: 10, rows: 0 },
        Self {
            tables: 10,
            rows: 10_000,
        },
        Self { tables: 40, rows: 0 },
        Self {
            tables: 40,
            rows: 10_000,
        },
        Self { tables: 300, rows: 0 },
        Self {
            tables: 300,
            rows: 10_000,
        },
    ];

    pub(super) fn name(self) -> String {
        match self.rows {
            0 => format!("{} tables, empty", self.tables),
            rows => format!("{} tables, {rows} rows", self.tables),
        }
    }

    /// Two tables a migration; the rows come last.
    pub(super) fn write(self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
        for (index, sql) in self.migrations().into_iter().enumerate() {
            let path = folder.join(format!("{:04}_tables.sql", index + 1));
            fs::write(&path, sql).with_context(|| format!("failed to write {}", path.display()))?;
        }
        Ok(())
    }

    fn migrations(self) -> Vec<String> {
        let mut migrations = vec![
            "CREATE TABLE customers (id bigserial PRIMARY KEY, name text NOT NULL, email text, \
             created timestamptz NOT NULL DEFAULT now());\nCREATE INDEX ON customers (name);\n\
             CREATE TABLE orders (id bigserial PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, \
             amount numeric(12, 2) NOT NULL CHECK (amount >= 0), placed timestamptz NOT NULL DEFAULT now());\n\
             CREATE INDEX ON orders (customer_id);\n"
                .to_owned(),
        ];
        for pair in 1..self.tables / 2 {
            let mut sql = String::new();
            for table in [2 * pair, 2 * pair + 1] {
                let _ = writeln!(
                    sql,
                    "CREATE TABLE things_{table} (id bigserial PRIMARY KEY, name text NOT NULL UNIQUE, note text, \
                     customer_id bigint REFERENCES customers, at timestamptz NOT NULL DEFAULT now());\n\
                     CREATE INDEX ON things_{table} (customer_id);"
                );
            }
            migrations.push(sql);
        }
        if self.rows > 0 {
            let half = self.rows / 2;
            migrations.push(format!(
                "INSERT INTO customers (name, email) SELECT 'customer ' || g, 'c' || g || '@example.com' \
                 FROM generate_series(1, {half}) AS g;\n\
                 INSERT INTO orders (customer_id, amount) SELECT g, g % 100 FROM generate_series(1, {half}) AS g;\n"
            ));
        }
        migrations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_has_as_many_tables_as_its_name_says() {
        for schema in Schema::ALL {
            let sql = schema.migrations().concat();
            assert_eq!(sql.matches("CREATE TABLE").count(), schema.tables, "{}", schema.name());
            assert_eq!(sql.contains("INSERT"), schema.rows > 0, "{}", schema.name());
        }
    }
}
