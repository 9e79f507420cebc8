//! The supervisor's end of a service.

use std::future::Future;

use super::{LeaseName, Offers, PoolSpec, Recycled, Service, Used};
use crate::error::{Context, Result};

/// The supervisor's end of a service, on one running server.
///
/// Slices live in pools: those of one pool can stand in for each other. The supervisor never runs two of these calls on
/// the same slice at once.
pub trait Slices<S: Service>: Send + Sync + 'static {
    /// What the supervisor remembers of one slice.
    type Slice: Send + Sync + 'static;

    /// Which pool the slices of `spec` live in: by default equal specs share one, and each slice serves one lease at a time.
    ///
    /// # Errors
    /// When this server can't give such a slice, for lack of a right perhaps.
    fn pool(&self, spec: &S::SliceSpec) -> Result<PoolSpec> {
        let name = serde_json::to_string(spec).context(|| "a spec has no JSON form")?;
        Ok(PoolSpec::exclusive(name))
    }

    /// How many slices this server can have at once, if there is a limit that tests may reach. A test gets all that it asks for
    /// together; until they are free, it waits, and is told for whom.
    fn limit(&self) -> Option<usize> {
        None
    }

    /// Makes a slice.
    ///
    /// # Errors
    /// When the server refuses.
    fn make(&self, spec: &S::SliceSpec) -> impl Future<Output = Result<Self::Slice>> + Send;

    /// Opens the slice to one lease, and to no other.
    ///
    /// # Errors
    /// When the server refuses; the slice is then destroyed and another one granted.
    fn grant(
        &self,
        slice: &mut Self::Slice,
        spec: &S::SliceSpec,
        lease: &LeaseName,
    ) -> impl Future<Output = Result<S::Grant>> + Send;

    /// Cuts the last lease's clients off and brings the slice back to its template's exact content. When in doubt, answer
    /// [`Recycled::Gone`], as this does by default: the slice is then destroyed, and another one made.
    ///
    /// # Errors
    /// When that can't be done; the slice is then destroyed.
    fn recycle(&self, slice: &mut Self::Slice, used: Used) -> impl Future<Output = Result<Recycled>> + Send {
        let _ = (slice, used);
        async { Ok(Recycled::Gone) }
    }

    /// Removes the slice from the server. By default there is nothing to remove.
    fn destroy(&self, slice: Self::Slice) -> impl Future<Output = ()> + Send {
        drop(slice);
        async {}
    }

    /// What else there is: templates, logs, something to clear on somebody else's server. By default nothing.
    fn offers(&self) -> Offers<'_, S> {
        Offers::none()
    }

    /// Returns when the server runs and yet can't be trusted or used any more, and says why: nothing on it is used again,
    /// and the next test gets another server. By default it never returns.
    fn lost(&self) -> impl Future<Output = String> + Send {
        std::future::pending()
    }
}
