//! What the suites have in common: the tests' names, and the body that each of them has.

mod schema;

use std::time::{SystemTime, UNIX_EPOCH};

#[allow(unused_imports, reason = "not every suite migrates")]
pub(crate) use schema::schema;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

/// Does what the bench asks for, on one connection: of a pool with room for more, three queries in a row would open a second one,
/// as what they used is given back a moment later. That would make a `transaction`, which has one, look too good.
#[allow(dead_code, reason = "not every suite uses a database")]
pub(crate) async fn body(db: &PgPool) -> sqlx::Result<()> {
    let mut db = db.acquire().await?;
    match std::env::var("BENCH_KIND").as_deref() {
        Ok("read") => read(&mut db).await,
        Ok("truncate") => truncate(&mut db).await,
        Ok("ddl") => change_schema(&mut db).await,
        Ok("insert-into-large") => change_large(&mut db, "INSERT INTO events (body) VALUES ('new')").await,
        Ok("update-large") => change_large(&mut db, "UPDATE events SET body = 'changed' WHERE id = 7").await,
        Ok("write") | Err(_) => write(&mut db).await,
        Ok(other) => panic!("BENCH_KIND is no kind of test: {other}"),
    }
}

/// Three queries.
async fn read(db: &mut PgConnection) -> sqlx::Result<()> {
    for sql in [
        "SELECT count(*) FROM orders WHERE customer_id = 1",
        "SELECT count(*) FROM customers WHERE id < 100",
        "SELECT max(id) FROM orders",
    ] {
        sqlx::query(sql).execute(&mut *db).await?;
    }
    Ok(())
}

/// Two inserts and a count.
async fn write(db: &mut PgConnection) -> sqlx::Result<()> {
    let customer: i64 = sqlx::query_scalar("INSERT INTO customers (name) VALUES ('Ada') RETURNING id")
        .fetch_one(&mut *db)
        .await?;
    sqlx::query("INSERT INTO orders (customer_id, amount) VALUES ($1, 12.50)")
        .bind(customer)
        .execute(&mut *db)
        .await?;
    let orders: i64 = sqlx::query_scalar("SELECT count(*) FROM orders WHERE customer_id = $1")
        .bind(customer)
        .fetch_one(&mut *db)
        .await?;
    assert_eq!(orders, 1);
    Ok(())
}

/// Empties two tables, and fills them a little.
async fn truncate(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("TRUNCATE customers RESTART IDENTITY CASCADE")
        .execute(&mut *db)
        .await?;
    sqlx::query("INSERT INTO customers (name) VALUES ('Ada')")
        .execute(&mut *db)
        .await?;
    sqlx::query("SELECT count(*) FROM customers")
        .execute(db)
        .await
        .map(drop)
}

/// Makes a table and changes it. Where all tests share a database, its name has to be one that no other test takes.
async fn change_schema(db: &mut PgConnection) -> sqlx::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let table = format!("made_{}_{}", std::process::id(), now.as_nanos());
    for sql in [
        format!("CREATE TABLE {table} (id bigserial PRIMARY KEY, name text)"),
        format!("ALTER TABLE {table} ADD COLUMN at timestamptz NOT NULL DEFAULT now()"),
        format!("INSERT INTO {table} (name) VALUES ('Ada')"),
    ] {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *db).await?;
    }
    Ok(())
}

/// Changes one row of a table that is large, and looks at one.
async fn change_large(db: &mut PgConnection, sql: &'static str) -> sqlx::Result<()> {
    sqlx::query(sql).execute(&mut *db).await?;
    sqlx::query("SELECT body FROM events WHERE id = 8")
        .execute(db)
        .await
        .map(drop)
}

/// Hands that many names to the suite's own macro, after what else it is to be handed.
macro_rules! tests {
    (20, $each:ident) => {
        $each! {
            t00 t01 t02 t03 t04 t05 t06 t07 t08 t09
            t10 t11 t12 t13 t14 t15 t16 t17 t18 t19
        }
    };
    (100, $each:ident $(, $more:ident)*) => {
        $each! {
            $([$more])*
            t00 t01 t02 t03 t04 t05 t06 t07 t08 t09
            t10 t11 t12 t13 t14 t15 t16 t17 t18 t19
            t20 t21 t22 t23 t24 t25 t26 t27 t28 t29
            t30 t31 t32 t33 t34 t35 t36 t37 t38 t39
            t40 t41 t42 t43 t44 t45 t46 t47 t48 t49
            t50 t51 t52 t53 t54 t55 t56 t57 t58 t59
            t60 t61 t62 t63 t64 t65 t66 t67 t68 t69
            t70 t71 t72 t73 t74 t75 t76 t77 t78 t79
            t80 t81 t82 t83 t84 t85 t86 t87 t88 t89
            t90 t91 t92 t93 t94 t95 t96 t97 t98 t99
        }
    };
}
pub(crate) use tests;
