//! The supervisor's end: there is nothing to slice, so everybody gets the container itself.

use serde::{Deserialize, Serialize};

use super::wait::{self, Wait};
use super::{Container, ContainerServer};
use crate::error::{Error, Result};
use crate::provider::{ContainerPlace, Control, Endpoint};
use crate::service::{LeaseName, Logs, Offers, PoolSpec, Slices};

/// What a test needs to know of its container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ContainerGrant {
    pub(super) place: ContainerPlace,
    /// Whether it is this test's alone.
    pub(super) dedicated: bool,
    /// The lease's own, for names.
    pub(super) namespace: String,
}

/// Hands the container out.
#[derive(Debug)]
pub struct ContainerSlices {
    place: ContainerPlace,
    dedicated: bool,
}

impl ContainerSlices {
    pub(super) async fn connect(server: &ContainerServer, endpoint: &Endpoint) -> Result<Self> {
        let Some(place) = &endpoint.container else {
            return Err(Error::new("it is not a container").permanent());
        };
        let control = Control::of(place).await?;
        let ports = server.ports.iter().map(|port| wait::listening(*port));
        let by_default: Vec<Wait> = if server.waits.is_empty() {
            ports.collect()
        } else {
            Vec::new()
        };
        for wait in server.waits.iter().chain(&by_default) {
            wait.check(place, &control).await?;
        }
        Ok(Self {
            place: place.clone(),
            dedicated: endpoint.dedicated,
        })
    }
}

impl Slices<Container> for ContainerSlices {
    type Slice = ();

    fn pool(&self, (): &()) -> Result<PoolSpec> {
        Ok(PoolSpec::exclusive("container").shared())
    }

    async fn make(&self, (): &()) -> Result<()> {
        Ok(())
    }

    async fn grant(&self, (): &mut (), (): &(), lease: &LeaseName) -> Result<ContainerGrant> {
        Ok(ContainerGrant {
            place: self.place.clone(),
            dedicated: self.dedicated,
            namespace: lease.namespace(),
        })
    }

    fn offers(&self) -> Offers<'_, Container> {
        Offers::none().logs(self)
    }
}

impl Logs<Container> for ContainerSlices {
    /// Of a shared container, what it said while the test ran: whose it was, it doesn't say.
    fn owns_line(&self, _: &ContainerGrant, _: &str) -> bool {
        true
    }
}
