//! Where everything is measured: folders of this run's own, one server for the suites without itest, and a supervisor that
//! stays as long as that server is held.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::programs::Programs;

/// How long a supervisor may take to end, with all that it leaves.
const ENDS: Duration = Duration::from_secs(20);

/// What the folder's name begins with; the rest is the pid of its owner.
const FOLDER: &str = "itest-bench-";

pub(super) struct Ground {
    dir: PathBuf,
    pub(super) server_version: String,
    database_url: String,
    /// Ends when its stdin does, and its server with it.
    holder: Child,
    /// The holder's harness prints now and then, and would end if nobody could hear it.
    _heard: BufReader<ChildStdout>,
}

impl Ground {
    pub(super) fn prepare(programs: &Programs) -> Result<Self> {
        // Short, as sockets' paths must be.
        remove_leftovers();
        let dir = std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id()));
        fs::create_dir(&dir).with_context(|| format!("failed to create {}", dir.display()))?;
        let mut command = programs.command("server");
        settings(&mut command, &dir.join("warm"), &dir.join("cache"));
        command.args(["--exact", "hold", "--nocapture"]);
        let mut holder = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start the server")?;
        let said = holder.stdout.take().context("the server has no stdout")?;
        let mut heard = BufReader::new(said);
        let mut lines = heard.by_ref().lines().map_while(Result::ok);
        let mut value = |name: &str| lines.find_map(|line| Some(line.split_once(name)?.1.trim().to_owned()));
        let told = value("SERVER_VERSION=").zip(value("DATABASE_URL="));
        let Some((server_version, database_url)) = told else {
            let _ = holder.kill();
            let _ = holder.wait();
            bail!("the server for the suites without itest didn't start");
        };
        Ok(Self {
            dir,
            server_version,
            database_url,
            holder,
            _heard: heard,
        })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Has a command use the warm supervisor, and the server that is there for the suites without itest.
    pub(super) fn warm<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        settings(command, &self.dir.join("warm"), &self.dir.join("cache")).env("DATABASE_URL", &self.database_url)
    }

    /// Has a command start a supervisor of its own: to be ended by [`Cold::end`].
    pub(super) fn cold<'a>(&self, command: &'a mut Command, cache: Cache) -> (Cold, &'a mut Command) {
        let home = self.dir.join("cold");
        let cache = match cache {
            Cache::Full => self.dir.join("cache"),
            Cache::Empty => home.join("cache"),
        };
        let command = settings(command, &home.join("s"), &cache);
        (Cold { home }, command)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
        // The supervisor follows, as nothing else keeps it; its folder goes last.
        let _ = end_supervisor(&self.dir.join("warm"));
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A run that was killed leaves its folder; what ran in it has ended with its stdin.
fn remove_leftovers() {
    let entries = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    let dead = |name: &str| {
        let owner = name.strip_prefix(FOLDER).map(|pid| Path::new("/proc").join(pid));
        Path::new("/proc/self").exists() && owner.is_some_and(|owner| !owner.exists())
    };
    for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(dead)) {
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// Whether what `initdb` makes has been kept from an earlier start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    Full,
    Empty,
}

/// A supervisor of one measurement's own.
pub(super) struct Cold {
    home: PathBuf,
}

impl Cold {
    /// Returns when it and all that it left are gone.
    pub(super) fn end(self) -> Result<()> {
        end_supervisor(&self.home.join("s"))?;
        if self.home.exists() {
            fs::remove_dir_all(&self.home).with_context(|| format!("failed to remove {}", self.home.display()))?;
        }
        Ok(())
    }
}

/// A person's own settings of places and providers would measure something else.
fn settings<'a>(command: &'a mut Command, home: &Path, cache: &Path) -> &'a mut Command {
    for other in [
        "ITEST_DATA_DIR",
        "ITEST_POSTGRES_PROVIDER",
        "ITEST_POSTGRES_URL",
        "ITEST_KEEP",
    ] {
        command.env_remove(other);
    }
    command
        .env("ITEST_DIR", home)
        .env("ITEST_CACHE_DIR", cache)
        .env("ITEST_PROVIDER", "native")
        .env("ITEST_LINGER", "0")
}

/// Tells the supervisor that lives in `base` to end, and waits until it has taken `base` away.
fn end_supervisor(base: &Path) -> Result<()> {
    let deadline = Instant::now() + ENDS;
    let homes = fs::read_dir(base).into_iter().flatten().flatten();
    for state in homes.map(|home| home.path().join("state.json")) {
        if let Some(pid) = fs::read_to_string(state).ok().as_deref().and_then(supervisor_in) {
            let _ = Command::new("kill").arg(pid).stderr(Stdio::null()).status();
        }
    }
    while base.exists() {
        if Instant::now() > deadline {
            bail!("the supervisor in {} doesn't end", base.display());
        }
        sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The supervisor's pid, as its state file tells it.
fn supervisor_in(state: &str) -> Option<&str> {
    let (_, rest) = state.split_once("\"supervisor\":{\"pid\":")?;
    rest.split([',', '}']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_file_tells_the_supervisor() {
        let state = r#"{"supervisor":{"pid":4711,"start":99},"boot":"x","roots":[],"servers":[]}"#;
        assert_eq!(supervisor_in(state), Some("4711"));
        assert_eq!(supervisor_in("{}"), None);
    }
}
