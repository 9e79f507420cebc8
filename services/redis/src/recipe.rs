//! How to run Redis: nothing is written to disk, and only who knows the password gets in.

use itest_runtime::provider::{ContainerLaunch, DeathSignal, DockerRecipe, Launch, NativeRecipe, Place, Program};

use super::RedisServer;

/// Settings of our own: where the server listens, who gets in, and where its files are.
pub(super) const OWN: &[&str] = &[
    "bind",
    "port",
    "tls-port",
    "unixsocket",
    "unixsocketperm",
    "protected-mode",
    "requirepass",
    "user",
    "aclfile",
    "dir",
    "daemonize",
    "supervised",
    "logfile",
    "pidfile",
    "replicaof",
    "slaveof",
];

/// The first version that itest works with.
pub(super) const FIRST: &str = "6";

/// 10,000 logical databases cost 5 MB; as many as leases are ever open at once will do.
const DATABASES: u32 = 1024;

pub(super) fn native(server: &RedisServer) -> NativeRecipe {
    let settings = server.settings.clone();
    let program = Program::new("redis-server")
        .folders([
            "/usr/bin",
            "/usr/local/bin",
            "/opt/homebrew/bin",
            "/opt/homebrew/opt/redis@*/bin",
        ])
        .version(server.version.clone())
        .at_least(FIRST)
        .install("install it: `apt-get install redis-server`, `brew install redis`, `dnf install redis`");
    NativeRecipe::new(program, move |place| launch(place, &settings)).death_signal(DeathSignal::Kill)
}

/// The official image's, where nothing else is asked for.
const IMAGE: &str = "redis";
/// Pinned: the same tests meet the same server next year.
const TAG: &str = "8.2.2";
/// In a container.
const PORT: u16 = 6379;
const CONTAINER_CONF: &str = "/usr/local/etc/itest-redis.conf";

pub(super) fn docker(server: &RedisServer) -> DockerRecipe {
    let settings = server.settings.clone();
    let image = format!("{IMAGE}:{}", server.version.as_deref().unwrap_or(TAG));
    DockerRecipe::new(image, PORT)
        .image(server.image.clone())
        .launch(move |start| launch_container(&start.password, &settings))
}

/// Only the published port leads to it, and that is on the loopback interface.
fn launch_container(password: &str, settings: &[String]) -> ContainerLaunch {
    let conf = format!("bind * -::*\nport {PORT}\n{}", conf(password, settings));
    ContainerLaunch::new(["redis-server", CONTAINER_CONF]).file(CONTAINER_CONF, conf)
}

fn launch(place: &Place, settings: &[String]) -> Launch {
    let dir = place.dir.display();
    let conf = format!(
        "bind 127.0.0.1\nport {port}\nunixsocket {socket}\nunixsocketperm 700\ndir {data}\n{rest}",
        port = place.port,
        socket = quoted(&format!("{dir}/socket")),
        data = quoted(&place.data.display().to_string()),
        rest = conf(&place.password, settings),
    );
    Launch::new([format!("{dir}/redis.conf")]).file("redis.conf", conf)
}

/// One argument in a configuration file, whatever is in it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The password is in a file, not among the arguments, which every user of the machine can see.
fn conf(password: &str, settings: &[String]) -> String {
    let own = format!(
        "requirepass {password}\ndatabases {DATABASES}\nsave \"\"\nappendonly no\ndaemonize no\nmaxclients 4000\n"
    );
    settings.iter().fold(own, |conf, setting| format!("{conf}{setting}\n"))
}
