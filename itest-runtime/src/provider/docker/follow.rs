//! What a container says, and how it ends.

use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::query_parameters::{InspectContainerOptions, LogsOptionsBuilder, WaitContainerOptions};
use tokio::sync::watch;

use super::engine::{Engine, causes, is_missing, within};

/// How a container ended that did what it had to.
pub(super) const SUCCESS: &str = "exit code: 0";
/// How often a container that may be stopped and started again is looked at while it is stopped.
const LOOK: Duration = Duration::from_millis(200);

/// A container that is followed.
pub(super) struct Followed {
    pub(super) engine: Engine,
    pub(super) id: String,
    /// Stands before each of its lines.
    pub(super) prefix: String,
    /// Whether it may stop and start again.
    pub(super) may_pause: bool,
}

/// Has what the container says written to a file. The answer comes to know how it ended.
pub(super) fn follow(followed: Followed, file: Arc<fs::File>) -> watch::Receiver<Option<String>> {
    let (tell, ended) = watch::channel(None);
    tokio::spawn(async move {
        let how = followed.follow(&file).await;
        tell.send_replace(Some(how));
    });
    ended
}

/// How a container ended, once it has.
pub(super) async fn how(mut ended: watch::Receiver<Option<String>>) -> String {
    match ended.wait_for(Option::is_some).await {
        Ok(how) => how.clone().unwrap_or_default(),
        Err(_) => "it is not known how".to_owned(),
    }
}

impl Followed {
    /// To its end.
    async fn follow(self, mut file: &fs::File) -> String {
        let mut since = 0;
        loop {
            let options = LogsOptionsBuilder::new()
                .follow(true)
                .stdout(true)
                .stderr(true)
                .since(since)
                .build();
            let mut lines = std::pin::pin!(self.engine.docker.logs(&self.id, Some(options)));
            let broken = loop {
                match lines.next().await {
                    Some(Ok(line)) => {
                        let _ = file.write_all(&[self.prefix.as_bytes(), &line.into_bytes()].concat());
                    }
                    Some(Err(_)) => break true,
                    None => break false,
                }
            };
            if broken && is_running(&self.engine, &self.id).await {
                // The connection broke, not the container.
                since = i32::try_from(unix_seconds()).unwrap_or(0);
                tokio::time::sleep(LOOK).await;
                continue;
            }
            let how = end_of(&self.engine, &self.id).await;
            if !self.may_pause || !comes_back(&self.engine, &self.id).await {
                return how;
            }
            // Seconds are all that engines of every age understand: a line may come twice, and none is lost.
            since = i32::try_from(unix_seconds()).unwrap_or(0);
        }
    }
}

fn unix_seconds() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

/// Waits until the container doesn't run, and says why.
async fn end_of(engine: &Engine, id: &str) -> String {
    let mut waiting = std::pin::pin!(engine.docker.wait_container(id, None::<WaitContainerOptions>));
    let code = match waiting.next().await {
        Some(Ok(end)) => end.status_code,
        Some(Err(EngineError::DockerContainerWaitError { code, .. })) => code,
        Some(Err(error)) if is_missing(&error) => return "its container was removed".to_owned(),
        Some(Err(error)) => return format!("the container engine doesn't know: {}", causes(&error)),
        None => return "its container was removed".to_owned(),
    };
    let state = within(engine.docker.inspect_container(id, None::<InspectContainerOptions>)).await;
    let state = state.ok().and_then(|inspected| inspected.state);
    if state.is_some_and(|state| state.oom_killed == Some(true)) {
        return "it was killed for lack of memory".to_owned();
    }
    match code {
        0 => SUCCESS.to_owned(),
        // By the shell's custom: 128 and the signal's number.
        129..=159 => format!("signal: {}", code - 128),
        _ => format!("exit code: {code}"),
    }
}

async fn is_running(engine: &Engine, id: &str) -> bool {
    let inspected = within(engine.docker.inspect_container(id, None::<InspectContainerOptions>)).await;
    let state = inspected.ok().and_then(|inspected| inspected.state);
    state.is_some_and(|state| state.running == Some(true))
}

/// Waits until a stopped container runs again; no if it is gone.
async fn comes_back(engine: &Engine, id: &str) -> bool {
    loop {
        let inspected = within(engine.docker.inspect_container(id, None::<InspectContainerOptions>)).await;
        match inspected {
            Ok(inspected) => {
                if inspected.state.is_some_and(|state| state.running == Some(true)) {
                    return true;
                }
            }
            Err(_) => return false,
        }
        tokio::time::sleep(LOOK).await;
    }
}
