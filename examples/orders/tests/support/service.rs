//! The service as it will run one day: a process of its own.

use std::process::{ExitStatus, Stdio};

use anyhow::Context;
use itest::{
    Url,
    service::{Postgres, Redis},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::api::{Api, TOKEN};

/// A running `orders` process. It is killed when this is dropped: a test that fails leaves no process.
pub(crate) struct Service {
    child: Child,
    url: String,
}

impl Service {
    /// Starts the binary on this database and this Redis, and waits until it listens on a free port.
    pub(crate) async fn start(database: &Url<Postgres>, redis: &Url<Redis>) -> anyhow::Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_orders"))
            .env("DATABASE_URL", database.as_str())
            .env("REDIS_URL", redis.as_str())
            .env("LISTEN", "127.0.0.1:0")
            .env("API_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;

        let stdout = child.stdout.take().context("its stdout is a pipe")?;
        let first_line = BufReader::new(stdout).lines().next_line().await?;
        let first_line = first_line.context("the service ended before it listened; its last words are above")?;
        let url = first_line
            .strip_prefix("listening on ")
            .context("the first line tells the address")?;
        Ok(Self {
            child,
            url: url.to_owned(),
        })
    }

    /// A client of this process.
    pub(crate) fn api(&self) -> Api {
        Api::at(&self.url)
    }

    /// Asks the process to end, as a process manager would, and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<ExitStatus> {
        let pid = self.child.id().context("the service has ended already")?;
        let pid = Pid::from_raw(pid.try_into()?).context("no process has the number zero")?;
        kill_process(pid, Signal::TERM)?;
        Ok(self.child.wait().await?)
    }
}
