//! The test process's end of the socket.

mod guest;
mod sessions;
mod start;

pub(crate) use sessions::Sessions;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::case::Case;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::service::Used;
use crate::spec::Stage;
use crate::wall;
use crate::wire::{FrameReader, FrameWriter, FromSupervisor, Open, SliceDiagnosis, ToSupervisor};

/// How long to look for a supervisor that stays.
const PATIENCE: Duration = Duration::from_mins(2);
/// After what time of silence a test says what it waits for: the supervisor is heard from each second.
const SILENCE: Duration = Duration::from_secs(5);
/// How long to wait for what the supervisor knows of a failed test.
const DIAGNOSIS_PATIENCE: Duration = Duration::from_secs(5);

/// What a supervisor answers.
pub(crate) enum Answer {
    /// A lease of all that was asked for.
    Granted(Session, Vec<Value>),
    /// The supervisor's program is linked with no service of these requests' code.
    Unknown(Vec<usize>),
}

/// An open lease.
pub(crate) struct Session {
    reader: FrameReader<OwnedReadHalf, FromSupervisor>,
    writer: FrameWriter<OwnedWriteHalf>,
    folder: PathBuf,
    /// The supervisor's process.
    pid: Option<i32>,
}

impl Session {
    fn over(stream: UnixStream, home: &Home) -> Self {
        let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
        let (reader, writer) = stream.into_split();
        Self {
            reader: FrameReader::new(reader),
            writer: FrameWriter::new(writer),
            folder: home.dir(),
            pid,
        }
    }

    /// Leases all slices that `open` asks for, from a supervisor that is started if there is none. `build` builds the
    /// template of one request in a blank slice; `progress` hears of what takes a while.
    pub(crate) async fn acquire<F>(
        case: &'static Case,
        config: &Config,
        home: &Home,
        open: Open,
        mut build: impl FnMut(usize, Stage, Value) -> F,
        mut progress: impl FnMut(String),
    ) -> Result<Answer>
    where
        F: Future<Output = Result<()>>,
    {
        let labels: Vec<String> = open.requests.iter().map(|request| request.label.clone()).collect();
        let message = ToSupervisor::Open(open);
        let mut older: Option<(u32, usize)> = None;
        let patience = case.options.timeout.or(config.timeout).unwrap_or(config.start_timeout);
        let patience = patience.min(config.start_timeout).max(SILENCE);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let stream = start::connect(case, config, home, older).await?;
            let mut session = Self::over(stream, home);
            if Instant::now() > deadline {
                return Err(gone(home));
            }
            // A supervisor that ends just now may close the door on us: then the next one is asked.
            if session.writer.send(&message).await.is_err() {
                continue;
            }
            let mut heard = false;
            loop {
                match session.hear(patience, &mut progress).await? {
                    Some(FromSupervisor::Superseded { pid, leases }) => {
                        if leases > 0 && older.is_none() {
                            progress(format!(
                                "waiting for an older supervisor (pid {pid}), which ends with its {leases} leases"
                            ));
                        }
                        older = Some((pid, leases));
                        break;
                    }
                    Some(FromSupervisor::Progress(text)) => {
                        heard = true;
                        progress(text);
                    }
                    Some(FromSupervisor::Build { index, stage, grant }) => {
                        heard = true;
                        let label = labels.get(index).map_or("", String::as_str);
                        if stage != Stage::Replay {
                            progress(format!(
                                "building the template of {label}, for all tests that start from it"
                            ));
                        }
                        let outcome = build(index, stage, grant).await;
                        session.writer.send(&ToSupervisor::Built { index, outcome }).await?;
                    }
                    Some(FromSupervisor::Granted(grants)) => return Ok(Answer::Granted(session, grants)),
                    Some(FromSupervisor::Unknown { indices }) => return Ok(Answer::Unknown(indices)),
                    Some(FromSupervisor::Failed { error, .. }) => return Err(error),
                    Some(FromSupervisor::Alive | FromSupervisor::Diagnosis(_)) => {}
                    None if heard => return Err(gone(home)),
                    None => break,
                }
            }
        }
    }

    /// The supervisor's next message. One that is silent for `patience` stands still.
    async fn hear(&mut self, patience: Duration, progress: &mut impl FnMut(String)) -> Result<Option<FromSupervisor>> {
        let began = Instant::now();
        let pid = self.pid;
        let who = || {
            pid.map_or_else(
                || "the supervisor".to_owned(),
                |pid| format!("the supervisor (pid {pid})"),
            )
        };
        let mut next = std::pin::pin!(self.reader.next());
        let mut limit = SILENCE;
        loop {
            if let Ok(next) = tokio::time::timeout(limit, &mut next).await {
                return next;
            }
            // The wall's clock decides: a template's own code may have paused tokio's.
            let silent = began.elapsed();
            if silent >= patience {
                let mut error = Error::new(format!(
                    "{} has said nothing for {}: it stands still",
                    who(),
                    humantime::format_duration(Duration::from_secs(silent.as_secs()))
                ));
                if let Some(pid) = pid {
                    error = error.hint(format!(
                        "is the machine out of memory, or was it stopped? `kill -CONT {pid}` has it go on, `kill -9 {pid}` ends it \
                         and its servers, and the next test starts another"
                    ));
                }
                return Err(error);
            }
            if silent >= limit {
                progress(format!(
                    "waiting for {}, which has said nothing for {} s",
                    who(),
                    silent.as_secs()
                ));
                limit = patience.saturating_sub(silent);
            }
        }
    }

    /// What the supervisor knows of this test's slices.
    pub(crate) async fn diagnose(&mut self) -> Result<Vec<SliceDiagnosis>> {
        let ask = async {
            // That it can't be asked means the same as that it doesn't answer any more.
            if self.writer.send(&ToSupervisor::Diagnose).await.is_ok() {
                while let Some(message) = self.reader.next().await? {
                    if let FromSupervisor::Diagnosis(diagnosis) = message {
                        return Ok(diagnosis);
                    }
                }
            }
            Err(
                Error::new("the supervisor ended while this test ran, and its servers with it")
                    .hint("the next test starts another; did something end it (`kill`, the OOM killer), or remove its folder?"),
            )
        };
        wall::timeout(DIAGNOSIS_PATIENCE, ask)
            .await
            .unwrap_or_else(|_| Err(Error::new("the supervisor doesn't answer")))
    }

    /// The supervisor's own folder, which only the user can read.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends the lease. That the supervisor is gone doesn't matter any more.
    pub(crate) async fn close(mut self, used: Vec<Used>, keep: Option<Duration>) {
        let _ = self.writer.send(&ToSupervisor::Close { used, keep }).await;
    }
}

fn gone(home: &Home) -> Error {
    Error::new("the supervisor ended while it was making this test's slices")
        .log("its last log lines", start::last_log_lines(home))
        .hint("run the tests again; did something end it (`kill`, the OOM killer), or remove its folder?")
}
