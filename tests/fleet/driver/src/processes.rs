//! The processes of this machine, as `/proc` shows them. Where there is no `/proc`, none are seen.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal};

/// A process that has to do with a harbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its program's name, at most 15 bytes.
    pub name: String,
    /// Its program and arguments.
    pub command: String,
}

/// All processes that one of `paths` was given to, as an argument or by the environment, or that stand in one of them.
pub(crate) fn that_know(paths: &[&Path]) -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != std::process::id())
        .filter_map(|pid: u32| {
            let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let (command, environment) = (read("cmdline"), read("environ"));
            let stands_in = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
            let knows = |path: &&Path| {
                let path = path.as_os_str().as_encoded_bytes();
                contains(&command, path)
                    || contains(&environment, path)
                    || contains(stands_in.as_os_str().as_encoded_bytes(), path)
            };
            paths.iter().any(knows).then(|| Process {
                pid,
                name: String::from_utf8_lossy(&read("comm")).trim_end().to_owned(),
                command: String::from_utf8_lossy(&command).replace('\0', " "),
            })
        })
        .collect()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The System V shared memory that one of these processes made, whether it still lives or not.
pub(crate) fn shared_memory_of(pids: impl Fn(u32) -> bool) -> Vec<String> {
    let segments = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    // key shmid perms size cpid …
    let maker = |line: &str| line.split_ascii_whitespace().nth(4)?.parse().ok();
    segments
        .lines()
        .filter(|line| maker(line).is_some_and(&pids))
        .map(str::to_owned)
        .collect()
}

/// Ends a process as nobody should: `kill -9`.
pub fn kill(pid: u32) {
    send(pid, Signal::KILL, rustix::process::kill_process);
}

/// Ends a process and all others of its group: `kill -9 -PID`.
pub fn kill_group(pid: u32) {
    send(pid, Signal::KILL, rustix::process::kill_process_group);
}

/// Asks a process to end: `kill PID`.
pub fn terminate(pid: u32) {
    send(pid, Signal::TERM, rustix::process::kill_process);
}

/// Asks a process and all others of its group to end, as Ctrl-C does.
pub fn interrupt_group(pid: u32) {
    send(pid, Signal::INT, rustix::process::kill_process_group);
}

fn send(pid: u32, signal: Signal, how: fn(Pid, Signal) -> rustix::io::Result<()>) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process");
    // It may have ended just now.
    let _ = how(pid, signal);
}
