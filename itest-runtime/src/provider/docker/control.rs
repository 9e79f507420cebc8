//! What a test may do to a container that it was given: run commands in it, read its log, stop it and start it again.

use std::collections::BTreeMap;
use std::fmt;

use futures_util::StreamExt;
use testcontainers::bollard::container::LogOutput;
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::exec::{CreateExecOptions, StartExecResults};
use testcontainers::bollard::models::{ContainerStateStatusEnum, HealthStatusEnum};
use testcontainers::bollard::query_parameters::{
    InspectContainerOptions, KillContainerOptionsBuilder, LogsOptionsBuilder, StartContainerOptions,
    StopContainerOptionsBuilder,
};

use super::engine::{Engine, within};
use super::ports::{Chosen, published};
use crate::error::{Context, Error, Result};
use crate::provider::ContainerPlace;

/// A container that runs somewhere, for whoever knows where.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    engine: Engine,
    id: String,
}

/// What a command in a container led to.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ExecOutput {
    /// Its exit code: 0 is success.
    pub exit_code: i64,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
}

impl ExecOutput {
    /// Whether the exit code is 0.
    pub fn is_success(&self) -> bool {
        self.exit_code == 0
    }

    /// Its standard output as a text; what is not UTF-8 is replaced.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Its standard error as a text; what is not UTF-8 is replaced.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

impl fmt::Debug for ExecOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecOutput")
            .field("exit_code", &self.exit_code)
            .field("stdout", &self.stdout())
            .field("stderr", &self.stderr())
            .finish()
    }
}

/// How a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It runs, and its own health check, if it has one, says yes.
    Healthy,
    /// It runs, and its own health check hasn't said yes.
    Starting,
    /// It runs, but there is no health check that could say anything.
    Unchecked,
    /// It doesn't run (any more).
    Ended { exit_code: i64 },
}

impl ContainerPlace {
    /// Runs a command in the container and waits for its end; a command that fails is not an error: see [`ExecOutput::exit_code`]. A
    /// service's [`connect`](crate::service::Service::connect) may do so, for what has to be done inside once the server runs.
    ///
    /// # Errors
    /// When the engine can't run it: the container doesn't run, perhaps.
    pub async fn exec<S: Into<String>>(&self, command: impl IntoIterator<Item = S>) -> Result<ExecOutput> {
        let control = Control::of(self).await?;
        control.exec(command.into_iter().map(Into::into).collect()).await
    }
}

impl Control {
    /// # Errors
    /// When the engine doesn't answer.
    pub(crate) async fn of(place: &ContainerPlace) -> Result<Self> {
        Ok(Self {
            engine: Engine::of(place.tunnel.as_deref()).await?,
            id: place.id.clone(),
        })
    }

    pub(crate) async fn exec(&self, command: Vec<String>) -> Result<ExecOutput> {
        let wanted = format!("failed to run `{}` in the container", command.join(" "));
        self.run(command).await.context(|| wanted)
    }

    async fn run(&self, command: Vec<String>) -> Result<ExecOutput, EngineError> {
        let options = CreateExecOptions {
            cmd: Some(command),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let exec = within(self.engine.docker.create_exec(&self.id, options)).await?;
        let mut output = ExecOutput::default();
        // How long it takes is the command's affair.
        if let StartExecResults::Attached { output: mut said, .. } =
            self.engine.docker.start_exec(&exec.id, None).await?
        {
            while let Some(chunk) = said.next().await {
                match chunk? {
                    LogOutput::StdErr { message } => output.stderr.extend_from_slice(&message),
                    other => output.stdout.extend_from_slice(&other.into_bytes()),
                }
            }
        }
        let ended = within(self.engine.docker.inspect_exec(&exec.id)).await?;
        output.exit_code = ended.exit_code.unwrap_or_default();
        Ok(output)
    }

    /// All that it has written so far, both streams in the engine's order.
    pub(crate) async fn logs(&self) -> Result<String> {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).build();
        let mut said = std::pin::pin!(self.engine.docker.logs(&self.id, Some(options)));
        let mut text = Vec::new();
        while let Some(chunk) = said.next().await {
            let chunk = chunk.context(|| "failed to read the container's log")?;
            text.extend_from_slice(&chunk.into_bytes());
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    pub(crate) async fn stop(&self, seconds: i32) -> Result<()> {
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        self.engine
            .docker
            .stop_container(&self.id, Some(options))
            .await
            .context(|| "failed to stop the container")
    }

    pub(crate) async fn start(&self) -> Result<()> {
        let started = self
            .engine
            .docker
            .start_container(&self.id, None::<StartContainerOptions>);
        within(started).await.context(|| "failed to start the container again")
    }

    pub(crate) async fn kill(&self, signal: &str) -> Result<()> {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        within(self.engine.docker.kill_container(&self.id, Some(options)))
            .await
            .context(|| format!("failed to send {signal} to the container"))
    }

    pub(crate) async fn pause(&self) -> Result<()> {
        within(self.engine.docker.pause_container(&self.id))
            .await
            .context(|| "failed to pause the container")
    }

    pub(crate) async fn unpause(&self) -> Result<()> {
        within(self.engine.docker.unpause_container(&self.id))
            .await
            .context(|| "failed to let the container go on")
    }

    /// The host's ports, as they are now: the engine gives others at every start.
    pub(crate) async fn ports(&self, wanted: &[u16]) -> Result<BTreeMap<u16, u16>> {
        published(&self.engine, &self.id, wanted, &Chosen::default()).await
    }

    pub(crate) async fn condition(&self) -> Result<Condition> {
        let inspected = self
            .engine
            .docker
            .inspect_container(&self.id, None::<InspectContainerOptions>);
        let inspected = within(inspected).await.context(|| "failed to look at the container")?;
        let state = inspected
            .state
            .ok_or_else(|| Error::new("the engine doesn't say how the container is"))?;
        if matches!(
            state.status,
            Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD)
        ) {
            return Ok(Condition::Ended {
                exit_code: state.exit_code.unwrap_or_default(),
            });
        }
        let health = state.health.and_then(|health| health.status);
        Ok(match health {
            Some(HealthStatusEnum::HEALTHY) => Condition::Healthy,
            Some(HealthStatusEnum::STARTING | HealthStatusEnum::UNHEALTHY) => Condition::Starting,
            _ if state.running == Some(true) => Condition::Unchecked,
            // Created, and about to be started.
            _ => Condition::Starting,
        })
    }
}
