//! What was granted to a test: each lease, and each fixture, once, however many parts ask for it.

use std::any::Any;
use std::fmt;
use std::rc::Rc;

use serde_json::Value;

use super::lease::AnyLease;
use super::made::Ledger;
use super::origin::{Origin, Viewpoint};
use super::part::{Place, grant};
use super::plan::Scope;
use crate::error::{Error, Result};
use crate::service::{Lease, Service, TestContext};

/// What was granted: each lease once, however many parts ask for it.
pub struct Grants {
    /// Where what is given them stands: the test, or a fixture.
    view: Viewpoint,
    values: Vec<Value>,
    order: std::vec::IntoIter<usize>,
    leases: Vec<Option<Box<dyn AnyLease>>>,
    scope: Scope,
    /// Fixtures, with where they stand.
    shared: Vec<(Scope, Rc<dyn Any>)>,
    pub(super) ledger: Rc<Ledger>,
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A grant has secrets.
        f.debug_struct("Grants").finish_non_exhaustive()
    }
}

impl Grants {
    pub(super) fn new(test: &TestContext, values: Vec<Value>, order: Vec<usize>) -> Self {
        Self {
            view: Viewpoint::of(test),
            leases: values.iter().map(|_| None).collect(),
            values,
            order: order.into_iter(),
            scope: Scope::default(),
            shared: Vec::new(),
            ledger: Rc::default(),
        }
    }

    /// All leases, in the order of the requests, and what is known of fixtures.
    pub(super) fn finish(self) -> (Vec<Box<dyn AnyLease>>, Rc<Ledger>) {
        (self.leases.into_iter().flatten().collect(), self.ledger)
    }

    /// Holds what stands within a fixture.
    pub(super) fn within<T>(
        &mut self,
        place: Place,
        origin: Origin,
        hold: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let (scope, view) = (self.scope.within(place), self.view.within(origin));
        let outer = (
            std::mem::replace(&mut self.scope, scope),
            std::mem::replace(&mut self.view, view),
        );
        let outcome = hold(self);
        (self.scope, self.view) = outer;
        outcome
    }

    /// The one of this type that stands here already and is alike, or a new one.
    pub(super) fn share<T: Clone + 'static>(
        &mut self,
        place: Place,
        is_alike: impl Fn(&T) -> bool,
        new: impl FnOnce(String) -> T,
    ) -> T {
        let scope = self.scope.within(place);
        let here = self.shared.iter().filter(|(other, _)| *other == scope);
        let known = here.filter_map(|(_, shared)| shared.downcast_ref::<T>());
        if let Some(known) = known.into_iter().find(|known| is_alike(known)) {
            return known.clone();
        }
        let shared = new(self.scope.label(place));
        self.shared.push((scope, Rc::new(shared.clone())));
        shared
    }

    pub(super) fn lease<S: Service>(&mut self, place: Place, service: S) -> Result<Lease<S>> {
        let too_little = || Error::new("the supervisor granted too little");
        let index = self.order.next().ok_or_else(too_little)?;
        let known = self.leases.get(index).ok_or_else(too_little)?;
        if let Some(known) = known
            .as_ref()
            .and_then(|lease| lease.as_any().downcast_ref::<Lease<S>>())
        {
            return Ok(known.clone());
        }
        let grant = grant::<S>(std::mem::take(&mut self.values[index]))?;
        let lease = Lease::new(self.scope.label(place), service, self.view.context(), grant);
        self.leases[index] = Some(Box::new(lease.clone()));
        Ok(lease)
    }
}
