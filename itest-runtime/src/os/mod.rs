//! What only the operating system can tell or do: other processes' identities, parent-death signals, sessions.
//!
//! Linux-only calls live in `linux`; `portable` answers the same questions with `ps` on every other Unix.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as imp;

#[cfg(not(target_os = "linux"))]
mod portable;
#[cfg(not(target_os = "linux"))]
use portable as imp;

mod segment;

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

pub(crate) use imp::{HAS_PARENT_DEATH_SIGNAL, boot_id, pid_namespace};
pub(crate) use rustix::process::Signal;
pub use segment::SegmentFile;
pub(crate) use segment::read_no_link;

/// One process, for as long as it lives: a pid alone may be used again by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    pub(crate) pid: u32,
    /// When it started, in units of the operating system's own.
    pub(crate) start: u64,
}

impl ProcessId {
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Some(Self {
            pid,
            start: imp::start_of(pid)?,
        })
    }

    pub(crate) fn own() -> Self {
        let pid = std::process::id();
        Self {
            pid,
            start: imp::start_of(pid).unwrap_or(0),
        }
    }

    pub(crate) fn is_alive(self) -> bool {
        imp::start_of(self.pid) == Some(self.start)
    }
}

/// The cargo or nextest process that this test process belongs to, or this process where there is none.
pub(crate) fn anchor() -> ProcessId {
    let own = std::process::id();
    let mut pid = own;
    // A runner may stand a few processes up: a wrapper script, a debugger.
    for _ in 0..4 {
        let Some(parent) = imp::parent_of(pid).filter(|parent| *parent > 1) else {
            break;
        };
        if imp::name_of(parent).is_some_and(|name| name.starts_with("cargo")) {
            // If it was killed just now, this test is the last of its run: no cargo further up is its runner.
            return ProcessId::of(parent).unwrap_or_else(ProcessId::own);
        }
        pid = parent;
    }
    ProcessId::own()
}

/// This machine's name, or this container's.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The program that this process runs, also when it has been rebuilt since and its file is gone.
pub(crate) fn own_program() -> std::io::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let link = Path::new("/proc/self/exe");
    Ok(if exe.exists() || !link.exists() {
        exe
    } else {
        link.to_owned()
    })
}

/// The environment that this process was started with, whatever a test in it has made of its own since: servers and folders are
/// everybody's.
pub(crate) fn environment() -> &'static [(OsString, OsString)] {
    static ENVIRONMENT: OnceLock<Vec<(OsString, OsString)>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| imp::first_environment().unwrap_or_else(|| std::env::vars_os().collect()))
}

/// A variable of [`environment`]. An empty one is none.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    let found = environment().iter().find(|(own, _)| own == name)?;
    Some(found.1.clone()).filter(|value| !value.is_empty())
}

/// The folder for temporary files.
pub(crate) fn temporary_folder() -> PathBuf {
    variable("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
}

/// Takes back what a test may have said of its process before the supervisor was started from it, as far as it can be taken back:
/// to what the system allows, or to what is usual.
pub(crate) fn lift_limits() {
    let lift = |resource, usual: u64| {
        let limits = getrlimit(resource);
        let wanted = limits.maximum.map_or(usual, |maximum| maximum.min(usual));
        if limits.current.is_some_and(|current| current < wanted) {
            let current = Some(wanted).filter(|wanted| *wanted != u64::MAX);
            let maximum = limits.maximum;
            if let Err(error) = setrlimit(resource, Rlimit { current, maximum }) {
                tracing::warn!(%error, ?resource, "a limit could not be lifted");
            }
        }
    };
    for resource in [
        Resource::As,
        Resource::Cpu,
        Resource::Data,
        Resource::Fsize,
        Resource::Nproc,
    ] {
        lift(resource, u64::MAX);
    }
    // More would make programs slow that close all there might be.
    lift(Resource::Nofile, 65_536);
    lift(Resource::Stack, 8 << 20);
}

/// Sends `signal` to the child when the thread that starts it ends, where the system can do that.
///
/// The caller starts the child from a thread that lives as long as the supervisor: the kernel watches the thread, not
/// the process.
pub(crate) fn die_with_parent(command: &mut Command, signal: Signal) {
    let parent = std::process::id();
    // SAFETY: the closure runs between fork and exec and makes two plain system calls, without allocating or locking.
    unsafe {
        command.pre_exec(move || imp::set_parent_death_signal(signal, parent));
    }
}

/// Puts the child into a session of its own, so that no signal to the caller's process group reaches it.
pub(crate) fn own_session(command: &mut Command) {
    // SAFETY: the closure runs between fork and exec and makes one plain system call.
    unsafe {
        command.pre_exec(|| rustix::process::setsid().map(|_| ()).map_err(Into::into));
    }
}

/// Has the child get no descriptor of ours but its standard ones: whoever started us may have handed on a lock, or a pipe
/// whose end somebody waits for. What Rust opens isn't handed on anyway.
pub(crate) fn inherit_nothing(command: &mut Command) {
    let handed_on: Vec<RawFd> = std::fs::read_dir("/dev/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2 && is_handed_on(*number))
        .collect();
    if handed_on.is_empty() {
        return;
    }
    // SAFETY: the closure runs between fork and exec and makes plain system calls, without allocating or locking; of the
    // descriptors nothing but a flag is touched, and that one was closed meanwhile is an error of the call's own.
    unsafe {
        command.pre_exec(move || {
            for number in &handed_on {
                let descriptor = BorrowedFd::borrow_raw(*number);
                let _ = rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC);
            }
            Ok(())
        });
    }
}

fn is_handed_on(number: RawFd) -> bool {
    // SAFETY: nothing but its flags is read; that it was closed meanwhile is an error of the call's own.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_getfd(descriptor).is_ok_and(|flags| !flags.contains(rustix::io::FdFlags::CLOEXEC))
}

/// Sends `signal` to a process that this supervisor started; one that is gone is not an error.
pub(crate) fn send_signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Ports of this machine's address that were free a moment ago, no two of them the same. Somebody may take one before it is
/// used: the caller then tries others.
pub(crate) fn free_ports(address: &str, count: usize) -> std::io::Result<Vec<u16>> {
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind((address, 0)))
        .collect::<std::io::Result<_>>()?;
    listeners
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_pid_and_start_time() {
        let own = ProcessId::own();
        assert!(own.is_alive());
        assert!(
            !ProcessId {
                start: own.start + 1,
                ..own
            }
            .is_alive()
        );
    }

    #[test]
    fn a_child_inherits_nothing_but_what_it_is_given() {
        let file = std::fs::File::open("/dev/null").expect("it is there");
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).expect("a flag");
        let number = std::os::fd::AsRawFd::as_raw_fd(&file);
        let has_it = |prepare: fn(&mut Command)| {
            let mut command = Command::new("test");
            command.args(["-e", &format!("/dev/fd/{number}")]);
            prepare(&mut command);
            command.status().expect("`test` runs").success()
        };
        assert!(has_it(|_| {}));
        assert!(!has_it(inherit_nothing));
    }

    #[test]
    fn a_process_that_ended_is_not_alive() {
        let mut child = Command::new("true").spawn().expect("`true` starts");
        let id = ProcessId::of(child.id());
        child.wait().expect("`true` ends");
        assert!(id.is_none_or(|id| !id.is_alive()));
    }
}
