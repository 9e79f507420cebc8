//! What a service may do besides giving slices: each is a trait of its own, which who has it offers.

use std::fmt;
use std::future::Future;

use serde_json::Value;

use super::erased::{BoxFuture, parse};
use super::{KeptTemplate, Service, TemplateId};
use crate::error::{Context, Result};
use crate::spec::Fingerprint;

/// Templates: prepared contents that slices are made of. Each is built once, by the first test that needs it, in
/// [`Service::build`].
pub trait Templates<S: Service>: Send + Sync {
    /// The template that the one of `spec` is made upon: what other templates begin with, too, is built once. Such a template is
    /// begun as a slice of that one, and [`Service::build`] only adds to it. By default each is built from nothing.
    fn base_template(&self, spec: &S::SliceSpec) -> Option<Base<S::SliceSpec>> {
        let _ = spec;
        None
    }

    /// Makes a blank slice for a template to be built in.
    ///
    /// # Errors
    /// When the server refuses.
    fn begin_template(&self, spec: &S::SliceSpec) -> impl Future<Output = Result<S::Grant>> + Send;

    /// Closes a built template: from now on slices are made of it. By default nothing has to be done for that.
    ///
    /// # Errors
    /// When that can't be done.
    fn seal_template(&self, spec: &S::SliceSpec) -> impl Future<Output = Result<()>> + Send {
        let _ = spec;
        async { Ok(()) }
    }

    /// Removes a template that wasn't finished. By default it stays until another is begun in its place.
    fn abandon_template(&self, spec: &S::SliceSpec) -> impl Future<Output = ()> + Send {
        let _ = spec;
        async {}
    }

    /// Removes a finished template that no slice is made of any more.
    fn drop_template(&self, template: &Fingerprint) -> impl Future<Output = ()> + Send;

    /// How many bytes a finished template takes on the server: how many templates stay that nobody uses is a matter of room. By
    /// default nobody knows, and it counts as 8 MiB.
    fn template_bytes(&self, template: &Fingerprint) -> impl Future<Output = Option<u64>> + Send {
        let _ = template;
        async { None }
    }
}

/// What a template is made upon.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Base<Spec> {
    /// Which template that is.
    pub template: TemplateId,
    /// The spec of its slices.
    pub spec: Spec,
    /// Whether what comes upon it may be run for each test, on a slice of the base: that is tried first, and the template is only
    /// built once its tests have spent more time on it than it is worth.
    pub may_replay: bool,
}

impl<Spec> Base<Spec> {
    /// A base with a template upon it.
    pub fn new(template: TemplateId, spec: Spec) -> Self {
        Self {
            template,
            spec,
            may_replay: false,
        }
    }

    /// What comes upon it may be run for each test.
    pub fn may_replay(mut self, may: bool) -> Self {
        self.may_replay = may;
        self
    }
}

/// Templates that outlive the server, where a provider keeps its data for the next supervisor.
pub trait KeptTemplates: Send + Sync {
    /// The templates that were there already when the server started, as an earlier supervisor left them.
    fn kept_templates(&self) -> Vec<KeptTemplate>;

    /// Removes all but the finished templates, as the server's data is about to be kept: the next supervisor finds them in
    /// [`KeptTemplates::kept_templates`]. Nothing else will be asked of this server. False if there is nothing new to be
    /// kept, or anything else might stay.
    fn leave_templates(&self) -> impl Future<Output = bool> + Send;
}

/// What the server tells of a lease, for whoever reads why a test failed: its log, what it is doing, and what it holds.
pub trait Logs<S: Service>: Send + Sync {
    /// Whether a line of the server's log is about this lease. By default none is.
    fn owns_line(&self, grant: &S::Grant, line: &str) -> bool {
        let _ = (grant, line);
        false
    }

    /// What clients of this lease have the server do at this moment: what a test that takes too long waits for. By default
    /// nobody knows.
    fn busy_with(&self, grant: &S::Grant) -> impl Future<Output = Vec<String>> + Send {
        let _ = grant;
        async { Vec::new() }
    }

    /// What a lease has on the server, for whoever reads why its test failed: queues and how many messages wait in each, streams
    /// and their consumers. By default nothing is told.
    fn holds(&self, grant: &S::Grant) -> impl Future<Output = Vec<String>> + Send {
        let _ = grant;
        async { Vec::new() }
    }

    /// Has the server write `mark` to its log. Logs of containers come late; once the mark is there, all before it is. By
    /// default the server can't be made to.
    fn mark_log(&self, mark: &str) -> impl Future<Output = bool> + Send {
        let _ = mark;
        async { false }
    }
}

/// Cleaning up on a server that outlives the supervisor: somebody else's.
pub trait Clearing: Send + Sync {
    /// Removes all that was made there.
    fn clear(&self) -> impl Future<Output = ()> + Send;
}

/// What the slices of a service have to offer besides themselves.
///
/// ```
/// # use itest::service::{Clearing, Logs, Offers, Service, Templates};
/// fn offers<S: Service>(slices: &(impl Templates<S> + Logs<S> + Clearing)) -> Offers<'_, S> {
///     Offers::none().templates(slices).logs(slices).clearing(slices)
/// }
/// ```
pub struct Offers<'a, S: Service> {
    templates: Option<&'a dyn AnyTemplates<S>>,
    kept: Option<&'a dyn AnyKeptTemplates>,
    logs: Option<&'a dyn AnyLogs<S>>,
    clearing: Option<&'a dyn AnyClearing>,
}

impl<'a, S: Service> Offers<'a, S> {
    /// Nothing but slices.
    pub fn none() -> Self {
        Self {
            templates: None,
            kept: None,
            logs: None,
            clearing: None,
        }
    }

    /// Slices are made of templates.
    pub fn templates(mut self, templates: &'a impl Templates<S>) -> Self {
        self.templates = Some(templates);
        self
    }

    /// Templates are there when a server starts again.
    pub fn kept_templates(mut self, kept: &'a impl KeptTemplates) -> Self {
        self.kept = Some(kept);
        self
    }

    /// The server tells of a lease.
    pub fn logs(mut self, logs: &'a impl Logs<S>) -> Self {
        self.logs = Some(logs);
        self
    }

    /// Something is to be removed from somebody else's server.
    pub fn clearing(mut self, clearing: &'a impl Clearing) -> Self {
        self.clearing = Some(clearing);
        self
    }
}

impl<S: Service> fmt::Debug for Offers<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offers")
            .field("templates", &self.templates.is_some())
            .field("kept_templates", &self.kept.is_some())
            .field("logs", &self.logs.is_some())
            .field("clearing", &self.clearing.is_some())
            .finish()
    }
}

/// For the supervisor.
impl<'a, S: Service> Offers<'a, S> {
    pub(super) fn of_templates(&self) -> Option<&'a dyn AnyTemplates<S>> {
        self.templates
    }

    pub(super) fn of_kept_templates(&self) -> Option<&'a dyn AnyKeptTemplates> {
        self.kept
    }

    pub(super) fn of_logs(&self) -> Option<&'a dyn AnyLogs<S>> {
        self.logs
    }

    pub(super) fn of_clearing(&self) -> Option<&'a dyn AnyClearing> {
        self.clearing
    }
}

/// [`Templates`] of any type; grants are JSON.
pub(super) trait AnyTemplates<S: Service>: Send + Sync {
    fn base_of(&self, spec: &S::SliceSpec) -> Result<Option<Base<Value>>>;
    fn begin<'a>(&'a self, spec: &'a S::SliceSpec) -> BoxFuture<'a, Result<Value>>;
    fn seal<'a>(&'a self, spec: &'a S::SliceSpec) -> BoxFuture<'a, Result<()>>;
    fn abandon<'a>(&'a self, spec: &'a S::SliceSpec) -> BoxFuture<'a, ()>;
    fn drop<'a>(&'a self, template: &'a Fingerprint) -> BoxFuture<'a, ()>;
    fn bytes<'a>(&'a self, template: &'a Fingerprint) -> BoxFuture<'a, Option<u64>>;
}

impl<S: Service, T: Templates<S>> AnyTemplates<S> for T {
    fn base_of(&self, spec: &S::SliceSpec) -> Result<Option<Base<Value>>> {
        let Some(base) = self.base_template(spec) else {
            return Ok(None);
        };
        let spec = serde_json::to_value(base.spec).context(|| "a spec has no JSON form")?;
        Ok(Some(Base::new(base.template, spec).may_replay(base.may_replay)))
    }

    fn begin<'a>(&'a self, spec: &'a S::SliceSpec) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            let grant = self.begin_template(spec).await?;
            serde_json::to_value(grant).context(|| "failed to write a grant as JSON")
        })
    }

    fn seal<'a>(&'a self, spec: &'a S::SliceSpec) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.seal_template(spec))
    }

    fn abandon<'a>(&'a self, spec: &'a S::SliceSpec) -> BoxFuture<'a, ()> {
        Box::pin(self.abandon_template(spec))
    }

    fn drop<'a>(&'a self, template: &'a Fingerprint) -> BoxFuture<'a, ()> {
        Box::pin(self.drop_template(template))
    }

    fn bytes<'a>(&'a self, template: &'a Fingerprint) -> BoxFuture<'a, Option<u64>> {
        Box::pin(self.template_bytes(template))
    }
}

/// [`KeptTemplates`] of any type.
pub(super) trait AnyKeptTemplates: Send + Sync {
    fn kept(&self) -> Vec<KeptTemplate>;
    fn leave(&self) -> BoxFuture<'_, bool>;
}

impl<T: KeptTemplates> AnyKeptTemplates for T {
    fn kept(&self) -> Vec<KeptTemplate> {
        self.kept_templates()
    }

    fn leave(&self) -> BoxFuture<'_, bool> {
        Box::pin(self.leave_templates())
    }
}

/// [`Logs`] of any type; grants are JSON.
pub(super) trait AnyLogs<S: Service>: Send + Sync {
    fn owns(&self, grant: &Value, line: &str) -> bool;
    fn busy<'a>(&'a self, grant: &'a Value) -> BoxFuture<'a, Vec<String>>;
    fn held<'a>(&'a self, grant: &'a Value) -> BoxFuture<'a, Vec<String>>;
    fn mark<'a>(&'a self, mark: &'a str) -> BoxFuture<'a, bool>;
}

impl<S: Service, T: Logs<S>> AnyLogs<S> for T {
    fn owns(&self, grant: &Value, line: &str) -> bool {
        parse(grant).is_ok_and(|grant| self.owns_line(&grant, line))
    }

    fn busy<'a>(&'a self, grant: &'a Value) -> BoxFuture<'a, Vec<String>> {
        Box::pin(async move {
            match parse(grant) {
                Ok(grant) => self.busy_with(&grant).await,
                Err(_) => Vec::new(),
            }
        })
    }

    fn held<'a>(&'a self, grant: &'a Value) -> BoxFuture<'a, Vec<String>> {
        Box::pin(async move {
            match parse(grant) {
                Ok(grant) => self.holds(&grant).await,
                Err(_) => Vec::new(),
            }
        })
    }

    fn mark<'a>(&'a self, mark: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(self.mark_log(mark))
    }
}

/// [`Clearing`] of any type.
pub(super) trait AnyClearing: Send + Sync {
    fn clear_all(&self) -> BoxFuture<'_, ()>;
}

impl<T: Clearing> AnyClearing for T {
    fn clear_all(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.clear())
    }
}
