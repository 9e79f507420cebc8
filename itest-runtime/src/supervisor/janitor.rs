//! The janitor removes what a supervisor leaves, however the supervisor ends.
//!
//! It is a small shell script that waits on a pipe. When the supervisor ends, the kernel closes the pipe; the janitor then
//! ends servers (where no parent-death signal does it), removes the folders it was told of, and last the lock. Its stdout
//! is the supervisor's lock, so a new supervisor can't start before the old one's leavings are gone.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::error::{Context, Error, Result};
use crate::home::Home;
use crate::os::{self, ProcessId};

/// `$1` the home, `$2` the lock, `$3` the base; on stdin lines such as `dir PATH` and `pids NUMBER…`.
///
/// `rm` is tried again while a dying server still writes.
const SCRIPT: &str = r#"
trap '' HUP INT TERM QUIT PIPE
home=$1 lock=$2 base=$3 pids=
shift 3
while IFS= read -r line; do
  case $line in
    'dir '*) set -- "$@" "${line#dir }" ;;
    'pids '*) pids=${line#pids } ;;
  esac
done
[ -z "$pids" ] || kill -QUIT $pids 2>/dev/null
tries=0
until rm -rf -- "$@" "$home" 2>/dev/null || [ $tries -ge 100 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
rm -f -- "$lock"
rmdir -- "$base" 2>/dev/null
exit 0
"#;

#[derive(Debug)]
pub(super) struct Janitor {
    pipe: ChildStdin,
    /// Held so that the child isn't mistaken for somebody else's.
    _child: Child,
}

impl Janitor {
    pub(super) fn start(home: &Home, lock: File) -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SCRIPT, "itest-janitor"])
            .arg(home.dir())
            .arg(home.lock_path())
            .arg(home.base());
        // Not every system has `rm` in the usual places.
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .current_dir("/")
            .env_clear()
            .env("PATH", format!("{path}:/usr/bin:/bin"));
        command.stdin(Stdio::piped()).stdout(lock).stderr(Stdio::null());
        os::own_session(&mut command);
        let mut child = command.spawn().context(|| "failed to start the janitor with /bin/sh")?;
        let pipe = child
            .stdin
            .take()
            .ok_or_else(|| Error::new("the janitor has no pipe"))?;
        Ok(Self { pipe, _child: child })
    }

    /// Has a folder removed at the end.
    pub(super) fn remove(&mut self, folder: &Path) -> Result<()> {
        let folder = folder.to_str().filter(|folder| !folder.contains('\n'));
        let folder = folder.ok_or_else(|| Error::new("a data folder's path is no plain text"))?;
        self.tell(&format!("dir {folder}\n"))
    }

    /// Has these servers ended at the end, and no longer those named before, where the kernel doesn't do it.
    pub(super) fn end(&mut self, servers: &[ProcessId]) -> Result<()> {
        if os::HAS_PARENT_DEATH_SIGNAL {
            return Ok(());
        }
        let pids: Vec<String> = servers.iter().map(|server| server.pid.to_string()).collect();
        self.tell(&format!("pids {}\n", pids.join(" ")))
    }

    fn tell(&mut self, line: &str) -> Result<()> {
        self.pipe.write_all(line.as_bytes()).context(|| "the janitor is gone")
    }
}
