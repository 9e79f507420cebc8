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
/// A service is known by its identity: the code that defines it, and its type. Of the facade's services, which a test binary is
/// linked with whether it declares them or not, one supervisor serves all that it knows. Any other service is known only to the
/// binaries that declare it: it gets a supervisor of its own, which one of those binaries runs.
#[derive(Clone)]
pub struct Driver {
    name: &'static str,
    identity: String,
    service: Arc<dyn ErasedService>,
}

impl Driver {
    /// The driver of the service that `builder` makes.
    pub fn of<S: Service>(builder: impl Fn() -> S) -> Self {
        let _ = builder;
        Self::of_service::<S>()
    }

    /// The driver of a service that no builder without arguments makes.
    pub fn of_service<S: Service>() -> Self {
        // The crate is part of the code's name. In a type's it is left out: a module that several test binaries include is one
        // service.
        let path = type_name::<S>().split_once("::").map_or("", |(_, path)| path);
        Self {
            name: S::NAME,
            identity: format!("{} {path}", S::CODE),
            service: Arc::new(Erased::<S>(PhantomData)),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Which service this is: another state of its code is another service, whatever the names are.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
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
            .field("identity", &self.identity)
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
            Ok(Box::new(Typed::<S>(slices)) as Box<dyn ErasedSlices>)
        })
    }
}
