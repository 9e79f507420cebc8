//! Every other Unix: `ps` tells what `/proc` tells on Linux; where there is no parent-death signal, the janitor ends the
//! servers.

use std::ffi::OsString;
use std::process::Command;

use rustix::process::Signal;
use xxhash_rust::xxh3::xxh3_64;

/// Whether the kernel ends our children with us.
pub(crate) const HAS_PARENT_DEATH_SIGNAL: bool = false;

/// Nobody tells what a process was started with.
pub(super) fn first_environment() -> Option<Vec<(OsString, OsString)>> {
    None
}

fn ps(column: &str, pid: u32) -> Option<String> {
    let output = Command::new("ps")
        .args(["-o", &format!("{column}="), "-p", &pid.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// A number made of the start time that `ps` prints. A zombie counts as ended.
pub(super) fn start_of(pid: u32) -> Option<u64> {
    if ps("stat", pid)?.starts_with('Z') {
        return None;
    }
    // Other builds must come to the same number: it is on containers' labels.
    Some(xxh3_64(ps("lstart", pid)?.as_bytes()))
}

pub(super) fn parent_of(pid: u32) -> Option<u32> {
    ps("ppid", pid)?.parse().ok()
}

pub(super) fn name_of(pid: u32) -> Option<String> {
    let command = ps("comm", pid)?;
    Some(command.rsplit('/').next().unwrap_or(&command).to_owned())
}

/// Differs between two boots of one machine; empty where that isn't known. (`kern.boottime` moves when the clock is set.)
pub(crate) fn boot_id() -> String {
    Command::new("sysctl")
        .args(["-n", "kern.bootsessionuuid"])
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}

/// The world in which this process's pid means something: there is only one.
pub(crate) fn pid_namespace() -> String {
    String::new()
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature is shared with Linux, where the call can fail"
)]
pub(super) fn set_parent_death_signal(_signal: Signal, _parent: u32) -> std::io::Result<()> {
    Ok(())
}

/// How many processes use a System V shared memory segment of a user's, which can't be told here: of one's own it is said that
/// none does. Only one's own can be removed, and one that is in use goes when it no longer is.
pub(crate) fn users_of_segment(_id: u32, owner: u32) -> Option<u32> {
    (owner == rustix::process::geteuid().as_raw() && owner != 0).then_some(0)
}
