//! Where everything is measured on one kind of server: folders of its own, databases for the suites without itest, and a
//! supervisor that stays as long as these are held.

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

/// Settings for itest and the suites.
pub(super) type Settings = Vec<(&'static str, String)>;

pub(super) struct Ground {
    dir: PathBuf,
    /// By which servers run as they do here.
    settings: Settings,
    /// What the holder tells the suites, by the names of variables.
    told: Settings,
    /// Ends when its stdin does, and what it holds with it.
    holder: Child,
    /// The holder's harness prints now and then, and would end if nobody could hear it.
    _heard: BufReader<ChildStdout>,
}

/// A test that prints where something is, in this order, and holds it until its stdin ends.
pub(super) struct Holder {
    pub(super) target: &'static str,
    pub(super) tells: &'static [&'static str],
}

/// A database on the server that the tests with itest use, and a server that nobody else uses.
pub(super) const DATABASES: Holder = Holder {
    target: "server",
    tells: &["SERVER_VERSION", "FLOOR_URL", "DATABASE_URL"],
};

impl Ground {
    pub(super) fn prepare(programs: &Programs, dir: PathBuf, settings: Settings, holds: &Holder) -> Result<Self> {
        fs::create_dir(&dir).with_context(|| format!("failed to create {}", dir.display()))?;
        let mut command = programs.command(holds.target);
        set(&mut command, &settings, &dir.join("warm"), &dir.join("cache"));
        command.args(["--exact", "hold", "--nocapture"]);
        let mut holder = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start the server")?;
        let said = holder.stdout.take().context("the server has no stdout")?;
        let mut heard = BufReader::new(said);
        let mut lines = heard.by_ref().lines().map_while(Result::ok);
        let mut value = |name: &&'static str| {
            let told = format!("{name}=");
            let value = lines.find_map(|line| Some(line.split_once(&told)?.1.trim().to_owned()));
            Some((*name, value?))
        };
        let told: Option<Settings> = holds.tells.iter().map(&mut value).collect();
        let Some(told) = told else {
            let _ = holder.kill();
            let _ = holder.wait();
            bail!("the servers for the suites without itest didn't start");
        };
        Ok(Self {
            dir,
            settings,
            told,
            holder,
            _heard: heard,
        })
    }

    /// What the holder told by that name.
    pub(super) fn told(&self, name: &str) -> &str {
        let told = self.told.iter().find(|(known, _)| *known == name);
        told.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(super) fn server_version(&self) -> &str {
        self.told("SERVER_VERSION")
    }

    pub(super) fn floor_url(&self) -> &str {
        self.told("FLOOR_URL")
    }

    /// Has a command use the warm supervisor, and what is there for the suites without itest.
    pub(super) fn warm<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        set(command, &self.settings, &self.dir.join("warm"), &self.dir.join("cache"))
            .envs(self.told.iter().map(|(name, value)| (name, value)))
    }

    /// The pid of the warm supervisor.
    pub(super) fn supervisor(&self) -> Option<String> {
        let homes = fs::read_dir(self.dir.join("warm")).into_iter().flatten().flatten();
        let mut states = homes.filter_map(|home| fs::read_to_string(home.path().join("state.json")).ok());
        states.find_map(|state| supervisor_in(&state).map(str::to_owned))
    }

    /// Has a command start a supervisor of its own: to be ended by [`Cold::end`].
    pub(super) fn cold<'a>(&self, command: &'a mut Command, cache: Cache) -> (Cold, &'a mut Command) {
        let home = self.dir.join("cold");
        let folder = match cache {
            Cache::Full | Cache::WithTemplates => self.dir.join("cache"),
            Cache::Empty => home.join("cache"),
        };
        let command = set(command, &self.settings, &home.join("s"), &folder);
        if cache == Cache::WithTemplates {
            command.env("ITEST_KEEP_TEMPLATES", "1h");
        }
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

/// What has been kept from an earlier start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    Empty,
    /// What `initdb` makes.
    Full,
    /// Templates besides, from the second time on.
    WithTemplates,
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
fn set<'a>(command: &'a mut Command, settings: &Settings, home: &Path, cache: &Path) -> &'a mut Command {
    for other in [
        "ITEST_DATA_DIR",
        "ITEST_POSTGRES_PROVIDER",
        "ITEST_POSTGRES_URL",
        "ITEST_POSTGRES_IMAGE",
        "ITEST_IMAGE_PREFIX",
        "ITEST_KEEP",
    ] {
        command.env_remove(other);
    }
    command
        .env("ITEST_DIR", home)
        .env("ITEST_CACHE_DIR", cache)
        .env("ITEST_LINGER", "0")
        .env("ITEST_KEEP_TEMPLATES", "0")
        .envs(settings.iter().map(|(name, value)| (name, value)))
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
