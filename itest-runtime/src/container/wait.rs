//! When a container is ready.

use std::time::Duration;

use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::error::{Context, Error, Result};
use crate::provider::{Condition, ContainerPlace, Control};

/// The engine's proxy accepts every connection and closes it at once if nobody listens behind it: within a millisecond, by
/// experience.
const STAYS_OPEN: Duration = Duration::from_millis(50);

/// One thing that a container has to show before tests may use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait(Kind);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Http {
        port: u16,
        path: String,
        status: Option<u16>,
    },
    Listening {
        port: u16,
    },
    Healthy,
    Logged {
        text: String,
    },
}

/// `GET` of this path, on this port of the container's, is answered with success (2xx), or as [`Wait::status`] says.
pub fn http(port: u16, path: impl Into<String>) -> Wait {
    Wait(Kind::Http {
        port,
        path: path.into(),
        status: None,
    })
}

/// Something listens on this port of the container's.
pub fn listening(port: u16) -> Wait {
    Wait(Kind::Listening { port })
}

/// The image's own health check says so.
pub fn healthy() -> Wait {
    Wait(Kind::Healthy)
}

/// A line with this text is in its log. What it says isn't always so: prefer what a client sees.
pub fn logged(text: impl Into<String>) -> Wait {
    Wait(Kind::Logged { text: text.into() })
}

impl Wait {
    /// The one status that [`http`] waits for.
    pub fn status(mut self, code: u16) -> Self {
        if let Kind::Http { status, .. } = &mut self.0 {
            *status = Some(code);
        }
        self
    }

    /// The port that has to be published for it.
    pub(crate) fn port(&self) -> Option<u16> {
        match self.0 {
            Kind::Http { port, .. } | Kind::Listening { port } => Some(port),
            Kind::Healthy | Kind::Logged { .. } => None,
        }
    }

    /// Whether it is so now.
    pub(crate) async fn check(&self, place: &ContainerPlace, control: &Control) -> Result<()> {
        match &self.0 {
            Kind::Listening { port } => check_listening(&place.address_of(*port)?).await,
            Kind::Http { port, path, status } => check_http(&place.address_of(*port)?, path, *status).await,
            Kind::Healthy => check_healthy(control).await,
            Kind::Logged { text } => {
                let log = control.logs().await?;
                let found = log.lines().any(|line| line.contains(text));
                found
                    .then_some(())
                    .ok_or_else(|| Error::new(format!("its log has no line with `{text}`")))
            }
        }
    }
}

/// So that one may stand where several may: `.wait(http(80, "/"))`.
impl IntoIterator for Wait {
    type Item = Self;
    type IntoIter = std::iter::Once<Self>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self)
    }
}

async fn check_listening(address: &str) -> Result<()> {
    let stream = TcpStream::connect(address)
        .await
        .context(|| format!("failed to connect to {address}"))?;
    match tokio::time::timeout(STAYS_OPEN, stream.peek(&mut [0])).await {
        Ok(Ok(0) | Err(_)) => Err(Error::new(format!("nobody listens behind {address}"))),
        // It speaks first, or waits for us to.
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

async fn check_http(address: &str, path: &str, wanted: Option<u16>) -> Result<()> {
    let found = get(address, path).await?;
    let good = wanted.map_or((200..300).contains(&found), |wanted| wanted == found);
    good.then_some(())
        .ok_or_else(|| Error::new(format!("GET {path} was answered with the status {found}")))
}

/// The status.
async fn get(address: &str, path: &str) -> Result<u16> {
    let failed = || format!("GET http://{address}{path} failed");
    let stream = TcpStream::connect(address).await.context(failed)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.context(failed)?;
    let request = Request::get(path)
        .header(HOST, address)
        .body(Empty::<Bytes>::new())
        .context(failed)?;
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        answer = sender.send_request(request) => Ok(answer.context(failed)?.status().as_u16()),
        _ = &mut connection => Err(Error::new(format!("{}: the connection was closed", failed()))),
    }
}

async fn check_healthy(control: &Control) -> Result<()> {
    match control.condition().await? {
        Condition::Healthy => Ok(()),
        Condition::Starting => Err(Error::new("its health check hasn't said yes")),
        Condition::Unchecked => Err(Error::new("its image has no health check")
            .hint("wait for something else: `listening(port)`, `http(port, path)`")
            .permanent()),
        Condition::Ended { exit_code } => Err(Error::new(format!("it ended (exit code {exit_code})"))),
    }
}
