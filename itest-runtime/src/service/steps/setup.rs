//! Functions that fill a template.

use std::any::{Any, type_name};
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;

use crate::error::{Error, Result};
use crate::outcome::{Outcome, panicked};
use crate::service::erased::BoxFuture;

/// A function that fills a template.
pub struct Setup<H> {
    name: &'static str,
    run: Arc<dyn Fn(H) -> BoxFuture<'static, Result<()>> + Send + Sync>,
}

impl<H> Setup<H> {
    pub(super) fn new<F, R, O>(
        function: F,
        plainly: impl Fn(&str, &dyn Any) -> Option<Error> + Send + Sync + 'static,
    ) -> Self
    where
        F: Fn(H) -> R + Send + Sync + 'static,
        R: Future<Output = O> + Send + 'static,
        O: Outcome + 'static,
    {
        let name = type_name::<F>();
        let plainly = Arc::new(plainly);
        let run = move |handle| {
            let (made, plainly) = (function(handle), plainly.clone());
            let wanted = format!("the setup function `{name}` failed");
            let failed = wanted.clone();
            // The tests that wait for the template are told of a panic, too.
            let ended = AssertUnwindSafe(async move { result(made.await, &wanted, &*plainly) }).catch_unwind();
            let ended =
                ended.map(move |ended| ended.unwrap_or_else(|panic| Err(panicked(panic.as_ref()).context(failed))));
            Box::pin(ended) as BoxFuture<'static, Result<()>>
        };
        Self {
            name,
            run: Arc::new(run),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Runs it.
    ///
    /// # Errors
    /// When it fails or panics; the message says which function it was.
    pub async fn run(&self, handle: H) -> Result<()> {
        (self.run)(handle).await
    }
}

impl<H> Clone for Setup<H> {
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            run: self.run.clone(),
        }
    }
}

impl<H> fmt::Debug for Setup<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Setup").field(&self.name).finish()
    }
}

/// What `Debug` shows of a library's errors is for those who know its inside.
fn result<O: Outcome + 'static>(
    outcome: O,
    wanted: &str,
    plainly: &dyn Fn(&str, &dyn Any) -> Option<Error>,
) -> Result<()> {
    let any: &dyn Any = &outcome;
    if let Some(error) = plainly(wanted, any) {
        return Err(error);
    }
    if let Some(Err(error)) = any.downcast_ref::<Result<(), Box<dyn StdError>>>() {
        return Err(Error::caused(wanted, &**error));
    }
    if let Some(Err(error)) = any.downcast_ref::<Result<(), Box<dyn StdError + Send + Sync>>>() {
        return Err(Error::caused(wanted, &**error));
    }
    outcome.verdict().into_result().map_err(|error| error.context(wanted))
}
