//! A tunnel to an engine's machine, made by the user's own `ssh` with the user's own settings and keys: to the engine's socket,
//! and to the ports that the engine publishes on its machine's loopback interface.
//!
//! It is one connection, which its owner's children and the tests share by its control socket (see ssh(1), `-M` and `-O`).
//!
//! ```text
//! FOLDER/            mode 0700
//!   e                the engine's socket
//!   c                ssh's control socket
//!   log              what ssh said
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::process::{Child, Command};

use super::engine::ACTS;
use super::remote::Remote;
use crate::error::{Context, Error, Result};
use crate::os::{self, ProcessId, free_ports};

/// How long it may take until the tunnel is open. ssh itself gives up earlier.
const OPENS: Duration = Duration::from_secs(15);
/// How long ssh tries to connect, in seconds.
const CONNECTS: &str = "ConnectTimeout=10";
/// How often it is looked whether the tunnel is open.
const LOOK: Duration = Duration::from_millis(5);
/// How many of this machine's ports are tried: somebody may take a free one first.
const TRIES: u32 = 5;
/// The longest path of a Unix socket that every system takes, less what ssh appends to its own for a moment.
const PATH_LIMIT: usize = 103 - 17;

/// A tunnel, for who made it and for who may use it.
#[derive(Debug)]
pub(super) struct Tunnel {
    folder: PathBuf,
    /// The connection, for who made it.
    connection: Option<Mutex<Child>>,
    /// This machine's port and how many count on it, by the port on the engine's machine.
    ports: tokio::sync::Mutex<BTreeMap<u16, (u16, usize)>>,
}

/// Where the engine's socket is.
pub(super) fn engine_socket(folder: &Path) -> PathBuf {
    folder.join("e")
}

fn control_socket(folder: &Path) -> PathBuf {
    folder.join("c")
}

impl Tunnel {
    /// Connects. What lies in the folder is replaced.
    ///
    /// # Errors
    /// When ssh can't connect without asking a person.
    pub(super) async fn open(remote: &Remote, folder: PathBuf) -> Result<Self> {
        prepare(&folder)?;
        let mut child = start(remote, &folder)?;
        let sockets = [engine_socket(&folder), control_socket(&folder)];
        let opened = tokio::time::timeout(OPENS, async {
            loop {
                if sockets.iter().all(|socket| socket.exists()) {
                    return Ok(None);
                }
                if let Some(status) = child.try_wait()? {
                    return Ok::<_, std::io::Error>(Some(status));
                }
                tokio::time::sleep(LOOK).await;
            }
        })
        .await;
        let why = match opened {
            Ok(Ok(None)) => {
                return Ok(Self {
                    folder,
                    connection: Some(Mutex::new(child)),
                    ports: tokio::sync::Mutex::default(),
                });
            }
            Ok(Ok(Some(status))) => format!("ssh ended ({status})"),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("there is no connection after {OPENS:?}"),
        };
        let said = fs::read_to_string(folder.join("log")).unwrap_or_default();
        let target = target(remote);
        Err(Error::new(format!("failed to reach {} by ssh: {why}", remote.address))
            .log("ssh said", said.lines().map(str::to_owned).collect())
            .hint(format!(
                "`ssh {target} docker version` has to work without a question: add your key to the agent, and the host to \
                 known_hosts"
            )))
    }

    /// The tunnel of another process.
    pub(super) fn of(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            connection: None,
            ports: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn engine_socket(&self) -> PathBuf {
        engine_socket(&self.folder)
    }

    /// ssh's process, for who made the tunnel.
    pub(super) fn process(&self) -> Option<ProcessId> {
        let connection = self.connection.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        ProcessId::of(connection.id()?)
    }

    /// Whether the connection stands, as far as this process knows.
    pub(super) fn is_open(&self) -> bool {
        let Some(connection) = &self.connection else {
            return true;
        };
        let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(connection.try_wait(), Ok(None))
    }

    /// The port of this machine behind which that port of the engine's machine is.
    pub(super) async fn reach(&self, port: u16) -> Result<u16> {
        let mut ports = self.ports.lock().await;
        if let Some((here, uses)) = ports.get_mut(&port) {
            *uses += 1;
            return Ok(*here);
        }
        let mut failure = Error::new("this machine has no free port");
        for _ in 0..TRIES {
            let here = free_ports("127.0.0.1", 1).context(|| "this machine has no free port")?[0];
            match self.order("forward", here, port).await {
                Ok(()) => {
                    ports.insert(port, (here, 1));
                    return Ok(here);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// This port of our machine is of no use any more to one of those who were told of it.
    pub(super) async fn release(&self, here: u16) {
        let mut ports = self.ports.lock().await;
        let Some((there, (_, uses))) = ports.iter_mut().find(|(_, (port, _))| *port == here) else {
            return;
        };
        *uses -= 1;
        if *uses > 0 {
            return;
        }
        let there = *there;
        ports.remove(&there);
        if let Err(error) = self.order("cancel", here, there).await {
            tracing::debug!(%error, here, there, "a port is still forwarded");
        }
    }

    /// Has the connection begin or cease to forward a port.
    async fn order(&self, what: &str, here: u16, there: u16) -> Result<()> {
        let mut command = ssh();
        // Of the user's settings none is to apply here: they may have ports of their own to forward.
        command.args(["-F", "none", "-S"]).arg(control_socket(&self.folder));
        command.args([
            "-O",
            what,
            "-L",
            &format!("127.0.0.1:{here}:127.0.0.1:{there}"),
            "engine",
        ]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut command = Command::from(command);
        let output = tokio::time::timeout(ACTS, command.kill_on_drop(true).output()).await;
        let wanted = || format!("failed to forward port {there} of the engine's machine");
        match output {
            Ok(Ok(Output { status, .. })) if status.success() => Ok(()),
            Ok(Ok(Output { stderr, .. })) => {
                let said = String::from_utf8_lossy(&stderr).trim().to_owned();
                Err(Error::new(said)).context(wanted)
            }
            Ok(Err(error)) => Err(error).context(wanted),
            Err(_) => Err(Error::new(format!("ssh doesn't answer within {ACTS:?}"))).context(wanted),
        }
    }
}

fn prepare(folder: &Path) -> Result<()> {
    let control = control_socket(folder);
    if control.as_os_str().len() > PATH_LIMIT {
        return Err(
            Error::new(format!("the path of ssh's socket is too long: {}", control.display()))
                .hint("set ITEST_DIR to a folder with a shorter path"),
        );
    }
    // ssh neither replaces a control socket nor tells it from a living one.
    if folder.exists() {
        fs::remove_dir_all(folder).context(|| format!("failed to remove {}", folder.display()))?;
    }
    super::create_folder(folder)
}

fn start(remote: &Remote, folder: &Path) -> Result<Child> {
    let log = folder.join("log");
    let log = fs::File::create(&log).context(|| format!("failed to create {}", log.display()))?;
    let mut command = ssh();
    command.args(["-M", "-N", "-T", "-S"]).arg(control_socket(folder));
    for option in [
        // Nobody is there to answer.
        "BatchMode=yes",
        CONNECTS,
        // It ends with its process, and a connection that is dead is known to be.
        "ControlPersist=no",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
        "StreamLocalBindMask=0177",
        "LogLevel=ERROR",
    ] {
        command.args(["-o", option]);
    }
    let forward = format!("{}:{}", engine_socket(folder).display(), remote.socket);
    command.args(["-L", &forward]);
    if let Some(port) = remote.port {
        command.args(["-p", &port.to_string()]);
    }
    if let Some(user) = &remote.user {
        command.args(["-l", user]);
    }
    command.args(["--", &remote.host]);
    command.stdout(Stdio::null()).stderr(log);
    os::die_with_parent(&mut command, os::Signal::TERM);
    Command::from(command)
        .kill_on_drop(true)
        .spawn()
        .context(|| "failed to run ssh")
        .map_err(|error| error.hint("install OpenSSH's client: DOCKER_HOST names an engine that is reached by ssh"))
}

/// ssh in a session of its own: nobody who sends signals to the tests' process group means it.
fn ssh() -> std::process::Command {
    let mut command = std::process::Command::new("ssh");
    command.stdin(Stdio::null()).current_dir("/");
    os::own_session(&mut command);
    command
}

/// As ssh's own command line names it.
fn target(remote: &Remote) -> String {
    let port = remote.port.map(|port| format!("-p {port} ")).unwrap_or_default();
    let user = remote.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
    format!("{port}{user}{}", remote.host)
}
