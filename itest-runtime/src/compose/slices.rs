//! The supervisor's end: waits until all services are ready, and hands out where they are.

use serde::{Deserialize, Serialize};

use super::Compose;
use crate::error::{Error, Result};
use crate::provider::{ComposePlace, Condition, ContainerPlace, Control, Endpoint};
use crate::service::{LeaseName, Logs, Offers, PoolSpec, Slices};

/// What a test needs to know of its containers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ComposeGrant {
    pub(super) place: ComposePlace,
    /// Whether they are this test's alone.
    pub(super) dedicated: bool,
    /// The lease's own, for names.
    pub(super) namespace: String,
}

/// Hands the containers out.
#[derive(Debug)]
pub struct ComposeSlices {
    place: ComposePlace,
    dedicated: bool,
}

impl ComposeSlices {
    pub(super) async fn connect(endpoint: &Endpoint) -> Result<Self> {
        let Some(place) = &endpoint.compose else {
            return Err(Error::new("it is not a compose project").permanent());
        };
        for (service, containers) in &place.services {
            for container in containers {
                check(service, container).await?;
            }
        }
        Ok(Self {
            place: place.clone(),
            dedicated: endpoint.dedicated,
        })
    }
}

/// Healthy where the file or the image says what that is; else running; else done, as a job is that prepares others.
async fn check(service: &str, container: &ContainerPlace) -> Result<()> {
    let control = Control::of(container).await?;
    match control.condition().await? {
        Condition::Healthy | Condition::Unchecked | Condition::Ended { exit_code: 0 } => Ok(()),
        Condition::Starting => Err(Error::new(format!("the health check of `{service}` hasn't said yes"))),
        Condition::Ended { exit_code } => Err(Error::new(format!("`{service}` ended (exit code {exit_code})"))
            .log("it said", last_lines(&control.logs().await.unwrap_or_default()))
            .hint("fix it: run by hand, `docker compose up` shows the same")
            .permanent()),
    }
}

fn last_lines(log: &str) -> Vec<String> {
    let lines: Vec<String> = log.lines().map(str::to_owned).collect();
    lines[lines.len().saturating_sub(12)..].to_vec()
}

impl Slices<Compose> for ComposeSlices {
    type Slice = ();

    fn pool(&self, (): &()) -> Result<PoolSpec> {
        Ok(PoolSpec::exclusive("compose").shared())
    }

    async fn make(&self, (): &()) -> Result<()> {
        Ok(())
    }

    async fn grant(&self, (): &mut (), (): &(), lease: &LeaseName) -> Result<ComposeGrant> {
        Ok(ComposeGrant {
            place: self.place.clone(),
            dedicated: self.dedicated,
            namespace: lease.namespace(),
        })
    }

    fn offers(&self) -> Offers<'_, Compose> {
        Offers::none().logs(self)
    }
}

impl Logs<Compose> for ComposeSlices {
    /// What they said while the test ran: whose it was, they don't say.
    fn owns_line(&self, _: &ComposeGrant, _: &str) -> bool {
        true
    }
}
