//! How to run PostgreSQL: tuned for data that nobody will miss.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::PgServer;
use crate::provider::{DeathSignal, Launch, NativeRecipe, Place, Prepare, Program};

/// Nothing here survives a crash, and nothing has to. `jit` and the background writers only cost on a test's small data;
/// dynamic shared memory in the data folder can't outlive it, as it could in `/dev/shm`; `lc_messages` keeps the log in the
/// language that diagnoses are written in.
const SETTINGS: &str = "\
fsync = off
full_page_writes = off
synchronous_commit = off
wal_level = minimal
max_wal_senders = 0
max_logical_replication_workers = 0
wal_init_zero = off
max_wal_size = 256MB
checkpoint_timeout = 1h
bgwriter_lru_maxpages = 0
autovacuum = off
jit = off
dynamic_shared_memory_type = mmap
max_connections = 300
max_locks_per_transaction = 256
timezone = UTC
log_timezone = UTC
lc_messages = C
logging_collector = off
log_destination = stderr
log_checkpoints = off
log_line_prefix = '%m [%p] %q%u@%d '
";

pub(super) fn native(server: &PgServer) -> NativeRecipe {
    let settings = server.settings.clone();
    NativeRecipe {
        program: Program {
            name: "postgres".to_owned(),
            folders: [
                "/usr/lib/postgresql/*/bin",
                "/usr/pgsql-*/bin",
                "/opt/homebrew/opt/postgresql@*/bin",
                "/usr/local/opt/postgresql@*/bin",
                "/Applications/Postgres.app/Contents/Versions/*/bin",
                "/usr/libexec/postgresql*",
            ]
            .map(str::to_owned)
            .to_vec(),
            version: server.version.clone(),
            at_least: 13,
            install: "install it: `apt-get install postgresql`, `brew install postgresql@17`, `dnf install postgresql-server`"
                .to_owned(),
        },
        prepare: Some(Prepare {
            program: "initdb".to_owned(),
            // Not every system has C.UTF-8; plain C sorts the same, but knows no letters beyond ASCII.
            tries: Box::new(|data| ["C.UTF-8", "C"].map(|locale| initdb_args(data, locale)).to_vec()),
        }),
        launch: Box::new(move |place| launch(place, &settings)),
        refuses_root: true,
        death_signal: DeathSignal::Quit,
        sweep: Some(remove_shared_memory),
    }
}

fn initdb_args(data: &Path, locale: &str) -> Vec<String> {
    vec![
        "--username=postgres".to_owned(),
        "--auth=trust".to_owned(),
        "--encoding=UTF8".to_owned(),
        format!("--locale={locale}"),
        "--no-sync".to_owned(),
        // With the default of 16 MB every copy of the data folder would carry 16 MB of empty WAL.
        "--wal-segsize=1".to_owned(),
        format!("--pgdata={}", data.display()),
    ]
}

fn launch(place: &Place, settings: &[String]) -> Launch {
    let dir = place.dir.display();
    let mut conf = SETTINGS.to_owned();
    conf.push_str(&format!("listen_addresses = '127.0.0.1'\nport = {}\n", place.port));
    conf.push_str(&format!(
        "unix_socket_directories = '{dir}'\nunix_socket_permissions = 0700\n"
    ));
    // SCRAM's 4096 rounds cost a debug build 61 ms for each connection; this password is random and long.
    let method = if place.version >= 16 {
        conf.push_str("password_encryption = 'scram-sha-256'\nscram_iterations = 1\n");
        "scram-sha-256"
    } else {
        conf.push_str("password_encryption = 'md5'\n");
        "md5"
    };
    conf.extend(settings.iter().map(|setting| format!("{setting}\n")));
    // The socket's folder is the server's user's alone; over TCP the superuser can't log in at all.
    let hba =
        format!("local all all trust\nhost all postgres 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 {method}\n");
    Launch {
        args: vec![
            "-D".to_owned(),
            place.data.display().to_string(),
            "-c".to_owned(),
            format!("config_file={dir}/postgresql.conf"),
            "-c".to_owned(),
            format!("hba_file={dir}/pg_hba.conf"),
        ],
        env: Vec::new(),
        files: vec![("postgresql.conf".to_owned(), conf), ("pg_hba.conf".to_owned(), hba)],
    }
}

/// A postmaster that is killed leaves a System V shared memory segment. Its number is in `postmaster.pid`, a file that an
/// orderly end removes.
fn remove_shared_memory(place: &Place) {
    let file = fs::read_to_string(place.data.join("postmaster.pid")).unwrap_or_default();
    if let Some(segment) = segment_in(&file) {
        // The server's end is what the test is told; this is 56 bytes.
        let _ = Command::new("ipcrm").args(["-m", segment]).output();
    }
}

/// In line 7, after the segment's key.
fn segment_in(postmaster_pid: &str) -> Option<&str> {
    postmaster_pid.lines().nth(6)?.split_ascii_whitespace().nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_memory_segment_is_found() {
        let file = "4711\n/data\n1795489673\n5432\n/sockets\n127.0.0.1\n  2628852     65572\nready   \n";
        assert_eq!(segment_in(file), Some("65572"));
        assert_eq!(segment_in("4711\n/data\n"), None);
    }
}
