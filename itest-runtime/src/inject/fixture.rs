//! Fixtures: values of the user's own that are made of other injected values, and taken down after the test.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::grants::Grants;
use super::list::Declared;
use super::made::Made;
use super::origin::Origin;
use super::part::{BoxFuture, Part, Place};
use super::plan::{Plan, Site};
use crate::error::{Error, Result};
use crate::outcome::Verdict;

/// What `#[itest::fixture]` makes of a function: how its value is made of other values.
pub trait Fixture: Clone + PartialEq + 'static {
    /// Where it is written.
    const ORIGIN: Origin;
    /// What it returns.
    type Value: 'static;
    /// The services and fixtures that it names.
    type Needs: Declared;

    /// What it asks of them.
    fn needs(&self) -> Self::Needs;

    /// Calls the function.
    ///
    /// # Errors
    /// When a parameter can't be made, or the function fails.
    fn make(&self, held: &<Self::Needs as Declared>::Held) -> impl Future<Output = Result<Arc<Self::Value>>>;

    /// Ends the value.
    ///
    /// # Errors
    /// When the function that takes it down fails.
    fn tear_down(&self, value: Arc<Self::Value>) -> impl Future<Output = Result<()>>;
}

/// The type of one part of a fixture, by its place among them: what stands in an attribute has no type that could be named.
pub trait Names<const INDEX: usize> {
    /// The part's type.
    type Part: Part;
}

/// What a fixture that may fail returns.
#[diagnostic::on_unimplemented(
    message = "a fixture can't return `{Self}`",
    label = "a fixture returns its value, or a `Result<T, E>` with `E: Debug`",
    note = "a type whose name ends in `Result` is taken for a `Result`; return `Result<{Self}, Infallible>` if it is a value"
)]
pub trait Fallible {
    /// The fixture's value.
    type Value;

    /// The value, or why there is none.
    ///
    /// # Errors
    /// When there is none.
    fn made(self) -> Result<Self::Value>;
}

impl<T, E: fmt::Debug> Fallible for std::result::Result<T, E> {
    type Value = T;

    fn made(self) -> Result<T> {
        self.map_err(|error| Error::new(format!("{error:?}")))
    }
}

/// Whether what a fixture was lent is in order.
///
/// # Errors
/// When it isn't.
pub fn ended(verdict: Verdict) -> Result<()> {
    verdict.into_result()
}

/// What `#[itest::fixture]` has a part do: see [`super::part::Part`].
///
/// # Errors
/// As there.
pub fn plan<F: Fixture>(fixture: &F, place: Place, plan: &mut Plan<'_>) -> Result<()> {
    plan.within(place, F::ORIGIN, |plan| fixture.needs().plan(plan))
}

/// As [`super::part::Part::explain`].
pub fn explain<F: Fixture>(fixture: &F, failure: &str, into: &mut Vec<String>) {
    fixture.needs().explain(failure, into);
}

/// As [`super::part::Part::build`].
pub fn build<F: Fixture>(fixture: &F, site: &mut Site) -> Option<BoxFuture<'static, Result<()>>> {
    site.within(F::ORIGIN, |site| fixture.needs().build(site))
}

/// As [`super::part::Part::hold`].
///
/// # Errors
/// As there.
pub fn hold<F: Fixture>(fixture: &F, place: Place, grants: &mut Grants) -> Result<Made<F>> {
    let needs = grants.within(place, F::ORIGIN, |grants| fixture.needs().hold(grants))?;
    let ledger = grants.ledger.clone();
    Ok(grants.share(
        place,
        |made: &Made<F>| made.is_of(fixture),
        |label| Made::new(label, fixture.clone(), needs, &ledger),
    ))
}
