//! A service without its type: what the supervisor keeps of it.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde_json::Value;

use super::Service;
use super::erased::{BoxFuture, ErasedSlices, Typed, parse};
use crate::error::Result;
use crate::provider::{Endpoint, Recipe};

/// Runs one kind of service in the supervisor.
///
/// Built-in services are the same in every test binary, so one supervisor serves them all. A user's service is known only
/// to the binaries that declare it: it gets a supervisor of its own *domain*, which one of those binaries runs.
#[derive(Clone)]
pub struct Driver {
    name: &'static str,
    domain: String,
    service: Arc<dyn ErasedService>,
}

impl Driver {
    /// The driver of the service that `builder` makes.
    pub fn of<S: Service>(builder: impl Fn() -> S) -> Self {
        let _ = builder;
        Self::of_service::<S>()
    }

    pub(crate) fn of_service<S: Service>() -> Self {
        // The crate's name is left out: a module that several test binaries include is one service.
        let domain = match type_name::<S>().split_once("::") {
            Some(("itest_runtime", _)) => "core".to_owned(),
            Some((_, path)) => format!("{}@{path}", S::NAME),
            None => S::NAME.to_owned(),
        };
        Self {
            name: S::NAME,
            domain,
            service: Arc::new(Erased::<S>(PhantomData)),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Who runs this service: requests of one domain go to one supervisor.
    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }

    pub(crate) fn recipe(&self, server: &Value) -> Result<Recipe> {
        self.service.recipe(server)
    }

    pub(crate) async fn connect(&self, server: &Value, endpoint: &Endpoint) -> Result<Box<dyn ErasedSlices>> {
        self.service.connect(server, endpoint).await
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("name", &self.name)
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

trait ErasedService: Send + Sync {
    fn recipe(&self, server: &Value) -> Result<Recipe>;
    fn connect<'a>(&'a self, server: &'a Value, endpoint: &'a Endpoint)
    -> BoxFuture<'a, Result<Box<dyn ErasedSlices>>>;
}

struct Erased<S>(PhantomData<S>);

impl<S: Service> ErasedService for Erased<S> {
    fn recipe(&self, server: &Value) -> Result<Recipe> {
        Ok(S::recipe(&parse(server)?))
    }

    fn connect<'a>(
        &'a self,
        server: &'a Value,
        endpoint: &'a Endpoint,
    ) -> BoxFuture<'a, Result<Box<dyn ErasedSlices>>> {
        Box::pin(async move {
            let slices = S::connect(&parse(server)?, endpoint).await?;
            Ok(Box::new(Typed(slices)) as Box<dyn ErasedSlices>)
        })
    }
}
