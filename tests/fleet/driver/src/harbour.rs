//! A harbour: a folder for the supervisors of one driver test, apart from all others.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use crate::engine;
use crate::logbook::Logbook;
use crate::processes::{self, Process};
use crate::runner::Runner;
use crate::seen::{self, Seen};
use crate::wait::wait_until;

/// How long a run's leavings may be there after its linger. Long, for machines that are busy with other tests.
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// What a service's native server runs.
fn program_of(service: &str) -> &str {
    match service {
        "redis" => "redis-server",
        other => other,
    }
}

/// A folder for supervisors, and for all that the fleet writes.
#[derive(Debug)]
pub struct Harbour {
    folder: TempDir,
    seen: Mutex<Seen>,
}

impl Harbour {
    /// Opens an empty one.
    ///
    /// # Panics
    /// When the folder can't be made.
    pub fn open() -> Self {
        let harbour = Self {
            folder: TempDir::with_prefix("fleet-").expect("a folder for temporary files"),
            seen: Mutex::default(),
        };
        std::fs::create_dir(harbour.logbook().folder()).expect("the folder is ours");
        harbour
    }

    /// The supervisors' folder: `ITEST_DIR`.
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("itest")
    }

    /// A path in the harbour that nobody else uses.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the fleet's tests write, unless a run has another.
    pub fn logbook(&self) -> Logbook {
        Logbook::new(self.path("logbook"))
    }

    /// Another logbook, for another run.
    ///
    /// # Panics
    /// When there is one of this name.
    pub fn another_logbook(&self, name: &str) -> Logbook {
        let folder = self.path(name);
        std::fs::create_dir(&folder).expect("nobody else has taken the name");
        Logbook::new(folder)
    }

    /// A run of the fleet by `cargo nextest run`.
    pub fn nextest(&self) -> Runner<'_> {
        Runner::nextest(self)
    }

    /// A run of the fleet by `cargo test`.
    pub fn cargo_test(&self) -> Runner<'_> {
        Runner::cargo_test(self)
    }

    /// A run of test binaries one after the other, without cargo.
    pub fn binaries(&self, binaries: impl IntoIterator<Item = PathBuf>) -> Runner<'_> {
        Runner::binaries(self, binaries)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks who is here now. A run does so all the time.
    pub fn look(&self) {
        self.seen().look(&self.dir());
    }

    /// How many servers were ever seen here.
    pub fn servers_seen(&self) -> usize {
        let seen = self.seen();
        seen.servers.len() + seen.containers.len()
    }

    /// How many supervisors were ever seen here.
    pub fn supervisors_seen(&self) -> usize {
        self.seen().supervisors.len()
    }

    /// The supervisor that is here, or was when it died.
    ///
    /// # Panics
    /// When there is not exactly one.
    pub fn supervisor(&self) -> u32 {
        match seen::supervisors(&self.dir())[..] {
            [supervisor] => supervisor,
            ref others => panic!("there is not one supervisor: {others:?}"),
        }
    }

    /// The processes that know of this harbour.
    pub fn processes(&self) -> Vec<Process> {
        let seen = self.seen();
        let paths: Vec<_> = seen
            .roots
            .iter()
            .map(PathBuf::as_path)
            .chain([self.folder.path()])
            .collect();
        processes::that_know(&paths)
    }

    /// The first process of this name, among all that know of this harbour.
    ///
    /// # Panics
    /// When there is none.
    pub fn process(&self, name: &str) -> Process {
        self.look();
        let all = self.processes();
        let found = all
            .iter()
            .find(|process| process.name == name || process.command.contains(name));
        found.unwrap_or_else(|| panic!("no `{name}` among {all:#?}")).clone()
    }

    /// Kills the first server of a service: the one that started first.
    ///
    /// # Panics
    /// When there is none.
    pub fn kill_server(&self, service: &str) {
        self.look();
        let containers = self.containers();
        let of_service = format!(" itest-{service}-");
        match containers.iter().rfind(|container| container.contains(&of_service)) {
            Some(container) => engine::kill(container),
            None => processes::kill(self.server_process(service)),
        }
    }

    fn server_process(&self, service: &str) -> u32 {
        let name = program_of(service);
        let servers = self.seen().servers.clone();
        let all = self.processes();
        let found = all
            .iter()
            .find(|process| process.name == name && servers.contains(&process.pid));
        found.unwrap_or_else(|| panic!("no server `{name}` among {all:#?}")).pid
    }

    /// Waits until no server of these services is there any more.
    ///
    /// # Panics
    /// When one stays.
    pub fn wait_until_gone(&self, services: &[&str]) {
        let programs: Vec<_> = services.iter().map(|service| program_of(service)).collect();
        wait_until("the end of all servers", GONE_WITHIN, || {
            let processes = self.processes().into_iter();
            let processes = processes.filter(|process| programs.contains(&&*process.name));
            let of_service = |container: &String| {
                services
                    .iter()
                    .any(|service| container.contains(&format!(" itest-{service}-")))
            };
            let containers = self.containers().into_iter().filter(of_service);
            let stay: Vec<_> = processes.map(|process| process.command).chain(containers).collect();
            if stay.is_empty() {
                Ok(())
            } else {
                Err(format!("{stay:#?}"))
            }
        });
    }

    /// The containers of all supervisors that were ever seen here: id, state and name.
    pub fn containers(&self) -> Vec<String> {
        self.look();
        let seen = self.seen();
        if seen.containers.is_empty() {
            return Vec::new();
        }
        let supervisors = seen.supervisors.iter();
        supervisors.flat_map(|pid| engine::containers_of(*pid)).collect()
    }

    /// What is still here: folders, processes, shared memory, containers.
    pub fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        left.extend(
            self.containers()
                .iter()
                .map(|container| format!("container {container}")),
        );
        left.extend(self.dir().exists().then(|| format!("folder {}", self.dir().display())));
        let processes = self.processes();
        left.extend(
            processes
                .iter()
                .map(|process| format!("process {}: {}", process.pid, process.command)),
        );
        let seen = self.seen();
        let roots = seen.roots.iter().filter(|root| root.exists());
        left.extend(roots.map(|root| format!("data {}", root.display())));
        let memory = processes::shared_memory_of(|pid| seen.servers.contains(&pid));
        left.extend(memory.iter().map(|segment| format!("shared memory {segment}")));
        left
    }

    /// Waits until nothing is left.
    ///
    /// # Panics
    /// When something stays.
    pub fn wait_until_empty(&self) {
        wait_until("that nothing is left", GONE_WITHIN, || match self.left() {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{left:#?}")),
        });
    }
}
