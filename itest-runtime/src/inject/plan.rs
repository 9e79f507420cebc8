//! What all parts of a test ask for: the requests, each once, and the order in which they were asked.

use std::fmt;

use serde_json::Value;

use super::origin::{Origin, Viewpoint};
use super::part::Place;
use crate::error::Result;
use crate::service::TestContext;
use crate::spec::{Provider, Provision, Request, Stage};

/// Chooses a provider: from a service's name, and what the test asks.
pub(crate) type Choose<'a> = &'a dyn Fn(&str, Option<Provider>) -> Result<Provision>;

/// What all parts of a test ask for. What is equal is asked for once: a fixture's database is the test's, too.
pub struct Plan<'a> {
    /// Where what asks stands: the test, or a fixture.
    pub(super) view: Viewpoint,
    pub(super) choose: Choose<'a>,
    scope: Scope,
    requests: Vec<Request>,
    scopes: Vec<Scope>,
    /// For each service, in the order of the parts, its request.
    order: Vec<usize>,
}

/// Within which named instances a part stands. What stands in none is one for all; `left = api, right = api` are two of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scope(String);

impl Scope {
    pub(super) fn within(&self, place: Place) -> Self {
        match (place.is_named, self.0.is_empty()) {
            (false, _) => self.clone(),
            (true, true) => Self(place.label.to_owned()),
            (true, false) => Self(format!("{}.{}", self.0, place.label)),
        }
    }

    /// What a person is told of a part that stands here.
    pub(super) fn label(&self, place: Place) -> String {
        match (place.is_named, self.0.is_empty()) {
            (true, _) => self.within(place).0,
            (false, true) => place.label.to_owned(),
            (false, false) => format!("{}.{}", self.0, place.label),
        }
    }
}

impl fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}

impl<'a> Plan<'a> {
    pub(crate) fn new(test: &TestContext, choose: Choose<'a>) -> Self {
        Self {
            view: Viewpoint::of(test),
            choose,
            scope: Scope::default(),
            requests: Vec::new(),
            scopes: Vec::new(),
            order: Vec::new(),
        }
    }

    /// The requests, and for each service its request.
    pub(crate) fn finish(self) -> (Vec<Request>, Vec<usize>) {
        (self.requests, self.order)
    }

    /// Plans what stands within a fixture.
    pub(super) fn within(
        &mut self,
        place: Place,
        origin: Origin,
        plan: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let (scope, view) = (self.scope.within(place), self.view.within(origin));
        let outer = (
            std::mem::replace(&mut self.scope, scope),
            std::mem::replace(&mut self.view, view),
        );
        let planned = plan(self);
        (self.scope, self.view) = outer;
        planned
    }

    pub(super) fn ask(&mut self, place: Place, mut request: Request) {
        let scope = self.scope.within(place);
        let known = self.requests.iter().zip(&self.scopes).position(|(known, other)| {
            request.label.clone_from(&known.label);
            *other == scope && *known == request
        });
        let index = known.unwrap_or_else(|| {
            request.label = self.scope.label(place);
            self.requests.push(request);
            self.scopes.push(scope);
            self.requests.len() - 1
        });
        self.order.push(index);
    }
}

/// A template that is to be built.
pub struct Site {
    /// How many services stand before the one whose it is.
    pub(super) position: usize,
    /// Where what asked for it stands: the test, or a fixture.
    pub(super) view: Viewpoint,
    pub(super) stage: Stage,
    pub(super) blank: Value,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl Site {
    /// That of a request, by its place among them all.
    pub(crate) fn of(request: usize, order: &[usize], test: &TestContext, (stage, blank): (Stage, Value)) -> Self {
        let position = order.iter().position(|index| *index == request);
        Self {
            position: position.unwrap_or(usize::MAX),
            view: Viewpoint::of(test),
            stage,
            blank,
        }
    }

    /// Looks for it within a fixture.
    pub(super) fn within<T>(&mut self, origin: Origin, find: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let view = self.view.within(origin);
        let outer = std::mem::replace(&mut self.view, view);
        let found = find(self);
        self.view = outer;
        found
    }
}
