//! Inject: make a typed value out of a lease.

mod ask;
mod fixture;
mod grants;
mod lease;
mod lent;
mod list;
mod made;
mod origin;
mod part;
mod plan;
mod shared;
mod teardown;

pub(crate) use ask::make_all;
pub use ask::{Gives, Held, HeldList, end};
pub use fixture::{Fallible, Fixture, Names, build, ended, explain, hold, plan};
pub use grants::Grants;
pub use list::{Declared, all_drivers, drivers_of};
pub(crate) use list::{Holdings, build as build_template};
pub use made::Made;
pub use origin::Origin;
pub use part::{BoxFuture, Brings, Part, Place, Slot};
pub use plan::{Plan, Site};
pub use shared::shared;
pub use teardown::tear_down;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use crate::error::{Error, Result};
use crate::outcome::Verdict;
use crate::service::{Lease, Service};

/// A type that a test can have as a parameter.
///
/// ```
/// use itest::{Error, Inject, Lease, Url};
/// use itest::service::Redis;
///
/// /// Our own client, made of any lease of Redis.
/// struct Cache(String);
///
/// impl Inject for Cache {
///     type Service = Redis;
///
///     async fn inject(lease: &Lease<Redis>) -> Result<Self, Error> {
///         Ok(Cache(Url::inject(lease).await?.to_string()))
///     }
/// }
/// ```
///
/// # Types of other crates
/// A crate that makes injectable what neither it nor itest owns, for a service that isn't its own either, puts a type of its own
/// in the place of `Via`: Rust's orphan rule asks for that. Tests need not name it, as the compiler finds the one way there is.
/// Where a service's crate has made a type injectable already, a second way is ambiguous: wrap the type instead.
///
/// ```
/// use itest::service::Postgres;
/// use itest::{Inject, Lease, Result, Url};
/// # mod foreign { pub struct Client(pub String); }
/// use foreign::Client; // of a crate that knows nothing of itest
///
/// /// The way by which this crate makes it.
/// pub struct ByUrl;
///
/// impl Inject<ByUrl> for Client {
///     type Service = Postgres;
///
///     async fn inject(lease: &Lease<Postgres>) -> Result<Self> {
///         Ok(Client(Url::inject(lease).await?.to_string()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a test can't have a parameter of type `{Self}`",
    label = "no service makes values of this type",
    note = "implement `itest::Inject` for types of your own; the versions of sqlx and redis must be those that itest uses"
)]
pub trait Inject<Via = ()>: Sized + Send + 'static {
    /// The service that makes it.
    type Service: Service;

    /// Makes the value.
    ///
    /// # Errors
    /// When the slice can't be reached, or can't give such a value.
    fn inject(lease: &Lease<Self::Service>) -> impl Future<Output = Result<Self>> + Send;

    /// Looks at a value that was lent to a test that passed (`&T`, `&mut T`), before the lease ends.
    ///
    /// # Errors
    /// What only shows now; it fails the test.
    fn finish(self, lease: &Lease<Self::Service>) -> impl Future<Output = Result<()>> + Send {
        let _ = lease;
        async { Ok(()) }
    }
}

/// The slice's address, with user and password, for any client that itest has no type for.
///
/// ```
/// # use itest::Url;
/// # use itest::service::Redis;
/// fn start_my_service(cache: &Url<Redis>) -> std::process::Command {
///     let mut command = std::process::Command::new("my-service");
///     command.env("REDIS_URL", cache.as_str());
///     command
/// }
/// ```
pub struct Url<S> {
    text: String,
    service: PhantomData<fn() -> S>,
}

impl<S> Url<S> {
    /// The URL as a text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<S> fmt::Display for Url<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Never shows the password.
impl<S> fmt::Debug for Url<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Url").field(&crate::spec::redacted(&self.text)).finish()
    }
}

impl<S> Clone for Url<S> {
    fn clone(&self) -> Self {
        Self {
            text: self.text.clone(),
            service: PhantomData,
        }
    }
}

impl<S> AsRef<str> for Url<S> {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl<S: Service> Inject for Url<S> {
    type Service = S;

    async fn inject(lease: &Lease<S>) -> Result<Self> {
        Ok(Self {
            text: S::url(lease.grant())?,
            service: PhantomData,
        })
    }
}

/// A value, and what ends its loan.
pub struct Injected<T> {
    value: T,
    end: End<T>,
}

type End<T> = Box<dyn FnOnce(T) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send>;

impl<T> fmt::Debug for Injected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injected").finish_non_exhaustive()
    }
}

impl<T> Injected<T> {
    pub(crate) async fn make<Via: 'static>(lease: &Lease<T::Service>, parameter: &str) -> Result<Self>
    where
        T: Inject<Via>,
    {
        let value = T::inject(lease).await.map_err(|error: Error| {
            error.context(format!(
                "failed to make the parameter `{parameter}` out of `{}`",
                lease.label()
            ))
        })?;
        let lease = lease.clone();
        Ok(Self {
            value,
            end: Box::new(move |value: T| Box::pin(async move { value.finish(&lease).await })),
        })
    }

    /// For a parameter `T`.
    pub fn into_value(self) -> T {
        self.value
    }

    /// For a parameter `&T`.
    pub fn shared(&self) -> &T {
        &self.value
    }

    /// For a parameter `&mut T`.
    pub fn exclusive(&mut self) -> &mut T {
        &mut self.value
    }

    /// Ends the loan of the value.
    pub async fn finish(self, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Passed => (self.end)(self.value).await.into(),
            failed @ Verdict::Failed(_) => failed,
        }
    }
}
