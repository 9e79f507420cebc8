//! Removes what is labelled as ours: all of one run, or of every owner that is dead.

use std::collections::HashMap;

use futures_util::future::join_all;
use testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder, RemoveVolumeOptionsBuilder,
};

use super::engine::{Engine, within};
use super::owner::{MARK, Owner, PROJECT};
use crate::error::{Context, Result};
use crate::os::ProcessId;

/// Something on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    id: String,
    labels: HashMap<String, String>,
}

/// Removes what dead owners left.
pub(super) async fn of_the_dead(engine: &Engine, here: &Owner) -> Result<usize> {
    let shared = engine.is_elsewhere();
    remove(engine, |owner| owner.is_dead(here, shared, ProcessId::is_alive)).await
}

/// Removes what carries this run's label.
pub(super) async fn of_run(engine: &Engine, run: &str) -> Result<usize> {
    remove(engine, |owner| owner.run == run).await
}

/// Removes what carries this compose project's label.
pub(super) async fn of_project(engine: &Engine, project: &str) -> Result<usize> {
    remove_labelled(engine, |labels| labels.get(PROJECT).is_some_and(|name| name == project)).await
}

async fn remove(engine: &Engine, is_due: impl Fn(&Owner) -> bool) -> Result<usize> {
    remove_labelled(engine, |labels| Owner::read(labels).is_some_and(|owner| is_due(&owner))).await
}

async fn remove_labelled(engine: &Engine, is_due: impl Fn(&HashMap<String, String>) -> bool) -> Result<usize> {
    let due = |found: Vec<Found>| -> Vec<String> {
        found
            .into_iter()
            .filter(|found| is_due(&found.labels))
            .map(|found| found.id)
            .collect()
    };
    // Containers hold networks and volumes.
    let containers = due(containers(engine).await?);
    for outcome in join_all(containers.iter().map(|id| engine.remove(id))).await {
        outcome?;
    }
    let networks = due(networks(engine).await?);
    for network in &networks {
        within(engine.docker.remove_network(network))
            .await
            .context(|| format!("failed to remove the network {network}"))?;
    }
    let volumes = due(volumes(engine).await?);
    for volume in &volumes {
        let options = RemoveVolumeOptionsBuilder::new().force(true).build();
        within(engine.docker.remove_volume(volume, Some(options)))
            .await
            .context(|| format!("failed to remove the volume {volume}"))?;
    }
    Ok(containers.len() + networks.len() + volumes.len())
}

fn marked() -> HashMap<&'static str, Vec<&'static str>> {
    HashMap::from([("label", vec![MARK])])
}

async fn containers(engine: &Engine) -> Result<Vec<Found>> {
    let options = ListContainersOptionsBuilder::new().all(true).filters(&marked()).build();
    let listed = within(engine.docker.list_containers(Some(options)))
        .await
        .context(|| "failed to list containers")?;
    let found = |id: Option<String>, labels: Option<HashMap<String, String>>| {
        Some(Found {
            id: id?,
            labels: labels.unwrap_or_default(),
        })
    };
    Ok(listed
        .into_iter()
        .filter_map(|container| found(container.id, container.labels))
        .collect())
}

async fn networks(engine: &Engine) -> Result<Vec<Found>> {
    let options = ListNetworksOptionsBuilder::new().filters(&marked()).build();
    let listed = within(engine.docker.list_networks(Some(options)))
        .await
        .context(|| "failed to list networks")?;
    Ok(listed
        .into_iter()
        .filter_map(|network| {
            Some(Found {
                id: network.id?,
                labels: network.labels.unwrap_or_default(),
            })
        })
        .collect())
}

async fn volumes(engine: &Engine) -> Result<Vec<Found>> {
    let options = ListVolumesOptionsBuilder::new().filters(&marked()).build();
    let listed = within(engine.docker.list_volumes(Some(options)))
        .await
        .context(|| "failed to list volumes")?;
    Ok(listed
        .volumes
        .unwrap_or_default()
        .into_iter()
        .map(|volume| Found {
            id: volume.name,
            labels: volume.labels,
        })
        .collect())
}
