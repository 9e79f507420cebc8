//! The janitor removes what a supervisor leaves, however the supervisor ends.
//!
//! It is a small shell script that waits on a pipe. When the supervisor ends, the kernel closes the pipe; the janitor then
//! ends servers (where no parent-death signal does it), removes the folders it was told of, and then the lock. Its stdout
//! is the supervisor's lock, so a new supervisor can't start before the old one's leavings are gone.
//!
//! Somebody may have removed all of them meanwhile, so that another supervisor lives in the same places: what is there says
//! whose it is, by a token, and another's is left alone.
//!
//! Containers take an engine's time, and another supervisor doesn't mind them: they come last, when the lock is free. A
//! script can't speak to an engine; it starts the supervisor's program once more, to sweep.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::error::{Context, Error, Result};
use crate::home::Home;
use crate::naming::random_hex;
use crate::os::{self, ProcessId};

/// `$1` the home, `$2` the lock, `$3` the base, `$4` the token, `$5` and `$6` the program and the test that sweep; on stdin
/// lines such as `dir PATH`, `pids NUMBER…`, and `containers RUN` or `containers`.
///
/// `rm` is tried again while a dying server still writes.
const SCRIPT: &str = r#"
trap '' HUP INT TERM QUIT PIPE
home=$1 lock=$2 base=$3 token=$4 program=$5 test=$6 pids= run= own=
shift 6
while IFS= read -r line; do
  case $line in
    'dir '*) set -- "$@" "${line#dir }" ;;
    'pids '*) pids=${line#pids } ;;
    'containers') run= ;;
    'containers '*) run=${line#containers } ;;
  esac
done
[ -z "$pids" ] || kill -QUIT $pids 2>/dev/null
said() { cat "$1" 2>/dev/null; }
for dir; do
  shift
  whose=$(said "$dir/owner.lock")
  [ -n "$whose" ] && [ "$whose" != "$token" ] || set -- "$@" "$dir"
done
if [ "$(said "$lock")" = "$token" ]; then set -- "$@" "$home"; own=yes; fi
tries=0
until rm -rf -- "$@" 2>/dev/null || [ $tries -ge 100 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
[ -z "$own" ] || rm -f -- "$lock"
rmdir -- "$base" 2>/dev/null
[ -n "$run" ] || exit 0
exec >/dev/null
ITEST_SWEEP=$run exec "$program" --exact "$test" --nocapture --include-ignored
"#;

#[derive(Debug)]
pub(crate) struct Janitor {
    pipe: ChildStdin,
    token: String,
    /// Held so that the child isn't mistaken for somebody else's.
    _child: Child,
}

/// What the sweeping program needs to find the container engine, and itself its libraries.
const INHERITED: &[&str] = &[
    "HOME",
    "XDG_RUNTIME_DIR",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SSH_AUTH_SOCK",
    "DOCKER_HOST",
    #[cfg(feature = "docker")]
    crate::wire::BEHIND,
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
];

impl Janitor {
    /// `test` is a test of this program's, under the name by which a harness knows it.
    pub(crate) fn start(home: &Home, mut lock: File, test: &str) -> Result<Self> {
        let token = random_hex(8);
        let claimed = lock.set_len(0).and_then(|()| lock.write_all(token.as_bytes()));
        claimed.context(|| format!("failed to write to {}", home.lock_path().display()))?;
        let program = os::own_program().context(|| "failed to find this test binary")?;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SCRIPT, "itest-janitor"])
            .arg(home.dir())
            .arg(home.lock_path())
            .arg(home.base())
            .arg(&token)
            .arg(program)
            .arg(test);
        // Not every system has `rm` in the usual places.
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .current_dir("/")
            .env_clear()
            .env("PATH", format!("{path}:/usr/bin:/bin"))
            .envs(
                INHERITED
                    .iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            );
        command.stdin(Stdio::piped()).stdout(lock).stderr(Stdio::null());
        os::own_session(&mut command);
        os::inherit_nothing(&mut command);
        let mut child = command.spawn().context(|| "failed to start the janitor with /bin/sh")?;
        let pipe = child
            .stdin
            .take()
            .ok_or_else(|| Error::new("the janitor has no pipe"))?;
        Ok(Self {
            pipe,
            token,
            _child: child,
        })
    }

    /// What it knows this supervisor's own by.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// A standard input for a child that nothing may be taken away from: the janitor comes when it has ended, too.
    pub(super) fn wait_for(&self) -> Result<Stdio> {
        let pipe = self.pipe.as_fd().try_clone_to_owned();
        pipe.map(Stdio::from)
            .context(|| "failed to duplicate the janitor's pipe")
    }

    /// Has a folder removed at the end.
    pub(super) fn remove(&mut self, folder: &Path) -> Result<()> {
        let folder = folder.to_str().filter(|folder| !folder.contains('\n'));
        let folder = folder.ok_or_else(|| Error::new("a data folder's path is not plain text"))?;
        self.tell(&format!("dir {folder}\n"))
    }

    /// Replaces the list of servers to kill at the end; does nothing where the kernel kills them.
    pub(super) fn end(&mut self, servers: &[ProcessId]) -> Result<()> {
        if os::HAS_PARENT_DEATH_SIGNAL {
            return Ok(());
        }
        let pids: Vec<String> = servers.iter().map(|server| server.pid.to_string()).collect();
        self.tell(&format!("pids {}\n", pids.join(" ")))
    }

    /// Has this run's containers removed at the end, or none.
    #[cfg(feature = "docker")]
    pub(super) fn sweep(&mut self, run: Option<&str>) -> Result<()> {
        match run {
            Some(run) => self.tell(&format!("containers {run}\n")),
            None => self.tell("containers\n"),
        }
    }

    fn tell(&mut self, line: &str) -> Result<()> {
        self.pipe.write_all(line.as_bytes()).context(|| "the janitor is gone")
    }
}
