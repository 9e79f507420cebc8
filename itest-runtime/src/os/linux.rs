//! Linux: `/proc` and `prctl`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// Whether the kernel ends our children with us.
pub(crate) const HAS_PARENT_DEATH_SIGNAL: bool = true;

/// The environment as `exec` gave it: what the process sets later lies elsewhere.
pub(super) fn first_environment() -> Option<Vec<(OsString, OsString)>> {
    let text = fs::read("/proc/self/environ").ok().filter(|text| !text.is_empty())?;
    let pair = |line: &[u8]| {
        let equals = line.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
        let part = |bytes| OsStr::from_bytes(bytes).to_owned();
        Some((part(&line[..equals]), part(&line[equals + 1..])))
    };
    Some(text.split(|byte| *byte == 0).filter_map(pair).collect())
}

/// The fields of `/proc/PID/stat` after the command's name, which may itself contain blanks and brackets.
fn stat(pid: u32) -> Option<String> {
    let mut stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.drain(..stat.rfind(") ")? + 2);
    Some(stat)
}

/// When the process started, in clock ticks since boot. A zombie counts as ended.
pub(super) fn start_of(pid: u32) -> Option<u64> {
    let stat = stat(pid)?;
    if stat.starts_with(['Z', 'X']) {
        return None;
    }
    // proc(5): the start time is field 22; the state, our first, is field 3.
    stat.split_ascii_whitespace().nth(19)?.parse().ok()
}

pub(super) fn parent_of(pid: u32) -> Option<u32> {
    stat(pid)?.split_ascii_whitespace().nth(1)?.parse().ok()
}

pub(super) fn name_of(pid: u32) -> Option<String> {
    Some(
        fs::read_to_string(format!("/proc/{pid}/comm"))
            .ok()?
            .trim_end()
            .to_owned(),
    )
}

/// Differs between two boots of one machine.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// The world in which this process's pid means something: every container has its own.
pub(crate) fn pid_namespace() -> String {
    fs::read_link("/proc/self/ns/pid")
        .map(|link| link.display().to_string())
        .unwrap_or_default()
}

pub(super) fn set_parent_death_signal(signal: Signal, parent: u32) -> std::io::Result<()> {
    set_parent_process_death_signal(Some(signal))?;
    // The parent may have died before the request: then no signal will ever come.
    if getppid().is_none_or(|ppid| u32::try_from(ppid.as_raw_nonzero().get()).ok() != Some(parent)) {
        return Err(std::io::Error::from_raw_os_error(
            rustix::io::Errno::SRCH.raw_os_error(),
        ));
    }
    Ok(())
}

/// How many processes use a System V shared memory segment of a user's; none if there is no such segment.
pub(crate) fn users_of_segment(id: u32, owner: u32) -> Option<u32> {
    let segments = std::fs::read_to_string("/proc/sysvipc/shm").ok()?;
    // `key shmid perms size cpid lpid nattch uid …`
    segments.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u32>().ok());
        ((number(1), number(7)) == (Some(id), Some(owner))).then(|| number(6))?
    })
}
