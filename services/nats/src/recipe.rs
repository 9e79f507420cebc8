//! How to run NATS: in operator mode, so that accounts come and go while it runs.

use itest_runtime::provider::{ContainerLaunch, DeathSignal, DockerRecipe, Launch, NativeRecipe, Place, Program};

use super::NatsServer;
use super::jwt::Authority;

/// Settings of our own: where the server listens, who gets in, and where its files are.
pub(super) const OWN: &[&str] = &[
    "host",
    "port",
    "listen",
    "net",
    "operator",
    "operators",
    "trusted",
    "trusted_keys",
    "system_account",
    "system",
    "resolver",
    "account_resolver",
    "resolver_preload",
    "accounts",
    "authorization",
    "jetstream",
    "store_dir",
    "cluster",
    "server_name",
    "log_file",
    "logfile",
    "pid_file",
    "pidfile",
];

/// The first version that itest works with: from then on an account's streams can be removed at once.
pub(super) const FIRST: &str = "2.9";

pub(super) fn native(server: &NatsServer) -> NativeRecipe {
    let settings = server.settings.clone();
    let program = Program::new("nats-server")
        .folders(["/usr/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"])
        .version(server.version.clone())
        .at_least(FIRST)
        .install("install it: `apt-get install nats-server`, `brew install nats-server`, `go install github.com/nats-io/nats-server/v2@latest`");
    NativeRecipe::new(program, move |place| launch(place, &settings)).death_signal(DeathSignal::Kill)
}

/// The official image's, where nothing else is asked for.
const IMAGE: &str = "nats";
/// Pinned: the same tests meet the same server next year.
const TAG: &str = "2.12.2";
/// In a container.
const PORT: u16 = 4222;
const CONTAINER_CONF: &str = "/itest-nats.conf";
const CONTAINER_DATA: &str = "/itest-nats";

pub(super) fn docker(server: &NatsServer) -> DockerRecipe {
    let settings = server.settings.clone();
    let image = format!("{IMAGE}:{}", server.version.as_deref().unwrap_or(TAG));
    DockerRecipe::new(image, PORT)
        .image(server.image.clone())
        .launch(move |start| {
            // Only the published port leads to it, and that is on the loopback interface.
            let accounts = format!("{CONTAINER_DATA}/accounts");
            let conf = conf(
                ("0.0.0.0", PORT),
                (&accounts, CONTAINER_DATA),
                &start.password,
                &settings,
            );
            ContainerLaunch::new(["--config", CONTAINER_CONF])
                .file(CONTAINER_CONF, conf)
                .tmpfs([CONTAINER_DATA])
        })
}

/// Where a process of this machine keeps what it knows of accounts, in its folder.
pub(super) const ACCOUNTS: &str = "accounts";

fn launch(place: &Place, settings: &[String]) -> Launch {
    let accounts = place.dir.join(ACCOUNTS).display().to_string();
    let streams = place.data.display().to_string();
    let conf = conf(
        ("127.0.0.1", place.port),
        (&accounts, &streams),
        &place.password,
        settings,
    );
    Launch::new(["--config".to_owned(), format!("{}/nats.conf", place.dir.display())]).file("nats.conf", conf)
}

/// There is no secret in it: the tokens say who is trusted, and the keys to them are nowhere.
fn conf((host, port): (&str, u16), (accounts, streams): (&str, &str), password: &str, settings: &[String]) -> String {
    let authority = Authority::of(password).expect("any 32 bytes are a key");
    let system = authority.system.public();
    let (operator, system_token) = (authority.operator_token(), authority.system_token());
    let own = format!(
        "host: \"{host}\"\nport: {port}\nserver_name: itest\n\
         operator: \"{operator}\"\nsystem_account: {system}\n\
         resolver {{ type: full, dir: {jwt}, allow_delete: true, interval: \"10m\" }}\n\
         resolver_preload {{ {system}: \"{system_token}\" }}\n\
         jetstream {{ store_dir: {store} }}\n",
        jwt = quoted(accounts),
        store = quoted(streams),
    );
    settings.iter().fold(own, |conf, setting| format!("{conf}{setting}\n"))
}

/// A text in a configuration file, whatever is in it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
