//! How to run MariaDB: quick rather than durable, and only who knows a password gets in.

use std::path::Path;

use itest_runtime::provider::{
    ContainerLaunch, DeathSignal, DockerRecipe, Launch, NativeRecipe, Place, Prepare, Program,
};
use itest_runtime::service::asked::variables;

use super::MariaDbServer;

/// The user that the supervisor logs in as to a process of ours.
pub(super) const ADMIN: &str = "itest";
/// The same in a container, as the official image makes it.
pub(super) const CONTAINER_ADMIN: &str = "root";

/// Settings of our own: where the server listens, who gets in, and where its files are.
pub(super) const OWN: &[&str] = &[
    "datadir",
    "socket",
    "port",
    "bind-address",
    "skip-networking",
    "skip-grant-tables",
    "init-file",
    "pid-file",
    "log-error",
    "user",
    "tmpdir",
    "basedir",
    "innodb-data-home-dir",
    "innodb-log-group-home-dir",
];

/// The first version that itest works with.
pub(super) const FIRST: &str = "10.5";

/// Nothing has to survive a crash of the machine.
const SETTINGS: &[&str] = &[
    "innodb-flush-log-at-trx-commit=0",
    "innodb-doublewrite=0",
    "innodb-buffer-pool-size=64M",
    "innodb-fast-shutdown=2",
    "skip-log-bin",
    "skip-name-resolve",
    "performance-schema=OFF",
    "max-connections=500",
    "character-set-server=utf8mb4",
];

/// Names with underscores are names with dashes.
pub(super) fn dashed(settings: &[String]) -> Vec<String> {
    let dash = |setting: &String| match plain(setting).split_once('=') {
        Some((name, value)) => format!("{}={value}", name.replace('_', "-")),
        None => setting.trim().replace('_', "-"),
    };
    settings.iter().map(dash).collect()
}

/// A line of a configuration file, `name = value`, as an argument: `name=value`.
fn plain(setting: &str) -> String {
    match setting.split_once('=') {
        Some((name, value)) => format!("{}={}", name.trim(), value.trim()),
        None => setting.trim().to_owned(),
    }
}

pub(super) fn native(server: &MariaDbServer) -> NativeRecipe {
    let (settings, env) = (server.settings.clone(), server.env.clone());
    let program = Program::new("mariadbd")
        .folders([
            "/usr/sbin",
            "/usr/libexec",
            "/usr/local/sbin",
            "/opt/homebrew/opt/mariadb/bin",
            "/opt/homebrew/opt/mariadb@*/bin",
        ])
        .version(server.version.clone())
        .at_least(FIRST)
        .install("install it: `apt-get install mariadb-server`, `brew install mariadb`, `dnf install mariadb-server`");
    let install = Prepare::new("mariadb-install-db", 32 << 20, |data| vec![install_args(data)]).folders([
        "../bin",
        "../../bin",
        ".",
    ]);
    NativeRecipe::new(program, move |place| launch(place, &settings, &env))
        .prepare(install)
        .refuses_root()
        .death_signal(DeathSignal::Kill)
}

fn install_args(data: &Path) -> Vec<String> {
    vec![
        "--no-defaults".to_owned(),
        "--auth-root-authentication-method=normal".to_owned(),
        "--skip-test-db".to_owned(),
        "--skip-name-resolve".to_owned(),
        "--innodb-log-file-size=4M".to_owned(),
        format!("--datadir={}", data.display()),
    ]
}

fn launch(place: &Place, settings: &[String], env: &[String]) -> Launch {
    let dir = place.dir.display();
    let data = quoted(&place.data.display().to_string());
    let own = |name: &str| quoted(&format!("{dir}/{name}"));
    let mut conf = format!(
        "[mysqld]\ndatadir={data}\ntmpdir={data}\nsocket={socket}\nport={port}\nbind-address=127.0.0.1\npid-file={pid}\n\
         init-file={init}\ninnodb-flush-method=nosync\ninnodb-log-file-size=16M\n",
        socket = own(SOCKET),
        port = place.port,
        pid = own("pid"),
        init = own("init.sql"),
    );
    conf.extend(SETTINGS.iter().map(|setting| format!("{setting}\n")));
    conf.extend(settings.iter().map(|setting| format!("{setting}\n")));
    // Before anybody can connect, the users that everybody knows go. `mariadb.sys` can't log in, and views need it.
    let init = format!(
        "DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';\n\
         FLUSH PRIVILEGES;\n\
         CREATE USER '{ADMIN}'@'%' IDENTIFIED BY '{password}';\n\
         GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'%' WITH GRANT OPTION;\n",
        password = place.password,
    );
    Launch::new([format!("--defaults-file={dir}/my.cnf")])
        .env(variables(env))
        .file("my.cnf", conf)
        .file("init.sql", init)
}

/// A path in a configuration file, whatever is in it.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Its socket, in its folder.
pub(super) const SOCKET: &str = "mariadb.sock";

/// The official image's, where nothing else is asked for.
const IMAGE: &str = "mariadb";
/// Pinned: the same tests meet the same server next year.
const TAG: &str = "11.8.3";
/// In a container.
const PORT: u16 = 3306;

pub(super) fn docker(server: &MariaDbServer) -> DockerRecipe {
    let (settings, env) = (server.settings.clone(), server.env.clone());
    let image = format!("{IMAGE}:{}", server.version.as_deref().unwrap_or(TAG));
    DockerRecipe::new(image, PORT)
        .image(server.image.clone())
        .launch(move |start| launch_container(&start.password, &settings, &env))
}

/// By the official image's contract.
fn launch_container(password: &str, settings: &[String], env: &[String]) -> ContainerLaunch {
    let own = SETTINGS.iter().copied().map(str::to_owned);
    let asked = settings.iter().map(|setting| plain(setting));
    let settings = own.chain(asked).map(|setting| format!("--{setting}"));
    let args = std::iter::once("mariadbd".to_owned()).chain(settings);
    let env_of_ours = [
        ("MARIADB_ROOT_PASSWORD".to_owned(), password.to_owned()),
        ("MARIADB_INITDB_SKIP_TZINFO".to_owned(), "1".to_owned()),
    ];
    ContainerLaunch::new(args)
        .env(env_of_ours)
        .env(variables(env))
        .tmpfs(["/var/lib/mysql"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_reads_the_same_in_a_file_and_as_an_argument() {
        assert_eq!(plain("max_connections = 77"), "max_connections=77");
        assert_eq!(plain(" skip_log_bin "), "skip_log_bin");
        assert_eq!(quoted("/a #b/\"c"), "\"/a #b/\\\"c\"");
        let asked = ["bind_address = 0.0.0.0".to_owned(), "skip_networking".to_owned()];
        assert_eq!(dashed(&asked), ["bind-address=0.0.0.0", "skip-networking"]);
    }
}
