//! How to run PostgreSQL: tuned for data that nobody will miss.

use std::path::Path;

use itest_runtime::provider::{
    ContainerLaunch, DeathSignal, DockerRecipe, Launch, NativeRecipe, Place, Prepare, Program, SegmentFile,
};
use itest_runtime::service::asked::variables;

use super::PgServer;

/// Nothing here survives a crash, and nothing has to. `jit` and the background writers only cost on a test's small data;
/// dynamic shared memory in the data folder can't outlive it, as it could in `/dev/shm`; `lc_messages` keeps the log in the
/// language that diagnoses are written in.
const SETTINGS: &[(&str, &str)] = &[
    // A backend that dies by a signal would make the server restart in place, with empty unlogged tables and counters.
    ("restart_after_crash", "off"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("synchronous_commit", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_logical_replication_workers", "0"),
    ("wal_init_zero", "off"),
    ("max_wal_size", "256MB"),
    ("checkpoint_timeout", "1h"),
    ("bgwriter_lru_maxpages", "0"),
    ("autovacuum", "off"),
    ("jit", "off"),
    ("dynamic_shared_memory_type", "mmap"),
    ("max_connections", "300"),
    ("max_locks_per_transaction", "256"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("lc_messages", "C"),
    ("logging_collector", "off"),
    ("log_destination", "stderr"),
    ("log_checkpoints", "off"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
];

/// Settings of our own: where the server listens, who gets in, and where its files are.
pub(super) const OWN: &[&str] = &[
    "listen_addresses",
    "port",
    "unix_socket_directories",
    "unix_socket_permissions",
    "unix_socket_group",
    "data_directory",
    "hba_file",
    "ident_file",
    "config_file",
    "external_pid_file",
    "logging_collector",
    "log_destination",
    "log_line_prefix",
    "password_encryption",
];

/// The first version that itest works with.
pub(super) const FIRST: &str = "13";

/// The official image's, where nothing else is asked for.
const IMAGE: &str = "postgres";
/// Pinned: the same tests meet the same server next year.
const TAG: &str = "18.1";
/// In a container.
const PORT: u16 = 5432;

pub(super) fn docker(server: &PgServer) -> DockerRecipe {
    let (settings, env) = (server.settings.clone(), server.env.clone());
    let image = format!("{IMAGE}:{}", server.version.as_deref().unwrap_or(TAG));
    DockerRecipe::new(image, PORT)
        .image(server.image.clone())
        .launch(move |start| launch_container(&start.password, &settings, &env))
}

/// By the official image's contract, which the images of most extensions keep, too.
fn launch_container(password: &str, settings: &[String], env: &[String]) -> ContainerLaunch {
    let own = SETTINGS.iter().copied().chain(implied(settings));
    let own = own.map(|(name, value)| format!("{name}={value}"));
    let asked = settings.iter().map(|setting| plain(setting));
    let args =
        std::iter::once("postgres".to_owned()).chain(own.chain(asked).flat_map(|setting| ["-c".to_owned(), setting]));
    let env_of_ours = [
        ("POSTGRES_PASSWORD".to_owned(), password.to_owned()),
        // Takes SCRAM as well; SCRAM's 4096 rounds for each of our own connections would cost a debug build 61 ms.
        ("POSTGRES_HOST_AUTH_METHOD".to_owned(), "md5".to_owned()),
        (
            "POSTGRES_INITDB_ARGS".to_owned(),
            "--encoding=UTF8 --locale=C.UTF-8 --no-sync --wal-segsize=1 --auth-host=md5".to_owned(),
        ),
    ];
    ContainerLaunch::new(args).env(env_of_ours).env(variables(env))
}

/// A line of a configuration file, `name = 'value'`, as an argument: `name=value`.
fn plain(setting: &str) -> String {
    let Some((name, value)) = setting.split_once('=') else {
        return setting.trim().to_owned();
    };
    let value = value.trim();
    let unquoted = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
    let value = unquoted.map_or(value.to_owned(), |value| value.replace("''", "'"));
    format!("{}={value}", name.trim())
}

pub(super) fn native(server: &PgServer) -> NativeRecipe {
    let (settings, env) = (server.settings.clone(), server.env.clone());
    let program = Program::new("postgres")
        .folders([
            "/usr/lib/postgresql/*/bin",
            "/usr/pgsql-*/bin",
            "/opt/homebrew/opt/postgresql@*/bin",
            "/usr/local/opt/postgresql@*/bin",
            "/Applications/Postgres.app/Contents/Versions/*/bin",
            "/usr/libexec/postgresql*",
        ])
        .version(server.version.clone())
        .at_least(FIRST)
        .install(
            "install it: `apt-get install postgresql`, `brew install postgresql@17`, `dnf install postgresql-server`",
        );
    // Not every system has C.UTF-8; plain C sorts the same, but knows no letters beyond ASCII.
    let initdb = Prepare::new("initdb", 32 << 20, |data| {
        ["C.UTF-8", "C"].map(|locale| initdb_args(data, locale)).to_vec()
    });
    NativeRecipe::new(program, move |place| launch(place, &settings, &env))
        .prepare(initdb)
        .refuses_root()
        .death_signal(DeathSignal::Quit)
        .keep_signal(DeathSignal::Int)
        // In line 7 of its lock file, after the segment's key; an orderly end removes both.
        .segment(SegmentFile::new("postmaster.pid", 7, 2))
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

/// What the test's own settings ask of ours: logical decoding sees nothing of a commit before it is written.
fn implied(settings: &[String]) -> Option<(&'static str, &'static str)> {
    let is_logical = settings.iter().any(|setting| {
        // A configuration file takes any case, and a blank for the sign.
        let (name, value) = setting.split_once(['=', ' ']).unwrap_or_default();
        let value = value.trim_matches([' ', '=', '\'', '"']);
        name.trim().eq_ignore_ascii_case("wal_level") && value.eq_ignore_ascii_case("logical")
    });
    is_logical.then_some(("synchronous_commit", "on"))
}

fn launch(place: &Place, settings: &[String], env: &[String]) -> Launch {
    let dir = place.dir.display();
    let mut conf: String = SETTINGS
        .iter()
        .copied()
        .chain(implied(settings))
        .map(|(name, value)| format!("{name} = '{value}'\n"))
        .collect();
    conf.push_str(&format!("listen_addresses = '127.0.0.1'\nport = {}\n", place.port));
    conf.push_str(&format!(
        "unix_socket_directories = '{}'\nunix_socket_permissions = 0700\n",
        only_folder(&dir.to_string())
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
    Launch::new([
        "-D".to_owned(),
        place.data.display().to_string(),
        "-c".to_owned(),
        format!("config_file={dir}/postgresql.conf"),
        "-c".to_owned(),
        format!("hba_file={dir}/pg_hba.conf"),
    ])
    .env(variables(env))
    .file("postgresql.conf", conf)
    .file("pg_hba.conf", hba)
}

/// A list of one folder, whatever its name, as a text in a configuration file.
fn only_folder(folder: &str) -> String {
    let listed = format!("\"{}\"", folder.replace('"', "\"\""));
    listed.replace('\\', "\\\\").replace('\'', "''")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_reads_the_same_in_a_file_and_as_an_argument() {
        assert_eq!(plain("work_mem = 4MB"), "work_mem=4MB");
        assert_eq!(plain("search_path='a, b'"), "search_path=a, b");
        assert_eq!(plain("a.b = 'it''s'"), "a.b=it's");
    }

    #[test]
    fn logical_decoding_is_known_by_any_spelling() {
        for setting in [
            "wal_level=logical",
            "wal_level = logical",
            "WAL_LEVEL = 'Logical'",
            "wal_level logical",
        ] {
            assert!(implied(&[setting.to_owned()]).is_some(), "{setting}");
        }
        assert_eq!(implied(&["wal_level = replica".to_owned()]), None);
    }

    #[test]
    fn a_folder_of_any_name_is_one_item_of_a_list() {
        assert_eq!(only_folder("/a b,c"), "\"/a b,c\"");
        assert_eq!(only_folder(r#"/it's\"x""#), r#""/it''s\\""x""""#);
    }
}
