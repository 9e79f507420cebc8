//! Taking a fixture's value down, by a function of the user's: it takes the value or a reference to it, and is async or not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::part::BoxFuture;
use crate::error::{Error, Result};
use crate::outcome::Outcome;
use crate::wall;

/// How often it is looked whether a value is free.
const LOOK: Duration = Duration::from_millis(5);

/// A function that takes a `V` down. `Way` is how it is called, and the compiler works it out.
#[diagnostic::on_unimplemented(
    message = "this function can't take down a `{V}`",
    label = "it must be `fn` or `async fn`, take `{V}` or `&{V}`, and return nothing or a `Result<(), E>` with `E: Debug`"
)]
pub trait Teardown<V, Way> {
    /// Calls it.
    fn call(&self, value: Arc<V>, limit: Duration) -> impl Future<Output = Result<()>>;
}

/// `async fn(&V)`.
#[derive(Debug)]
pub struct AsyncByReference;

/// `async fn(V)`.
#[derive(Debug)]
pub struct AsyncByValue;

/// `fn(&V)`.
#[derive(Debug)]
pub struct ByReference;

/// `fn(V)`.
#[derive(Debug)]
pub struct ByValue;

#[diagnostic::do_not_recommend]
impl<V, F, O> Teardown<V, AsyncByReference> for F
where
    F: AsyncFn(&V) -> O,
    O: Outcome,
{
    async fn call(&self, value: Arc<V>, limit: Duration) -> Result<()> {
        within(limit, self(&value)).await?.verdict().into_result()
    }
}

#[diagnostic::do_not_recommend]
impl<V, F, O> Teardown<V, AsyncByValue> for F
where
    F: AsyncFn(V) -> O,
    O: Outcome,
{
    async fn call(&self, value: Arc<V>, limit: Duration) -> Result<()> {
        let value = alone(value, limit).await?;
        within(limit, self(value)).await?.verdict().into_result()
    }
}

#[diagnostic::do_not_recommend]
impl<V, F, O> Teardown<V, ByReference> for F
where
    F: Fn(&V) -> O,
    O: Outcome,
{
    async fn call(&self, value: Arc<V>, _: Duration) -> Result<()> {
        self(&value).verdict().into_result()
    }
}

#[diagnostic::do_not_recommend]
impl<V, F, O> Teardown<V, ByValue> for F
where
    F: Fn(V) -> O,
    O: Outcome,
{
    async fn call(&self, value: Arc<V>, limit: Duration) -> Result<()> {
        self(alone(value, limit).await?).verdict().into_result()
    }
}

/// The value, once nobody else has it: a test that isn't async goes on after its time is over, with what it was lent.
async fn alone<V>(mut value: Arc<V>, limit: Duration) -> Result<V> {
    let deadline = Instant::now() + limit;
    loop {
        value = match Arc::try_unwrap(value) {
            Ok(value) => return Ok(value),
            Err(shared) => shared,
        };
        if Instant::now() >= deadline {
            return Err(
                Error::new("the test, which isn't async and goes on, still has its value")
                    .hint("a function that takes `&T` can take it down all the same"),
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Takes a value down, within a time once it is free.
///
/// # Errors
/// When the function fails, or takes longer.
pub fn tear_down<V: 'static, Way: 'static>(
    value: Arc<V>,
    limit: Duration,
    function: impl Teardown<V, Way> + 'static,
) -> BoxFuture<'static, Result<()>> {
    Box::pin(async move { function.call(value, limit).await })
}

async fn within<T>(limit: Duration, ending: impl Future<Output = T>) -> Result<T> {
    wall::timeout(limit, ending).await.map_err(|_| {
        let limit = humantime::format_duration(limit);
        Error::new(format!("its teardown did not end within {limit}"))
            .hint("if it needs longer, set `teardown_timeout` in the fixture's attribute to more")
    })
}
