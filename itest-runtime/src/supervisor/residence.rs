//! Where a supervisor lives: in a process of its own, or as a guest in a test's process.

use std::fs::OpenOptions;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::error::{Context, Result};
use crate::home::Home;

/// Whose process it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Residence {
    /// The supervisor's, with its log as stderr.
    Own,
    /// A test's: its signals and its stderr are not the supervisor's.
    Guest,
}

impl Residence {
    /// Where the log goes.
    pub(super) fn log(self, home: &Home) -> Result<BoxMakeWriter> {
        match self {
            Self::Own => Ok(BoxMakeWriter::new(std::io::stderr)),
            Self::Guest => {
                let path = home.log();
                let file = OpenOptions::new().create(true).append(true).open(&path);
                let file = file.context(|| format!("failed to create {}", path.display()))?;
                Ok(BoxMakeWriter::new(Arc::new(file)))
            }
        }
    }
}

/// The signals that end a supervisor. A guest takes none: who listens for a signal keeps it from ending the process.
pub(super) struct Signals(Option<[(Signal, &'static str); 2]>);

impl Signals {
    pub(super) fn listen(residence: Residence) -> Result<Self> {
        if residence == Residence::Guest {
            return Ok(Self(None));
        }
        let listen = |kind, name: &'static str| {
            let signal = signal(kind).context(|| format!("failed to listen for {name}"))?;
            Ok::<_, crate::Error>((signal, name))
        };
        let terminate = listen(SignalKind::terminate(), "SIGTERM")?;
        Ok(Self(Some([terminate, listen(SignalKind::interrupt(), "SIGINT")?])))
    }

    /// The name of the next one.
    pub(super) async fn next(&mut self) -> &'static str {
        let Some([(terminate, first), (interrupt, second)]) = &mut self.0 else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => first,
            _ = interrupt.recv() => second,
        }
    }
}
