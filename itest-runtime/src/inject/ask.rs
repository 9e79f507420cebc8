//! How a parameter finds what makes its value: a chain of all that could, in which the compiler goes from one to the next until
//! it finds one that makes values of the type.
//!
//! It goes by `Deref`, as in any method call: a [`Node`] that can't [`Gives::give`] the type is passed over. The first one that
//! can is taken, so that the same service in two places is not ambiguous for the compiler. What the test names itself comes
//! before what its fixtures bring.

use std::any::TypeId;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;

use futures_util::future::join_all;

use super::fixture::Fixture;
use super::lent::Lent;
use super::list::Declared;
use super::made::Made;
use super::part::BoxFuture;
use super::{Inject, Injected};
use crate::error::{Error, Result};
use crate::service::{Lease, Service};

/// What a test holds for one part.
pub trait Held: Sized + 'static {
    /// The chain of what it was made of, before a rest.
    type Inner<'a, T: 'a, R: Chain + 'a>: Chain;

    /// Makes it, if it is something to be made.
    fn make(&self) -> Option<BoxFuture<'_, Result<()>>>;

    /// Chains what it was made of before `rest`.
    fn inner<'a, T: 'a, R: Chain + 'a>(&'a self, rest: R) -> Self::Inner<'a, T, R>;

    /// Chains itself before `rest`.
    fn node<T, R: Chain>(&self, rest: R) -> Node<'_, T, Self, R> {
        Node {
            held: self,
            within: None,
            rest,
            of: PhantomData,
        }
    }

    /// What kind of values it makes, and which one it is.
    fn identity(&self) -> (TypeId, usize);

    /// What the test calls it.
    fn label(&self) -> &str;
}

impl<S: Service> Held for Lease<S> {
    type Inner<'a, T: 'a, R: Chain + 'a> = R;

    fn make(&self) -> Option<BoxFuture<'_, Result<()>>> {
        None
    }

    fn inner<'a, T: 'a, R: Chain + 'a>(&'a self, rest: R) -> R {
        rest
    }

    fn identity(&self) -> (TypeId, usize) {
        (TypeId::of::<S>(), self.address())
    }

    fn label(&self) -> &str {
        self.label()
    }
}

type Needs<F> = <<F as Fixture>::Needs as Declared>::Held;

impl<F: Fixture> Held for Made<F> {
    type Inner<'a, T: 'a, R: Chain + 'a> =
        <Needs<F> as HeldList>::Nodes<'a, T, <Needs<F> as HeldList>::Inners<'a, T, R>>;

    fn make(&self) -> Option<BoxFuture<'_, Result<()>>> {
        Some(Box::pin(async { self.get().await.map(drop) }))
    }

    fn inner<'a, T: 'a, R: Chain + 'a>(&'a self, rest: R) -> Self::Inner<'a, T, R> {
        let needs = self.needs();
        needs.nodes::<T, _>(self.label(), needs.inners::<T, _>(rest))
    }

    fn identity(&self) -> (TypeId, usize) {
        (TypeId::of::<F::Value>(), self.address())
    }

    fn label(&self) -> &str {
        self.label()
    }
}

/// What a test or a fixture holds for all of its parts.
pub trait HeldList: 'static {
    /// The chain of all of them, before a rest.
    type Nodes<'a, T: 'a, R: Chain + 'a>: Chain;
    /// The chain of all that they were made of, before a rest.
    type Inners<'a, T: 'a, R: Chain + 'a>: Chain;

    /// Adds what makes those that are to be made.
    fn makings<'a>(&'a self, into: &mut Vec<BoxFuture<'a, Result<()>>>);

    /// Chains them before `rest`; `within` is the fixture whose they are.
    fn nodes<'a, T: 'a, R: Chain + 'a>(&'a self, within: &'a str, rest: R) -> Self::Nodes<'a, T, R>;

    /// Chains what they were made of before `rest`.
    fn inners<'a, T: 'a, R: Chain + 'a>(&'a self, rest: R) -> Self::Inners<'a, T, R>;
}

impl HeldList for () {
    type Nodes<'a, T: 'a, R: Chain + 'a> = R;
    type Inners<'a, T: 'a, R: Chain + 'a> = R;

    fn makings<'a>(&'a self, _: &mut Vec<BoxFuture<'a, Result<()>>>) {}

    fn nodes<'a, T: 'a, R: Chain + 'a>(&'a self, _: &'a str, rest: R) -> R {
        rest
    }

    fn inners<'a, T: 'a, R: Chain + 'a>(&'a self, rest: R) -> R {
        rest
    }
}

impl<H: Held, L: HeldList> HeldList for (H, L) {
    type Nodes<'a, T: 'a, R: Chain + 'a> = Node<'a, T, H, L::Nodes<'a, T, R>>;
    type Inners<'a, T: 'a, R: Chain + 'a> = H::Inner<'a, T, L::Inners<'a, T, R>>;

    fn makings<'a>(&'a self, into: &mut Vec<BoxFuture<'a, Result<()>>>) {
        into.extend(self.0.make());
        self.1.makings(into);
    }

    fn nodes<'a, T: 'a, R: Chain + 'a>(&'a self, within: &'a str, rest: R) -> Self::Nodes<'a, T, R> {
        Node {
            held: &self.0,
            within: Some(within),
            rest: self.1.nodes::<T, R>(within, rest),
            of: PhantomData,
        }
    }

    fn inners<'a, T: 'a, R: Chain + 'a>(&'a self, rest: R) -> Self::Inners<'a, T, R> {
        self.0.inner::<T, _>(self.1.inners::<T, R>(rest))
    }
}

/// Makes what is to be made, side by side.
///
/// # Errors
/// The first one's that fails. All of them end, also then: what was made is taken down.
pub(crate) async fn make_all(list: &impl HeldList) -> Result<()> {
    let mut makings = Vec::new();
    list.makings(&mut makings);
    match makings.len() {
        0 => Ok(()),
        1 => makings.remove(0).await,
        _ => join_all(makings).await.into_iter().collect(),
    }
}

/// One that could make a `T`, and those that are asked after it.
#[derive(Debug)]
pub struct Node<'a, T, H, R> {
    held: &'a H,
    /// The fixture that brought it; none if the test names it itself.
    within: Option<&'a str>,
    rest: R,
    of: PhantomData<fn() -> T>,
}

impl<T, H, R> Deref for Node<'_, T, H, R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.rest
    }
}

/// All that could make a value.
pub trait Chain {
    /// Finds one of the kind that is another one, and says whose it is.
    fn other(&self, one: (TypeId, usize)) -> Option<String>;
}

impl<T, H: Held, R: Chain> Chain for Node<'_, T, H, R> {
    fn other(&self, (kind, address): (TypeId, usize)) -> Option<String> {
        let own = self.held.identity();
        if own.0 == kind && own.1 != address {
            return Some(self.name());
        }
        self.rest.other((kind, address))
    }
}

impl<T, H: Held, R: Chain> Node<'_, T, H, R> {
    fn name(&self) -> String {
        let label = self.held.label();
        match self.within {
            Some(fixture) => format!("`{label}` of the fixture `{fixture}`"),
            None => format!("`{label}`"),
        }
    }

    /// Of several that fixtures bring, none is meant more than the others.
    fn check(&self, parameter: &str) -> Result<()> {
        let other = self.within.and_then(|_| self.rest.other(self.held.identity()));
        let Some(other) = other else { return Ok(()) };
        Err(Error::new(format!(
            "the parameter `{parameter}` may be made of {}, or of {other}, which is another one",
            self.name()
        ))
        .hint(
            "name in the attribute the one that is meant, with the same options: what is equal is the same; or ask the fixture \
             for it",
        ))
    }
}

/// Makes a `T`: `Via` is the way, and the compiler works it out.
pub trait Gives<T, Via> {
    /// What holds the value while the test has it.
    type Given;

    /// The value.
    ///
    /// # Errors
    /// When it can't be made.
    fn give(&self, parameter: &str) -> impl Future<Output = Result<Self::Given>>;
}

#[diagnostic::do_not_recommend]
impl<T, Via: 'static, S: Service, R: Chain> Gives<T, Via> for Node<'_, T, Lease<S>, R>
where
    T: Inject<Via, Service = S>,
{
    type Given = Injected<T>;

    async fn give(&self, parameter: &str) -> Result<Injected<T>> {
        self.check(parameter)?;
        Injected::make(self.held, parameter).await
    }
}

/// The way of a fixture's value.
#[derive(Debug)]
pub struct AsFixture;

#[diagnostic::do_not_recommend]
impl<T: 'static, F: Fixture<Value = T>, R: Chain> Gives<T, AsFixture> for Node<'_, T, Made<F>, R> {
    type Given = Lent<T>;

    async fn give(&self, parameter: &str) -> Result<Lent<T>> {
        self.check(parameter)?;
        self.held.get().await.map(Lent::of)
    }
}

/// The end of the chain: nothing makes a `T`.
#[derive(Debug)]
pub struct End<T>(PhantomData<fn() -> T>);

/// The end of a chain.
pub fn end<T>() -> End<T> {
    End(PhantomData)
}

impl<T> Chain for End<T> {
    fn other(&self, _: (TypeId, usize)) -> Option<String> {
        None
    }
}

#[expect(clippy::unused_self, reason = "it is called as a method, in the chain's last place")]
impl<T> End<T> {
    /// That the compiler came this far is a mistake, which it tells by [`Makes`].
    ///
    /// # Errors
    /// Never: it isn't called.
    pub fn give(&self, parameter: &str) -> Ready<Result<Injected<T>>>
    where
        Nobody: Makes<T>,
    {
        ready(Err(Error::new(format!("nothing makes the parameter `{parameter}`"))))
    }
}

/// What is asked last.
#[derive(Debug)]
pub struct Nobody;

/// Makes a `T` where nothing else does: nothing is that.
#[diagnostic::on_unimplemented(
    message = "nothing makes a `{T}` for this parameter",
    label = "no service or fixture that it may come from makes a value of this type",
    note = "name in the attribute the service that makes it: a `postgres` makes `sqlx::PgPool`, `sqlx::PgConnection`, \
            `sqlx::Transaction`, `PgConnectOptions`, `Url<Postgres>`; a `redis` makes `redis::Client`, `MultiplexedConnection`, \
            `ConnectionManager`, `Url<Redis>`; a `container` makes `ContainerHandle`, a `compose` makes `ComposeHandle`; a service \
            of your own what implements `itest::Inject` for it; or name the `#[itest::fixture]` that returns it",
    note = "a parameter with the name of an instance gets its value from that instance, and no other parameter does",
    note = "the versions of sqlx and redis must be those that itest uses"
)]
pub trait Makes<T> {}
