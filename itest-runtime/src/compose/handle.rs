//! What a test receives of a compose file.

use super::{Compose, ComposeGrant};
use crate::container::ContainerHandle;
use crate::error::{Error, Result};
use crate::inject::Inject;
use crate::provider::ContainerPlace;
use crate::service::Lease;

/// Running containers, by the names that the compose file gives its services.
///
/// ```no_run
/// # fn body(stack: &itest::ComposeHandle) -> Result<(), itest::Error> {
/// let search = format!("http://{}", stack.address("elasticsearch", 9200)?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ComposeHandle(ComposeGrant);

impl ComposeHandle {
    /// The project's name, for the engine's own commands: `docker compose -p NAME logs`.
    pub fn project(&self) -> &str {
        &self.0.place.project
    }

    /// A name that no other test has, for what this one makes in them: a prefix for topics, queues, buckets, indices.
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// `host:port`, by which this port of a service is reached.
    ///
    /// # Errors
    /// When the file has no such service, or the service doesn't name the port under `ports` or `expose`.
    pub fn address(&self, service: &str, port: u16) -> Result<String> {
        self.places(service)?[0].address_of(port)
    }

    /// The container of a service; the first where there are several.
    ///
    /// # Errors
    /// When the file has no such service.
    pub fn container(&self, service: &str) -> Result<ContainerHandle> {
        Ok(self.handle(&self.places(service)?[0]))
    }

    /// All containers of a service.
    ///
    /// # Errors
    /// When the file has no such service.
    pub fn containers(&self, service: &str) -> Result<Vec<ContainerHandle>> {
        Ok(self.places(service)?.iter().map(|place| self.handle(place)).collect())
    }

    fn handle(&self, place: &ContainerPlace) -> ContainerHandle {
        ContainerHandle::new(place.clone(), self.0.dedicated, self.0.namespace.clone())
    }

    /// Never empty.
    fn places(&self, service: &str) -> Result<&[ContainerPlace]> {
        let services = &self.0.place.services;
        let found = services.get(service).filter(|places| !places.is_empty());
        found.map(Vec::as_slice).ok_or_else(|| {
            let known: Vec<_> = services.keys().map(|name| format!("`{name}`")).collect();
            Error::new(format!("the compose file has no service `{service}`"))
                .hint(format!("its running services are {}", known.join(", ")))
        })
    }
}

impl Inject for ComposeHandle {
    type Service = Compose;

    async fn inject(lease: &Lease<Compose>) -> Result<Self> {
        Ok(Self(lease.grant().clone()))
    }
}
