//! Lists of parts with their types: nested pairs that end in `()`. They let the compiler find what a parameter is made of by its
//! type.

use std::path::Path;
use std::rc::Rc;

use serde_json::Value;

use super::ask::HeldList;
use super::grants::Grants;
use super::lease::AnyLease;
use super::made::Ledger;
use super::part::{BoxFuture, Brings, Part, Slot};
use super::plan::{Plan, Site};
use crate::error::{Error, Result};
use crate::service::{Driver, TestContext, Used};

/// All parts that one attribute declares.
pub trait Declared {
    /// The list of what is held for them.
    type Held: HeldList;
    /// As in [`Part::MADE_OF_ITSELF`].
    const MADE_OF_ITSELF: bool;

    /// As in [`Part::plan`].
    ///
    /// # Errors
    /// When a builder names what isn't there.
    fn plan(&self, plan: &mut Plan<'_>) -> Result<()>;

    /// As in [`Part::explain`].
    fn explain(&self, failure: &str, into: &mut Vec<String>);

    /// As in [`Part::build`].
    fn build(&self, site: &mut Site) -> Option<BoxFuture<'static, Result<()>>>;

    /// As in [`Part::hold`].
    ///
    /// # Errors
    /// When a grant is none of the service's.
    fn hold(self, grants: &mut Grants) -> Result<Self::Held>;

    /// As in [`Brings::drivers`].
    fn drivers(into: &mut Vec<Driver>);
}

impl Declared for () {
    type Held = ();
    const MADE_OF_ITSELF: bool = false;

    fn plan(&self, _: &mut Plan<'_>) -> Result<()> {
        Ok(())
    }

    fn explain(&self, _: &str, _: &mut Vec<String>) {}

    fn build(&self, _: &mut Site) -> Option<BoxFuture<'static, Result<()>>> {
        None
    }

    fn hold(self, _: &mut Grants) -> Result<()> {
        Ok(())
    }

    fn drivers(_: &mut Vec<Driver>) {}
}

impl<P: Part, R: Declared> Declared for (Slot<P>, R) {
    type Held = (P::Held, R::Held);
    const MADE_OF_ITSELF: bool = P::MADE_OF_ITSELF || R::MADE_OF_ITSELF;

    fn plan(&self, plan: &mut Plan<'_>) -> Result<()> {
        self.0.part.plan(self.0.place, plan)?;
        self.1.plan(plan)
    }

    fn explain(&self, failure: &str, into: &mut Vec<String>) {
        self.0.part.explain(failure, into);
        self.1.explain(failure, into);
    }

    fn build(&self, site: &mut Site) -> Option<BoxFuture<'static, Result<()>>> {
        self.0.part.build(site).or_else(|| self.1.build(site))
    }

    fn hold(self, grants: &mut Grants) -> Result<Self::Held> {
        let (Slot { place, part }, rest) = self;
        let held = part.hold(place, grants)?;
        Ok((held, rest.hold(grants)?))
    }

    fn drivers(into: &mut Vec<Driver>) {
        P::drivers(into);
        R::drivers(into);
    }
}

/// The drivers of the services of what `builder` makes.
pub fn drivers_of<P: Brings>(builder: impl Fn() -> P) -> Vec<Driver> {
    let _ = builder;
    let mut drivers = Vec::new();
    P::drivers(&mut drivers);
    drivers
}

/// The drivers of all parts.
pub fn all_drivers<const PARTS: usize>(parts: [Vec<Driver>; PARTS]) -> Vec<Driver> {
    parts.into_iter().flatten().collect()
}

/// Builds the template of a request, in the order in which `declared` asked.
pub(crate) fn build(declared: &impl Declared, mut site: Site) -> BoxFuture<'static, Result<()>> {
    declared.build(&mut site).unwrap_or_else(|| {
        Box::pin(async { Err(Error::new("the supervisor asked for a template that no service has")) })
    })
}

/// All that one test holds.
pub(crate) struct Holdings<L> {
    pub(crate) list: L,
    leases: Vec<Box<dyn AnyLease>>,
    /// What is known of its fixtures.
    pub(crate) ledger: Rc<Ledger>,
}

impl<L> Drop for Holdings<L> {
    fn drop(&mut self) {
        self.ledger.clear();
    }
}

impl<L: HeldList> Holdings<L> {
    /// Takes what was granted; the grants are in the requests' order, and `order` says which request is whose.
    pub(crate) fn of<D>(declared: D, test: &TestContext, grants: Vec<Value>, order: Vec<usize>) -> Result<Self>
    where
        D: Declared<Held = L>,
    {
        let mut grants = Grants::new(test, grants, order);
        let list = declared.hold(&mut grants)?;
        let (leases, ledger) = grants.finish();
        Ok(Self { list, leases, ledger })
    }

    /// Looks at each slice once more after a test that passed; the answers are in the requests' order.
    pub(crate) async fn finish(&self) -> Vec<Result<Used>> {
        let mut all = Vec::new();
        for lease in &self.leases {
            all.push(lease.finish().await);
        }
        all
    }

    /// Hints for a failure whose text reveals a limit of a slice.
    pub(crate) fn explain(&self, failure: &str) -> Vec<String> {
        let mut hints = Vec::new();
        for lease in &self.leases {
            hints.extend(lease.explain(failure).filter(|hint| !hints.contains(hint)));
        }
        hints
    }

    /// For each slice its label, and the command that opens it for a person. A secret that a command needs goes into a
    /// file in `folder`, if there is one.
    pub(crate) fn open_commands(&self, folder: Option<&Path>) -> Vec<(String, Option<String>)> {
        self.leases.iter().map(|lease| lease.open_command(folder)).collect()
    }
}
