//! A supervisor that is killed while `initdb` runs leaves no shared memory: what `initdb` has started still comes to its end,
//! and only then its folder goes.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use itest::integration;
use rustix::process::Signal;
use sqlx::PgPool;
use support::{Guests, wait_for};

#[integration(postgres)]
#[ignore = "a guest"]
async fn wants_a_server(db: PgPool) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(&db).await.map(drop)
}

/// The shared memory of a server that `initdb` runs in this folder to fill the system's tables.
fn shared_memory_of_who_is_in(folder: &Path) -> Option<PathBuf> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes
        .map(|process| process.path())
        .filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder)))
        .filter(|process| {
            let line = fs::read(process.join("cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0)
                .any(|word| word == b"--boot" || word == b"--single")
        })
        .find_map(|process| {
            let maps = fs::read_to_string(process.join("maps")).ok()?;
            let at = maps.find("/dev/shm/PostgreSQL.")?;
            maps[at..].lines().next().map(PathBuf::from)
        })
}

#[tokio::test]
async fn no_shared_memory_is_left() {
    let house = tempfile::Builder::new().prefix("preparing-").tempdir().unwrap();
    let text = |name: &str| house.path().join(name).to_str().unwrap().to_owned();
    for name in ["data", "cache"] {
        fs::create_dir(house.path().join(name)).unwrap();
    }
    // As root, servers run as another user, who has to get there.
    fs::set_permissions(house.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let guests = Guests::new()
        .with("ITEST_POSTGRES_PROVIDER", "native")
        .with("ITEST_DATA_DIR", text("data"))
        .with("ITEST_CACHE_DIR", text("cache"));
    let guest = guests.start("wants_a_server");
    let data = house.path().join("data");
    let memory = wait_for("initdb starts a server", async || {
        shared_memory_of_who_is_in(&data).ok_or_else(|| anyhow::anyhow!("there is none"))
    })
    .await;
    guests.end_supervisors(Signal::KILL).await;
    assert!(!memory.exists(), "{} is left", memory.display());
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0, "its folder goes");
    assert!(!Guests::end_of(guest).await.passed);
}
