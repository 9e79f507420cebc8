//! A lease, as the test that holds it sees it, and its name on the server.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::{Placement, Service, TestContext};

/// One test's right to one slice.
pub struct Lease<S: Service>(Arc<LeaseInner<S>>);

struct LeaseInner<S: Service> {
    label: String,
    service: S,
    test: TestContext,
    grant: S::Grant,
    /// What the values injected into one test share.
    session: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl<S: Service> Lease<S> {
    pub(crate) fn new(label: String, service: S, test: TestContext, grant: S::Grant) -> Self {
        Self(Arc::new(LeaseInner {
            label,
            service,
            test,
            grant,
            session: OnceLock::new(),
        }))
    }

    /// What the test calls the service: the instance's name, or the service's.
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// The builder, as the test wrote it.
    pub fn service(&self) -> &S {
        &self.0.service
    }

    /// Where the test stands.
    pub fn test(&self) -> &TestContext {
        &self.0.test
    }

    /// What the supervisor granted.
    pub fn grant(&self) -> &S::Grant {
        &self.0.grant
    }

    /// What the values injected into this test share, such as a pool: made when it is first asked for.
    ///
    /// # Panics
    /// When a service asks for two types of it.
    pub fn session<T: Default + Send + Sync + 'static>(&self) -> &T {
        let session = self.0.session.get_or_init(|| Box::new(T::default()));
        session.downcast_ref().expect("a service has one type of session")
    }

    /// Which lease it is: clones are the same one.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Where the server was asked to run.
    pub fn placement(&self) -> &Placement {
        self.0.service.placement()
    }
}

impl<S: Service> Clone for Lease<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Service> fmt::Debug for Lease<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("label", &self.0.label)
            .finish_non_exhaustive()
    }
}

/// Who holds a lease, for names on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseName {
    /// The test.
    pub test: String,
    /// A few characters that no other lease on this server has.
    pub unique: String,
}

impl LeaseName {
    /// What the supervisor makes; by hand for trying a service's slices without one.
    pub fn new(test: impl Into<String>, unique: impl Into<String>) -> Self {
        Self {
            test: test.into(),
            unique: unique.into(),
        }
    }

    /// A name for what this lease makes where names are all that keeps tests apart: a prefix for topics, queues, buckets, indices.
    /// No other lease has it, on any machine. Lower-case letters, digits and hyphens, about 20 of them.
    ///
    /// ```
    /// # use itest::service::LeaseName;
    /// let lease = LeaseName::new("orders::are_sent", "410c3068-38");
    /// assert_eq!(lease.namespace(), "itest-410c3068-38");
    /// ```
    pub fn namespace(&self) -> String {
        format!("itest-{}", self.unique)
    }

    /// One name of both, at most `limit` bytes, of letters, digits and `_:#-`.
    pub fn within(&self, limit: usize) -> String {
        crate::naming::lease_name(&self.test, &self.unique, limit)
    }
}
