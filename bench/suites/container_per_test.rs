//! What testcontainers offers by itself: a container for each test, which is started and migrated for it.

mod support;

use std::env;
use std::error::Error;

use sqlx::PgPool;
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};

macro_rules! each {
    ($($name:ident)*) => { $(
        #[tokio::test]
        async fn $name() -> Result<(), Box<dyn Error>> {
            let (_container, db) = start().await?;
            Ok(support::body(&db).await?)
        }
    )* };
}

support::tests!(20, each);

/// As testcontainers' own module for PostgreSQL does it, which knows the official image alone.
async fn start() -> Result<(ContainerAsync<GenericImage>, PgPool), Box<dyn Error>> {
    let image = env::var("ITEST_POSTGRES_IMAGE")?;
    let (name, tag) = image.rsplit_once(':').ok_or("the image has no tag")?;
    // Without the engine's reaper nobody else removes what a killed test leaves.
    let label = env::var("BENCH_LABEL")?;
    let (label, value) = label.split_once('=').ok_or("the label has no value")?;
    let container = GenericImage::new(name, tag)
        .with_exposed_port(5432.tcp())
        .with_wait_for(WaitFor::message_on_stderr(
            "database system is ready to accept connections",
        ))
        .with_env_var("POSTGRES_PASSWORD", "postgres")
        .with_cmd(["postgres", "-c", "fsync=off"])
        .with_label(label, value)
        .start()
        .await?;
    let (host, port) = (container.get_host().await?, container.get_host_port_ipv4(5432).await?);
    let db = PgPool::connect(&format!("postgres://postgres:postgres@{host}:{port}/postgres")).await?;
    sqlx::migrate!("./migrations").run(&db).await?;
    Ok((container, db))
}
