//! The container engine, as a person sees it and as a supervisor does: through a stand-in that can hold a call up.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::binaries;

/// Local images, which `cargo xtask images` makes.
pub(crate) const IMAGES: [(&str, &str); 2] = [
    ("ITEST_POSTGRES_IMAGE", "localhost/itest-postgres:15"),
    ("ITEST_REDIS_IMAGE", "localhost/itest-redis:7.0"),
];

/// How long a call may take to come.
const COMES: Duration = Duration::from_secs(40);

/// All containers, running or not, that a supervisor of this pid has made.
pub(crate) fn containers_of(supervisor: u32) -> Vec<String> {
    let filter = format!("label=itest.owner.pid={supervisor}");
    let output = Command::new("docker")
        .args(["ps", "-a", "--no-trunc", "--filter", &filter])
        .args(["--format", "{{.ID}} {{.State}} {{.Names}}"])
        .stdin(Stdio::null())
        .output()
        .expect("docker runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8_lossy(&output.stdout);
    listed.lines().map(str::to_owned).collect()
}

/// Kills a container, by its line in a list.
pub(crate) fn kill(container: &str) {
    let id = container.split(' ').next().unwrap_or_default();
    let output = Command::new("docker").args(["kill", id]).output().expect("docker runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Where the engine listens.
fn socket() -> PathBuf {
    let named = std::env::var("DOCKER_HOST").unwrap_or_default();
    PathBuf::from(named.strip_prefix("unix://").unwrap_or("/var/run/docker.sock"))
}

/// Which call is held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The engine never hears that a container is to be started.
    Start,
    /// The engine creates a container, and the caller never hears of it.
    Created,
}

/// Stands in for the engine, and passes everything on but for one kind of call.
#[derive(Debug)]
pub struct StandIn {
    socket: PathBuf,
    held: Receiver<()>,
}

impl StandIn {
    /// Listens on a socket of this path.
    ///
    /// # Panics
    /// When it can't.
    pub fn listen(socket: &Path, hold: Hold) -> Self {
        // What a run has to build first is no part of the time that a call may take.
        binaries::ensure_built();
        let listener = UnixListener::bind(socket).expect("the path is free");
        let (report, reports) = channel();
        let report = Arc::new(report);
        thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                let report = report.clone();
                thread::spawn(move || pass_on(&caller, hold, &report));
            }
        });
        Self {
            socket: socket.to_owned(),
            held: reports,
        }
    }

    /// What `DOCKER_HOST` has to be.
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Waits until a call is held up.
    ///
    /// # Panics
    /// When none comes.
    pub fn wait_until_held(&self) {
        self.held.recv_timeout(COMES).expect("such a call comes");
    }
}

fn pass_on(caller: &UnixStream, hold: Hold, tell: &Sender<()>) {
    let engine = UnixStream::connect(socket()).expect("the engine listens");
    thread::scope(|scope| {
        let (held_up, answers_held) = channel();
        let answering = &engine;
        scope.spawn(move || answer(answering, caller, &answers_held, tell));
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = (&mut &*caller).read(&mut buffer) {
            let said = String::from_utf8_lossy(&buffer[..length]);
            let posts = |end: &str| {
                said.lines()
                    .next()
                    .is_some_and(|line| line.starts_with("POST ") && line.contains(end))
            };
            match hold {
                Hold::Start if posts("/start HTTP") => {
                    let _ = tell.send(());
                    continue;
                }
                Hold::Created if posts("/containers/create") => {
                    let _ = held_up.send(());
                }
                _ => {}
            }
            if (&mut &engine).write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = engine.shutdown(Shutdown::Both);
    });
}

/// The engine's answers, until they are held up: the next one is then read, and kept.
fn answer(mut engine: &UnixStream, mut caller: &UnixStream, held: &Receiver<()>, tell: &Sender<()>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = engine.read(&mut buffer) {
        if held.try_recv().is_ok() {
            let _ = tell.send(());
            return;
        }
        if caller.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = caller.shutdown(Shutdown::Both);
}
