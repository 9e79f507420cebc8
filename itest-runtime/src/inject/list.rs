//! Lists of services and leases with their types: nested pairs that end in `()`. They let the compiler find a parameter's
//! service by its type.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::Value;

use super::{Inject, Injected};
use crate::error::{Context, Error, Result};
use crate::naming::random_hex;
use crate::service::{Driver, Lease, Service, TestContext, URL_FILE, Used};
use crate::spec::{Provider, Provision, Request, redacted};

pub(crate) type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + 'a>>;

/// One declared service.
#[derive(Debug, Clone)]
pub struct Slot<S> {
    label: &'static str,
    service: S,
}

impl<S> Slot<S> {
    /// A service, and what the test calls it.
    pub fn new(label: &'static str, service: S) -> Self {
        Self { label, service }
    }
}

/// Chooses a provider: from a service's name, and what the test asks.
pub(crate) type Choose<'a> = &'a dyn Fn(&str, Option<Provider>) -> Result<Provision>;

/// All declared services of one test.
pub trait Declared {
    /// The list of their leases.
    type Leases: LeaseList;

    /// Adds the request of each to `into`.
    ///
    /// # Errors
    /// When a builder names what isn't there.
    fn requests(&self, test: &TestContext, choose: Choose<'_>, into: &mut Vec<Request>) -> Result<()>;

    /// Hints for a failure to get slices.
    fn explain(&self, failure: &str, into: &mut Vec<String>);

    /// Builds the template of the service at `index`.
    fn build<'a>(&'a self, index: usize, test: &'a TestContext, blank: Value) -> BoxFuture<'a, Result<()>>;

    /// Makes the leases of the grants, which are in the services' order.
    ///
    /// # Errors
    /// When a grant is none of the service's.
    fn leases(self, test: &TestContext, grants: &mut dyn Iterator<Item = Value>) -> Result<Self::Leases>;
}

impl Declared for () {
    type Leases = ();

    fn requests(&self, _: &TestContext, _: Choose<'_>, _: &mut Vec<Request>) -> Result<()> {
        Ok(())
    }

    fn explain(&self, _: &str, _: &mut Vec<String>) {}

    fn build<'a>(&'a self, _: usize, _: &'a TestContext, _: Value) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Err(Error::new("the supervisor asked for a template that no service has")) })
    }

    fn leases(self, _: &TestContext, _: &mut dyn Iterator<Item = Value>) -> Result<()> {
        Ok(())
    }
}

impl<S: Service, T: Declared> Declared for (Slot<S>, T) {
    type Leases = (Lease<S>, T::Leases);

    fn requests(&self, test: &TestContext, choose: Choose<'_>, into: &mut Vec<Request>) -> Result<()> {
        let Slot { label, service } = &self.0;
        let json = || format!("the options of `{}` have no JSON form", S::NAME);
        let driver = Driver::of_service::<S>();
        let (server, slice) = service.specs(test)?;
        let placement = service.placement();
        into.push(Request {
            service: S::NAME.to_owned(),
            identity: driver.identity().to_owned(),
            label: (*label).to_owned(),
            server: serde_json::to_value(server).context(json)?,
            slice: serde_json::to_value(slice).context(json)?,
            dedicated: placement.dedicated,
            once_per_run: S::ONCE_PER_RUN,
            provision: complete::<S>(choose(S::NAME, placement.provider)?)?,
        });
        self.1.requests(test, choose, into)
    }

    fn explain(&self, failure: &str, into: &mut Vec<String>) {
        into.extend(self.0.service.explain(failure).filter(|hint| !into.contains(hint)));
        self.1.explain(failure, into);
    }

    fn build<'a>(&'a self, index: usize, test: &'a TestContext, blank: Value) -> BoxFuture<'a, Result<()>> {
        let Some(index) = index.checked_sub(1) else {
            return Box::pin(async move { self.0.service.build(test, &grant::<S>(blank)?).await });
        };
        self.1.build(index, test, blank)
    }

    fn leases(self, test: &TestContext, grants: &mut dyn Iterator<Item = Value>) -> Result<Self::Leases> {
        let (Slot { label, service }, rest) = self;
        let value = grants
            .next()
            .ok_or_else(|| Error::new("the supervisor granted too little"))?;
        let lease = Lease::new(label.to_owned(), service, test.clone(), grant::<S>(value)?);
        Ok((lease, rest.leases(test, grants)?))
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

fn grant<S: Service>(value: Value) -> Result<S::Grant> {
    serde_json::from_value(value).context(|| format!("the supervisor's grant of `{}` makes no sense", S::NAME))
}

/// All leases of one test.
pub trait LeaseList {
    /// Looks at each slice once more after a test that passed; the answers are in the services' order.
    fn finish(&self) -> BoxFuture<'_, Vec<Result<Used>>>;

    /// Hints for a failure whose text reveals a limit of a slice.
    fn explain(&self, failure: &str, into: &mut Vec<String>);

    /// For each slice its label, and the command that opens it for a person. A secret that the command needs goes into a
    /// file in `folder`, if there is one.
    fn open_commands(&self, folder: Option<&Path>, into: &mut Vec<(String, Option<String>)>);
}

impl LeaseList for () {
    fn finish(&self) -> BoxFuture<'_, Vec<Result<Used>>> {
        Box::pin(async { Vec::new() })
    }

    fn explain(&self, _: &str, _: &mut Vec<String>) {}

    fn open_commands(&self, _: Option<&Path>, _: &mut Vec<(String, Option<String>)>) {}
}

impl<S: Service, T: LeaseList> LeaseList for (Lease<S>, T) {
    fn finish(&self) -> BoxFuture<'_, Vec<Result<Used>>> {
        Box::pin(async {
            let mut all = vec![S::finish(&self.0).await];
            all.extend(self.1.finish().await);
            all
        })
    }

    fn explain(&self, failure: &str, into: &mut Vec<String>) {
        into.extend(self.0.service().explain(failure).filter(|hint| !into.contains(hint)));
        self.1.explain(failure, into);
    }

    fn open_commands(&self, folder: Option<&Path>, into: &mut Vec<(String, Option<String>)>) {
        let command = S::open_command(self.0.grant());
        let command = match folder.zip(S::url(self.0.grant()).ok()) {
            Some((folder, url)) => command.and_then(|command| with_url_file(command, folder, &url)),
            None => command,
        };
        into.push((self.0.label().to_owned(), command));
        self.1.open_commands(folder, into);
    }
}

/// Lets the shell read the URL out of a file: it must not stand in a log.
fn with_url_file(command: String, folder: &Path, url: &str) -> Option<String> {
    if !command.contains(URL_FILE) {
        return Some(command);
    }
    let path = folder.join(format!("url-{}", random_hex(4)));
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .ok()?;
    file.write_all(url.as_bytes()).ok()?;
    Some(command.replace(URL_FILE, &format!("\"$(cat {})\"", path.display())))
}

/// Makes a `T` of the service in a list that makes such values; `I` says where, and the compiler works it out.
///
/// The type and the list are in one bound, and none names [`Inject::Service`]: a type that nobody makes is one error.
#[diagnostic::on_unimplemented(
    message = "nothing makes a `{T}` for this parameter",
    label = "no service that it may come from makes a value of this type",
    note = "declare the service that makes it: a `postgres` makes `sqlx::PgPool`, `sqlx::PgConnection`, `sqlx::Transaction`, \
            `PgConnectOptions`, `Url<Postgres>`; a `redis` makes `redis::Client`, `MultiplexedConnection`, `ConnectionManager`, \
            `Url<Redis>`; a `container` makes `ContainerHandle`, a `compose` makes `ComposeHandle`",
    note = "a parameter with the name of an instance gets its value from that instance, and no other parameter does",
    note = "implement `itest::Inject` for types of your own; the versions of sqlx and redis must be those that itest uses"
)]
pub trait Makes<T, I> {
    /// The value.
    ///
    /// # Errors
    /// When it can't be made.
    fn make(&self, parameter: &str) -> impl Future<Output = Result<Injected<T>>>;
}

/// The first of a list, by one of the ways in which it makes the type.
#[derive(Debug)]
pub struct Here<Via>(std::marker::PhantomData<Via>);

/// Somewhere after the first of a list.
#[derive(Debug)]
pub struct There<I>(std::marker::PhantomData<I>);

#[diagnostic::do_not_recommend]
impl<T: Inject<Via, Service = S>, Via: 'static, S: Service, R> Makes<T, Here<Via>> for (&Lease<S>, R) {
    async fn make(&self, parameter: &str) -> Result<Injected<T>> {
        Injected::make(self.0, parameter).await
    }
}

#[diagnostic::do_not_recommend]
impl<T, S: Service, R: Makes<T, I>, I> Makes<T, There<I>> for (&Lease<S>, R) {
    async fn make(&self, parameter: &str) -> Result<Injected<T>> {
        self.1.make(parameter).await
    }
}
