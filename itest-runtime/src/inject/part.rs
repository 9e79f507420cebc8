//! What a test can name in its attribute: a service, or a fixture, which brings services of its own. First each says what it asks
//! for, then it is given what was granted.

use serde_json::Value;

use super::ask::Held;
use super::grants::Grants;
use super::plan::{Plan, Site};
use crate::error::{Context, Result};
use crate::service::{Driver, Lease, Service};
use crate::spec::{Provision, Request, redacted};

/// A future on the heap, of one thread.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + 'a>>;

/// One declared service or fixture.
#[derive(Debug, Clone)]
pub struct Slot<P> {
    pub(super) place: Place,
    pub(super) part: P,
}

/// Where a part stands in its attribute.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// What the attribute calls it: the instance's name, or the function's.
    pub(super) label: &'static str,
    /// Whether that is the name of an instance, which nothing else is.
    pub(super) is_named: bool,
}

impl<P> Slot<P> {
    /// A part without a name of its own: `postgres`.
    pub fn new(label: &'static str, part: P) -> Self {
        let is_named = false;
        Self {
            place: Place { label, is_named },
            part,
        }
    }

    /// A named instance: `orders = postgres`.
    pub fn named(label: &'static str, part: P) -> Self {
        let is_named = true;
        Self {
            place: Place { label, is_named },
            part,
        }
    }
}

/// What a test can name in its attribute.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a service nor a fixture",
    label = "the function of this name must return a service, or be an `#[itest::fixture]`, with all of its options",
    note = "a service is a builder that implements `itest::service::Service`, such as what `itest::service::postgres()` returns"
)]
pub trait Part: Brings + Clone + 'static {
    /// What the test gets for it: a lease, or a fixture's value.
    type Held: Held;
    /// No fixture can be, by way of others either: the compiler finds a cycle where it evaluates this.
    const MADE_OF_ITSELF: bool;

    /// Says which services are needed.
    ///
    /// # Errors
    /// When a builder names what isn't there.
    fn plan(&self, place: Place, plan: &mut Plan<'_>) -> Result<()>;

    /// Hints for a failure to get slices.
    fn explain(&self, failure: &str, into: &mut Vec<String>);

    /// Builds a template, if the service at this position is one of the part's; else the position is counted down.
    fn build(&self, site: &mut Site) -> Option<BoxFuture<'static, Result<()>>>;

    /// Takes what was granted, in the order of [`Part::plan`].
    ///
    /// # Errors
    /// When a grant is none of the service's.
    fn hold(self, place: Place, grants: &mut Grants) -> Result<Self::Held>;
}

/// The services that a part brings, whatever its options are.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a service nor a fixture",
    label = "the function of this name must return a service, or be an `#[itest::fixture]`, with all of its options",
    note = "a service is a builder that implements `itest::service::Service`, such as what `itest::service::postgres()` returns"
)]
pub trait Brings {
    /// Adds the drivers of its services.
    fn drivers(into: &mut Vec<Driver>);
}

#[diagnostic::do_not_recommend]
impl<S: Service> Part for S {
    type Held = Lease<S>;
    const MADE_OF_ITSELF: bool = false;

    fn plan(&self, place: Place, plan: &mut Plan<'_>) -> Result<()> {
        let json = || format!("the options of `{}` have no JSON form", S::NAME);
        let driver = Driver::of_service::<S>();
        let (server, slice) = self.specs(&plan.view.context())?;
        let placement = self.placement();
        let request = Request {
            service: S::NAME.to_owned(),
            identity: driver.identity().to_owned(),
            label: String::new(),
            server: serde_json::to_value(server).context(json)?,
            slice: serde_json::to_value(slice).context(json)?,
            dedicated: placement.dedicated,
            once_per_run: S::ONCE_PER_RUN,
            provision: if S::IN_SUPERVISOR {
                Provision::Inside
            } else {
                complete::<S>((plan.choose)(S::NAME, placement.provider)?)?
            },
        };
        plan.ask(place, request);
        Ok(())
    }

    fn explain(&self, failure: &str, into: &mut Vec<String>) {
        into.extend(Service::explain(self, failure).filter(|hint| !into.contains(hint)));
    }

    fn build(&self, site: &mut Site) -> Option<BoxFuture<'static, Result<()>>> {
        if let Some(position) = site.position.checked_sub(1) {
            site.position = position;
            return None;
        }
        let (service, test, stage) = (self.clone(), site.view.context(), site.stage);
        let blank = std::mem::take(&mut site.blank);
        Some(Box::pin(async move {
            Service::build(&service, &test, &grant::<S>(blank)?, stage).await
        }))
    }

    fn hold(self, place: Place, grants: &mut Grants) -> Result<Lease<S>> {
        grants.lease(place, self)
    }
}

#[diagnostic::do_not_recommend]
impl<S: Service> Brings for S {
    fn drivers(into: &mut Vec<Driver>) {
        into.push(Driver::of_service::<S>());
    }
}

fn complete<S: Service>(provision: Provision) -> Result<Provision> {
    let Provision::External { url } = provision else {
        return Ok(provision);
    };
    let whole = S::complete(&url)
        .map_err(|error| error.context(format!("the {} server at {} can't be used", S::NAME, redacted(&url))))?;
    Ok(Provision::External { url: whole })
}

pub(super) fn grant<S: Service>(value: Value) -> Result<S::Grant> {
    serde_json::from_value(value).context(|| format!("the supervisor's grant of `{}` makes no sense", S::NAME))
}
