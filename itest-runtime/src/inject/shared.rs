//! Values of fixtures that all tests of a process share.

use std::any::Any;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::fixture::Fixture;
use crate::error::Result;

type Value<F> = Arc<OnceCell<Result<Arc<<F as Fixture>::Value>>>>;

/// Each fixture's, with its options.
static SHARED: Mutex<Vec<Box<dyn Any + Send>>> = Mutex::new(Vec::new());

/// The value of this fixture in this process: the first test that asks makes it, while the others wait. If that test is over
/// before the value is there, another makes it.
///
/// # Errors
/// When it can't be made; all tests of the process are told the same.
pub async fn shared<F, M>(fixture: &F, make: M) -> Result<Arc<F::Value>>
where
    F: Fixture + Send + Sync,
    F::Value: Send + Sync,
    M: Future<Output = Result<F::Value>>,
{
    let value = value_of(fixture);
    value.get_or_init(|| async { make.await.map(Arc::new) }).await.clone()
}

fn value_of<F>(fixture: &F) -> Value<F>
where
    F: Fixture + Send + Sync,
    F::Value: Send + Sync,
{
    let mut all = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut known = all.iter().filter_map(|known| known.downcast_ref::<(F, Value<F>)>());
    if let Some((_, value)) = known.find(|(known, _)| known == fixture) {
        return value.clone();
    }
    let value = Value::<F>::default();
    all.push(Box::new((fixture.clone(), value.clone())));
    value
}
