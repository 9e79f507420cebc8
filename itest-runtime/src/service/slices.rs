//! The supervisor's end of a service.

use std::future::Future;

use super::{KeptTemplate, LeaseName, PoolSpec, Recycled, Service, Used};
use crate::error::{Context, Error, Result};
use crate::spec::Fingerprint;

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

    /// Makes a blank slice for a template to be built in.
    ///
    /// # Errors
    /// When the server refuses.
    fn begin_template(&self, spec: &S::SliceSpec) -> impl Future<Output = Result<S::Grant>> + Send {
        let _ = spec;
        async { Err(Error::new("this service has no templates")) }
    }

    /// Closes a built template: from now on slices are made of it.
    ///
    /// # Errors
    /// When that can't be done.
    fn seal_template(&self, spec: &S::SliceSpec) -> impl Future<Output = Result<()>> + Send {
        let _ = spec;
        async { Ok(()) }
    }

    /// Removes a template that wasn't finished.
    fn abandon_template(&self, spec: &S::SliceSpec) -> impl Future<Output = ()> + Send {
        let _ = spec;
        async {}
    }

    /// Removes a finished template that no slice is made of any more.
    fn drop_template(&self, template: &Fingerprint) -> impl Future<Output = ()> + Send {
        let _ = template;
        async {}
    }

    /// The templates that were there already when the server started, as an earlier supervisor left them. By default none
    /// ever are.
    fn kept_templates(&self) -> Vec<KeptTemplate> {
        Vec::new()
    }

    /// Removes all but the finished templates, as the server's data is about to be kept for the next supervisor: there they
    /// are in [`Slices::kept_templates`]. Nothing else will be asked of this server. False, as by default, if there is
    /// nothing new to be kept, or anything else might stay.
    fn leave_templates(&self) -> impl Future<Output = bool> + Send {
        async { false }
    }

    /// Whether a line of the server's log is about this lease.
    fn owns_line(&self, grant: &S::Grant, line: &str) -> bool {
        let _ = (grant, line);
        false
    }

    /// What clients of this lease have the server do at this moment, for a person: what a test that takes too long waits for. By
    /// default nobody knows.
    fn busy_with(&self, grant: &S::Grant) -> impl Future<Output = Vec<String>> + Send {
        let _ = grant;
        async { Vec::new() }
    }

    /// Has the server write `mark` to its log. Logs of containers come late; once the mark is there, all before it is. By
    /// default the server can't be made to.
    fn mark_log(&self, mark: &str) -> impl Future<Output = bool> + Send {
        let _ = mark;
        async { false }
    }

    /// Returns when the server runs and yet can't be trusted or used any more, and says why: nothing on it is used again,
    /// and the next test gets another server. By default it never returns.
    fn lost(&self) -> impl Future<Output = String> + Send {
        std::future::pending()
    }

    /// Removes all that was made, from a server that outlives the supervisor.
    fn clear(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}
