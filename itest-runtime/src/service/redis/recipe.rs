//! How to run Redis: nothing is written to disk, and only who knows the password gets in.

use super::RedisServer;
use crate::provider::{DeathSignal, Launch, NativeRecipe, Place, Program};

/// 10,000 logical databases cost 5 MB; as many as leases are ever open at once will do.
const DATABASES: u32 = 1024;

pub(super) fn native(server: &RedisServer) -> NativeRecipe {
    NativeRecipe {
        program: Program {
            name: "redis-server".to_owned(),
            folders: [
                "/usr/bin",
                "/usr/local/bin",
                "/opt/homebrew/bin",
                "/opt/homebrew/opt/redis@*/bin",
            ]
            .map(str::to_owned)
            .to_vec(),
            version: server.version.clone(),
            at_least: 6,
            install: "install it: `apt-get install redis-server`, `brew install redis`, `dnf install redis`".to_owned(),
        },
        prepare: None,
        launch: Box::new(launch),
        refuses_root: false,
        death_signal: DeathSignal::Kill,
        sweep: None,
    }
}

/// The password is in a file, not among the arguments, which every user of the machine can see.
fn launch(place: &Place) -> Launch {
    let dir = place.dir.display();
    let conf = format!(
        "bind 127.0.0.1\nport {port}\nunixsocket {dir}/socket\nunixsocketperm 700\ndir {data}\nrequirepass {password}\n\
         databases {DATABASES}\nsave \"\"\nappendonly no\ndaemonize no\nmaxclients 4000\n",
        port = place.port,
        data = place.data.display(),
        password = place.password,
    );
    Launch {
        args: vec![format!("{dir}/redis.conf")],
        env: Vec::new(),
        files: vec![("redis.conf".to_owned(), conf)],
    }
}
