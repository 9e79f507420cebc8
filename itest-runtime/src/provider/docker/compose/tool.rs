//! Docker's compose tool: `docker compose`, or the older `docker-compose`.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

use crate::error::{Context, Error, Result};
use crate::os;

/// How long the tool may take to say its version, or to read a file.
const READS: Duration = Duration::from_secs(20);

/// How long building images may take.
const BUILDS: Duration = Duration::from_mins(30);

/// The two ways to call it. The older one understands the same.
const WAYS: &[&[&str]] = &[&["docker", "compose"], &["docker-compose"]];

#[derive(Debug, Clone, Copy)]
pub(super) struct Tool(&'static [&'static str]);

impl Tool {
    /// # Errors
    /// When there is none.
    pub(super) async fn find() -> Result<Self> {
        for way in WAYS {
            let mut command = Self(way).command(Path::new("/"));
            command.arg("version");
            if run(command, READS).await.is_ok_and(|output| output.status.success()) {
                return Ok(Self(way));
            }
        }
        Err(
            Error::new("neither `docker compose` nor `docker-compose` works here").hint(
                "install Docker's compose plugin: `apt-get install docker-compose-plugin` or `docker-compose`, or \
                   `brew install docker-compose`",
            ),
        )
    }

    /// A call of the tool, which ends with the supervisor.
    fn command(self, folder: &Path) -> Command {
        let mut command = std::process::Command::new(self.0[0]);
        command.args(&self.0[1..]).current_dir(folder);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Nobody who sends signals to the tests' process group means it.
        os::own_session(&mut command);
        os::die_with_parent(&mut command, os::Signal::KILL);
        let mut command = Command::from(command);
        command.kill_on_drop(true);
        command
    }

    /// What the tool makes of the user's file, as YAML.
    pub(super) async fn resolve(
        self,
        project: &str,
        file: &Path,
        profiles: &[String],
        env: &[(String, String)],
    ) -> Result<String> {
        let mut command = self.command(file.parent().unwrap_or(Path::new("/")));
        command.args(["-p", project, "-f"]).arg(file);
        command.args(profiles.iter().flat_map(|profile| ["--profile", profile]));
        command
            .arg("config")
            .envs(env.iter().map(|(name, value)| (name, value)));
        let output = run(command, READS).await?;
        check(&output, || format!("failed to read {}", file.display()))?;
        String::from_utf8(output.stdout).context(|| format!("{} is not UTF-8", file.display()))
    }
}

/// Calls of the tool for a file of ours.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) tool: Tool,
    pub(super) project: &'a str,
    pub(super) file: &'a Path,
    /// What relative paths are relative to.
    pub(super) folder: &'a Path,
    pub(super) profiles: &'a [String],
}

impl Call<'_> {
    /// Builds the images that have to be built; what has not changed is there already.
    pub(super) async fn build(&self) -> Result<()> {
        let mut command = self.command();
        command.arg("build");
        let output = run(command, BUILDS).await?;
        check(&output, || "failed to build an image".to_owned())
    }

    /// Creates and starts everything. The images are there.
    pub(super) async fn up(&self, patience: Duration) -> Result<()> {
        let mut command = self.command();
        command.args(["up", "-d"]);
        let output = run(command, patience).await?;
        check(&output, || "the compose tool failed".to_owned())
    }

    fn command(&self) -> Command {
        let mut command = self.tool.command(self.folder);
        command.args(["-p", self.project, "-f"]).arg(self.file);
        command.arg("--project-directory").arg(self.folder);
        command.args(self.profiles.iter().flat_map(|profile| ["--profile", profile]));
        command
    }
}

async fn run(mut command: Command, patience: Duration) -> Result<Output> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    match tokio::time::timeout(patience, command.output()).await {
        Ok(output) => output.context(|| format!("failed to run {program}")),
        Err(_) => Err(Error::new(format!("{program} was not done within {patience:?}"))
            .hint("set ITEST_START_TIMEOUT to more if this machine is slow")),
    }
}

fn check(output: &Output, failed: impl Fn() -> String) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<String> = said.lines().map(str::to_owned).collect();
    let last = lines[lines.len().saturating_sub(12)..].to_vec();
    Err(Error::new(format!("{} ({})", failed(), output.status)).log("it said", last))
}
