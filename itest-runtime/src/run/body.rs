//! A test's body, with its fixtures: how it ends, and how long it may take.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use crate::case::Case;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::inject::{HeldList, make_all};
use crate::outcome::Verdict;
use crate::wall;

/// How a test's body ended.
pub(super) enum End {
    Passed,
    /// A panic's message is printed by the panic hook.
    Failed {
        message: Option<String>,
        panic: Option<Box<dyn Any + Send>>,
    },
}

impl End {
    pub(super) fn failed(message: String) -> Self {
        Self::Failed {
            message: Some(message),
            panic: None,
        }
    }
}

/// How long a test may take, and where that is said.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    timeout: Duration,
    origin: &'static str,
}

impl Limit {
    pub(super) fn of(case: &Case, config: &Config) -> Option<Self> {
        let own = case
            .options
            .timeout
            .map(|timeout| (timeout, "`timeout` in the test's attribute"));
        let (timeout, origin) = own.or(config
            .timeout
            .map(|timeout| (timeout, "ITEST_TIMEOUT or `timeout` in itest.toml")))?;
        Some(Self { timeout, origin })
    }

    fn passed(self) -> End {
        let timeout = humantime::format_duration(self.timeout);
        let error = Error::new(format!("the test did not end within {timeout}"));
        End::failed(
            error
                .hint(format!("if it needs longer, set {} to more", self.origin))
                .render(),
        )
    }
}

/// `look` is called when the time is over, while all that the body waits for is still going on.
///
/// What a test's fixtures take counts as the test's own time.
pub(super) async fn run_body<L, B>(body: &mut B, held: &L, limit: Option<Limit>, look: impl AsyncFnOnce()) -> End
where
    L: HeldList,
    B: AsyncFnMut(&L) -> Result<Verdict>,
{
    let began = Instant::now();
    let body = async {
        make_all(held).await?;
        body(held).await
    };
    let mut body = pin!(AssertUnwindSafe(body).catch_unwind());
    let ended = match limit {
        None => body.await,
        Some(limit) => match wall::timeout(limit.timeout, &mut body).await {
            // A body that blocks its thread ends before anybody can see that its time is over.
            Ok(_) if began.elapsed() > limit.timeout => return limit.passed(),
            Ok(ended) => ended,
            Err(_) => {
                look().await;
                return limit.passed();
            }
        },
    };
    match ended {
        Ok(Ok(Verdict::Passed)) => End::Passed,
        Ok(Ok(Verdict::Failed(message))) => End::failed(message),
        Ok(Err(error)) => End::failed(error.render()),
        Err(panic) => End::Failed {
            message: None,
            panic: Some(panic),
        },
    }
}
