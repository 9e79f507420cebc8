//! The ports of a container: how they are to be published, and where they then are.

use std::collections::{BTreeMap, HashMap};

use testcontainers::bollard::models::{PortBinding, PortMap};
use testcontainers::bollard::query_parameters::InspectContainerOptions;

use super::engine::{Engine, within};
use super::reach::Publish;
use crate::error::{Context, Error, Result};

/// What the engine is told to publish.
pub(super) type Bindings = HashMap<String, Option<Vec<PortBinding>>>;

/// Each port on one of the host's that is free, where only those can reach it who have to.
pub(super) fn bindings(ports: &[u16], publish: &Publish) -> Bindings {
    ports
        .iter()
        .map(|port| {
            let binding = PortBinding {
                host_ip: Some(publish.bind.clone()),
                host_port: Some(String::new()),
            };
            (format!("{port}/tcp"), Some(vec![binding]))
        })
        .collect()
}

/// The ports by which the container's are reached, once it runs.
pub(super) async fn published(engine: &Engine, id: &str, ports: &[u16]) -> Result<BTreeMap<u16, u16>> {
    let inspected = within(engine.docker.inspect_container(id, None::<InspectContainerOptions>))
        .await
        .context(|| "failed to look up the container's ports")?;
    let known = inspected
        .network_settings
        .and_then(|settings| settings.ports)
        .unwrap_or_default();
    let missing = |port| {
        let state = inspected.state.as_ref();
        if state.and_then(|state| state.running).unwrap_or(false) {
            Error::new(format!("the engine published no port for the container's port {port}"))
        } else {
            let code = state.and_then(|state| state.exit_code).unwrap_or_default();
            Error::new(format!("the container ended at once (exit code {code})"))
        }
    };
    let mut found = BTreeMap::new();
    for port in ports {
        let bindings = known.get(&format!("{port}/tcp")).and_then(Option::as_ref);
        let host = host_port(bindings).ok_or_else(|| missing(*port))?;
        found.insert(*port, engine.reach(host).await?);
    }
    Ok(found)
}

/// The same for all ports that a container has published.
pub(super) async fn all_published(engine: &Engine, known: PortMap) -> Result<BTreeMap<u16, u16>> {
    let mut found = BTreeMap::new();
    for (port, bindings) in known {
        let port = port.strip_suffix("/tcp").and_then(|port| port.parse().ok());
        if let (Some(port), Some(host)) = (port, host_port(bindings.as_ref())) {
            found.insert(port, engine.reach(host).await?);
        }
    }
    Ok(found)
}

/// Where a port is published.
fn host_port(bindings: Option<&Vec<PortBinding>>) -> Option<u16> {
    bindings?
        .iter()
        .find_map(|binding| binding.host_port.as_ref()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_published_on_loopback_alone() {
        let bindings = bindings(&[5432], &Publish::on_loopback());
        let binding = bindings["5432/tcp"].as_ref().expect("one")[0].clone();
        assert_eq!(binding.host_ip.as_deref(), Some("127.0.0.1"));
    }
}
