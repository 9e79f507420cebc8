//! A test's role can do in its slice what the role that built the template could, and nothing beyond it.

use itest::integration;
use sqlx::{AssertSqlSafe, Executor, PgPool};

use super::Guests;

async fn make_all_kinds(db: PgPool) -> sqlx::Result<()> {
    db.execute(include_str!("owner.sql")).await.map(drop)
}

/// All objects of the test's database that aren't its role's, and all mentions of roles that aren't its own.
const OTHERS: &str = "
    SELECT 'relation ' || relname FROM pg_class WHERE oid >= 16384 AND relowner <> current_user::regrole
    UNION ALL SELECT 'type ' || typname FROM pg_type WHERE oid >= 16384 AND typowner <> current_user::regrole
    UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE oid >= 16384 AND proowner <> current_user::regrole
    UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE oid >= 16384 AND nspowner <> current_user::regrole
    UNION ALL SELECT 'relation rights ' || relacl::text FROM pg_class WHERE relacl::text ~ 'itest_[0-9a-f]{8}_d'
    UNION ALL SELECT 'column rights ' || attacl::text FROM pg_attribute WHERE attacl::text ~ 'itest_[0-9a-f]{8}_d'
    UNION ALL SELECT 'default rights ' || defaclacl::text FROM pg_default_acl WHERE defaclacl::text ~ 'itest_[0-9a-f]{8}_d'
    UNION ALL SELECT 'policy ' || roles::text FROM pg_policies WHERE roles::text ~ 'itest_[0-9a-f]{8}_d'
    UNION ALL SELECT 'reference ' || classid::regclass || objid || refobjid::regrole FROM pg_shdepend
      WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND refclassid = 'pg_authid'::regclass
        AND refobjid <> current_user::regrole AND refobjid >= 16384";

async fn acts_as_the_owner(db: &PgPool) -> anyhow::Result<()> {
    for statement in [
        "REFRESH MATERIALIZED VIEW CONCURRENTLY totals",
        "SELECT scratch()",
        "SELECT part()",
        "SELECT tenant()",
        "INSERT INTO items VALUES (1)",
        "DROP STATISTICS pairs",
        "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'",
        "SELECT lo_unlink(4711)",
        "ALTER PUBLICATION changes DROP TABLE sales",
        "DROP COLLATION words",
        "DROP OPERATOR <+> (int, int)",
        "DROP TEXT SEARCH CONFIGURATION plain",
        "DROP TEXT SEARCH DICTIONARY plain",
    ] {
        db.execute(statement)
            .await
            .map_err(|error| anyhow::anyhow!("{statement}: {error}"))?;
    }
    let notes: Vec<String> = sqlx::query_scalar("SELECT note FROM private.notes")
        .fetch_all(db)
        .await?;
    assert_eq!(notes, ["mine"], "the policy is the test's role's");
    db.execute("CREATE TABLE later (id int)").await?;
    let emptied = db.execute("TRUNCATE later").await;
    assert!(
        emptied.unwrap_err().to_string().contains("permission denied"),
        "default privileges are the role's"
    );
    Ok(())
}

async fn nothing_is_anothers(db: &PgPool) -> anyhow::Result<()> {
    let others: Vec<String> = sqlx::query_scalar(OTHERS).fetch_all(db).await?;
    assert!(others.is_empty(), "{others:#?}");
    Ok(())
}

macro_rules! the_owner_acts {
    ($($name:ident: ($($option:tt)*);)*) => { $(
        #[integration(postgres($($option)*))]
        async fn $name(db: PgPool) -> anyhow::Result<()> {
            nothing_is_anothers(&db).await?;
            acts_as_the_owner(&db).await
        }
    )* };
}

the_owner_acts! {
    the_owner_acts_in_a_database: (setup = make_all_kinds);
    the_owner_acts_in_a_transaction: (setup = make_all_kinds, transaction);
    the_owner_acts_in_a_shared_database: (setup = make_all_kinds, shared);
}

#[integration(postgres(setup = make_all_kinds, dedicated))]
async fn the_owner_acts_on_a_server_of_its_own(db: PgPool) -> anyhow::Result<()> {
    nothing_is_anothers(&db).await?;
    db.execute("SELECT scratch()").await?;
    Ok(())
}

#[integration(postgres(setup = make_all_kinds))]
async fn the_roles_of_a_template_are_out_of_reach(db: PgPool) -> anyhow::Result<()> {
    let memberships: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_auth_members WHERE member = current_user::regrole OR member = session_user::regrole",
    )
    .fetch_one(&db)
    .await?;
    assert_eq!(memberships, 0);
    let roles: Vec<String> =
        sqlx::query_scalar("SELECT quote_ident(rolname) FROM pg_roles WHERE oid >= 16384 AND rolname <> current_user")
            .fetch_all(&db)
            .await?;
    assert!(!roles.is_empty(), "the template's owner is one of them");
    for role in roles {
        for attack in [
            format!("REASSIGN OWNED BY {role} TO CURRENT_USER"),
            format!("DROP OWNED BY {role}"),
            format!("ALTER ROLE {role} SET work_mem = '1MB'"),
            format!("SET ROLE {role}"),
            format!("ALTER TABLE sales OWNER TO {role}"),
        ] {
            let refused = sqlx::raw_sql(AssertSqlSafe(attack.clone())).execute(&db).await;
            assert!(refused.is_err(), "{attack} is refused");
        }
    }
    Ok(())
}

async fn sets_its_search_path(db: PgPool) -> sqlx::Result<()> {
    let role =
        "CREATE SCHEMA app; CREATE TABLE app.things (id int); ALTER ROLE CURRENT_USER SET search_path TO app, public;
                ALTER ROLE CURRENT_USER SET work_mem = '3MB'";
    db.execute(role).await.map(drop)
}

async fn has_a_schema_named_like_its_role(db: PgPool) -> sqlx::Result<()> {
    db.execute("CREATE SCHEMA AUTHORIZATION CURRENT_USER; CREATE TABLE things (id int)")
        .await?;
    let home: String =
        sqlx::query_scalar("SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'things'")
            .fetch_one(&db)
            .await?;
    assert_ne!(home, "public");
    Ok(())
}

async fn sets_no_role(db: PgPool) -> sqlx::Result<()> {
    db.execute("SET ROLE NONE; CREATE TABLE things (id int); RESET ROLE; CREATE TABLE others (id int)")
        .await
        .map(drop)
}

/// Each isolation with templates whose builder speaks of its own role.
macro_rules! things_are_there {
    ($($name:ident: ($($option:tt)*);)*) => { $(
        #[integration(postgres($($option)*))]
        async fn $name(db: PgPool) -> anyhow::Result<()> {
            db.execute("INSERT INTO things VALUES (1); SELECT * FROM things").await?;
            Ok(())
        }
    )* };
}

things_are_there! {
    a_roles_search_path_in_a_database: (setup = sets_its_search_path);
    a_roles_search_path_in_a_transaction: (setup = sets_its_search_path, transaction);
    a_roles_search_path_in_a_shared_database: (setup = sets_its_search_path, shared);
    a_roles_search_path_on_a_server_of_its_own: (setup = sets_its_search_path, dedicated);
    a_schema_named_like_the_role_in_a_database: (setup = has_a_schema_named_like_its_role);
    a_schema_named_like_the_role_in_a_transaction: (setup = has_a_schema_named_like_its_role, transaction);
    a_schema_named_like_the_role_in_a_shared_database: (setup = has_a_schema_named_like_its_role, shared);
    no_role_in_a_database: (setup = sets_no_role);
    no_role_in_a_transaction: (setup = sets_no_role, transaction);
    no_role_in_a_shared_database: (setup = sets_no_role, shared);
}

#[integration(postgres(setup = sets_its_search_path))]
async fn all_settings_of_the_role_hold(db: PgPool) -> anyhow::Result<()> {
    let work: String = sqlx::query_scalar("SHOW work_mem").fetch_one(&db).await?;
    assert_eq!(work, "3MB");
    Ok(())
}

async fn speaks_of_its_database(db: PgPool) -> sqlx::Result<()> {
    let said = "DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 7', current_database());
        EXECUTE format('COMMENT ON DATABASE %I IS %L', current_database(), 'the ''shop');
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO pg_monitor', current_database());
    END $$";
    db.execute(said).await.map(drop)
}

#[integration(postgres(setup = speaks_of_its_database))]
async fn what_is_said_of_the_database_is_said_of_each_slice(db: PgPool) -> anyhow::Result<()> {
    let said: (i32, Option<String>, bool, bool) = sqlx::query_as(
        "SELECT datconnlimit, shobj_description(oid, 'pg_database'), has_database_privilege('pg_monitor', oid, 'CONNECT'),
           has_database_privilege('pg_signal_backend', oid, 'CONNECT')
         FROM pg_database WHERE datname = current_database()",
    )
    .fetch_one(&db)
    .await?;
    assert_eq!(said, (7, Some("the 'shop".to_owned()), true, false));
    Ok(())
}

#[tokio::test]
async fn what_no_slice_can_have_is_said_when_the_template_is_made() {
    let guests = Guests::new();
    for (test, expected) in [
        (
            "gives_itself_a_password",
            "another password, or an end of its validity (`ALTER ROLE …`)",
        ),
        (
            "leaves_a_prepared_transaction",
            "`PREPARE TRANSACTION 'half'` was left without its end",
        ),
    ] {
        guests.fail_saying(&format!("owner::{test}"), &[expected]).await;
    }
}

async fn new_password(db: PgPool) -> sqlx::Result<()> {
    db.execute("ALTER ROLE CURRENT_USER PASSWORD 'swordfish'")
        .await
        .map(drop)
}

#[integration(postgres(setup = new_password))]
#[ignore = "started by `what_no_slice_can_have_is_said_when_the_template_is_made`"]
fn gives_itself_a_password(_db: PgPool) {}

async fn half(db: PgPool) -> sqlx::Result<()> {
    db.execute("BEGIN; CREATE TABLE t (); PREPARE TRANSACTION 'half'")
        .await
        .map(drop)
}

#[integration(postgres(setup = half, settings("max_prepared_transactions=1")))]
#[ignore = "started by `what_no_slice_can_have_is_said_when_the_template_is_made`"]
fn leaves_a_prepared_transaction(_db: PgPool) {}
