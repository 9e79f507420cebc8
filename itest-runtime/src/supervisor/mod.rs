//! The background process that owns servers, slices and leases.
//!
//! It is a test binary, started again (see [`crate::client`]). Everything runs on one thread, which lives as long as the
//! supervisor: the kernel sends a parent-death signal when the *thread* that started a child ends.

mod door;
mod launch;
mod lease;
mod lifetime;
mod pool;
mod request;
mod residence;
mod room;
mod seats;
mod server;
mod servers;
mod settings;
mod template;

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use crate::case::Case;
use crate::error::{Context, Result};
use crate::estate::{Janitor, Leavings, Roots, StateFile, in_background};
use crate::home::Home;
use crate::os;
use crate::provider::Surroundings;
#[cfg(feature = "docker")]
use crate::provider::docker::Docker;
use crate::service::Driver;
use crate::spec::Request;
use crate::wire::ExeStamp;
use door::Door;
use lifetime::Lifetime;
pub(crate) use residence::Residence;
use residence::Signals;
use servers::Servers;
pub(crate) use settings::Settings;

/// The exit code of a supervisor that failed: a test harness has no such code.
pub(crate) const FAILED: i32 = 87;
/// That of a supervisor whose time was over, which may be soon: a newer build may ask at once.
pub(crate) const OVER: i32 = 86;

/// How long a supervisor's end may take for the sake of what others have left.
const HARVEST: Duration = Duration::from_secs(5);
/// How long to wait after a caller that could not be let in.
const BREATH: Duration = Duration::from_millis(50);

/// Becomes the supervisor, and never returns, if this process was started to be one.
pub(crate) fn take_over_if_asked(case: &Case) {
    #[cfg(feature = "docker")]
    if let Some(run) = std::env::var_os(crate::wire::SWEEP) {
        sweep(&run.to_string_lossy());
    }
    let Some(settings) = std::env::var_os(crate::wire::SUPERVISE) else {
        return;
    };
    // Whatever that of the test is: servers run as another user must get through to their folders. What is private is made so.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    os::lift_limits();
    let outcome = Settings::parse(&settings).and_then(|settings| {
        let begun = settings.home().begun();
        fs::write(&begun, "").context(|| format!("failed to create {}", begun.display()))?;
        // The client's lock came in as our stdin.
        let lock = std::io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .context(|| "failed to take the lock over")?;
        serve(&settings, File::from(lock), case, Residence::Own)
    });
    match outcome {
        Ok(()) => std::process::exit(OVER),
        Err(error) => {
            eprintln!("the supervisor failed: {}", error.render());
            std::process::exit(FAILED)
        }
    }
}

/// Removes what a dead supervisor has on the container engine, and never returns.
#[cfg(feature = "docker")]
fn sweep(run: &str) -> ! {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // Nobody is there to hear of a failure; the next supervisor tries, too.
    let swept = runtime.map(|runtime| runtime.block_on(crate::provider::docker::sweep(run)));
    std::process::exit(if matches!(swept, Ok(Ok(()))) { 0 } else { FAILED })
}

/// Runs the supervisor on this thread until its time is over.
pub(crate) fn serve(settings: &Settings, lock: File, case: &Case, residence: Residence) -> Result<()> {
    let _logging = tracing::subscriber::set_default(
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(residence.log(&settings.home())?)
            .with_target(false)
            .finish(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context(|| "failed to make the supervisor's runtime")?;
    let served = runtime.block_on(async {
        let (supervisor, door, harvest) = Supervisor::open(settings, lock, case)?;
        supervisor.run(door, Signals::listen(residence)?).await;
        // What takes longer is left to the next one, which must not wait for us.
        let _ = tokio::time::timeout(HARVEST, harvest).await;
        Ok(())
    });
    runtime.shutdown_background();
    served
}

/// One supervisor.
struct Supervisor {
    home: Home,
    exe: ExeStamp,
    /// By identity.
    drivers: HashMap<String, Driver>,
    around: Surroundings,
    servers: Servers,
    lifetime: Lifetime,
    next_number: AtomicU64,
    start_timeout: Duration,
    /// How long templates are kept between runs.
    keep_templates: Duration,
}

impl Supervisor {
    /// Listens, and cleans up behind the dead meanwhile.
    fn open(settings: &Settings, lock: File, case: &Case) -> Result<(Arc<Self>, Door, JoinHandle<()>)> {
        let home = settings.home();
        let leavings = Leavings::of(&home);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(home.dir())
            .context(|| format!("failed to create {}", home.dir().display()))?;
        let janitor = Janitor::start(&home, lock, &case.harness_name())?;
        let state = StateFile::new(&home);
        let door = Door::open(&home)?;
        tracing::info!(
            pid = std::process::id(),
            build = crate::wire::BUILD,
            "supervisor starts"
        );
        let roots = Roots::new(home.key(), janitor, state);
        let supervisor = Self {
            exe: settings.exe.clone(),
            drivers: drivers(case),
            around: Surroundings {
                #[cfg(feature = "docker")]
                docker: Docker::new(roots.clone()),
                roots,
                cache_dir: settings.cache_dir(),
                server_user: settings.server_user.clone(),
            },
            servers: Servers::default(),
            lifetime: Lifetime::new(settings.linger),
            next_number: AtomicU64::new(1),
            start_timeout: settings.start_timeout,
            keep_templates: settings.keep_templates,
            home,
        };
        let harvest = supervisor.harvest(leavings);
        Ok((Arc::new(supervisor), door, harvest))
    }

    /// Removes what the dead have left, beside all else that goes on.
    fn harvest(&self, leavings: Leavings) -> JoinHandle<()> {
        let home = self.home.clone();
        let removed = in_background(move || leavings.remove(&home));
        #[cfg(feature = "docker")]
        let docker = self.around.docker.clone();
        tokio::spawn(async move {
            if removed.await.is_ok_and(|leavings| leavings.containers) {
                #[cfg(feature = "docker")]
                docker.harvest().await;
                #[cfg(not(feature = "docker"))]
                tracing::warn!("a dead supervisor left containers; this build has no docker provider to remove them");
            }
        })
    }

    /// None if this program is linked with no service of that code.
    fn driver(&self, request: &Request) -> Option<&Driver> {
        self.drivers.get(&request.identity)
    }

    /// A number that no other slice of this supervisor's has.
    fn next_number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    async fn accept(self: &Arc<Self>, stream: UnixStream) {
        // The folder is closed to others already; root could still come in.
        let own = rustix::process::geteuid().as_raw();
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == own => lease::serve(self, stream).await,
            Ok(peer) => tracing::warn!(uid = peer.uid(), "a stranger was turned away"),
            Err(error) => tracing::warn!(%error, "a caller that can't be known was turned away"),
        }
    }

    async fn run(self: Arc<Self>, mut door: Door, mut signals: Signals) {
        let mut over = std::pin::pin!(self.lifetime.over());
        let why = loop {
            tokio::select! {
                accepted = door.accept() => {
                    match accepted {
                        Ok(stream) => {
                            let supervisor = self.clone();
                            tokio::spawn(async move { supervisor.accept(stream).await });
                        }
                        // Too many open files, perhaps: they become fewer when leases end.
                        Err(error) => {
                            tracing::warn!(%error, "a caller could not be let in");
                            tokio::time::sleep(BREATH).await;
                        }
                    }
                }
                () = door.is_gone() => match door.reopened() {
                    Some(again) => {
                        tracing::warn!("the socket was removed; there is another");
                        door = again;
                    }
                    None => {
                        self.lifetime.drain();
                        self.end("its folder was removed", None, signals).await;
                        return;
                    }
                },
                () = self.lifetime.drained() => break "a newer build takes over",
                () = &mut over => break "nobody needs it any more",
                signal = signals.next() => break signal,
            }
        };
        self.end(why, Some(door), signals).await;
    }

    /// Waits for leases where they are waited for, then stops everything.
    async fn end(&self, why: &str, door: Option<Door>, mut signals: Signals) {
        tracing::info!(why, "supervisor ends");
        if let Some(door) = door {
            door.close();
        }
        tokio::select! {
            () = self.lifetime.last_lease_if_draining() => {}
            _ = signals.next() => {}
        }
        self.servers.stop_all().await;
        #[cfg(feature = "docker")]
        if self.around.docker.clear().await {
            self.around.roots.no_containers();
        }
    }
}

/// The facade's services, and those that this binary's tests declare.
fn drivers(case: &Case) -> HashMap<String, Driver> {
    (case.linked)()
        .into_iter()
        .chain(case.declared())
        .map(|driver| (driver.identity().to_owned(), driver))
        .collect()
}
