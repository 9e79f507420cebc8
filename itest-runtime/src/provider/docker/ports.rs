//! The ports of a container: how they are to be published, and where they then are.

use std::collections::{BTreeMap, HashMap};

use testcontainers::bollard::models::{PortBinding, PortMap};
use testcontainers::bollard::query_parameters::InspectContainerOptions;

use super::engine::{Engine, within};
use super::reach::Publish;
use crate::error::{Context, Error, Result};
use crate::naming::random_hex;
use crate::os::free_ports;

/// What the engine is told to publish.
pub(super) type Bindings = HashMap<String, Option<Vec<PortBinding>>>;

/// The host's ports of a container that doesn't run yet.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// By the container's ports, as the engine is to publish them; those that aren't here it chooses itself.
    published: BTreeMap<u16, u16>,
    /// And as they are reached from here.
    pub(super) reached: BTreeMap<u16, u16>,
}

/// Ports below those that systems give to clients, and above those that programs usually have.
const UNUSUAL: std::ops::Range<u16> = 20_000..32_000;

/// Chooses a port for each. Somebody may take one before the container does: [`is_taken`] tells.
pub(super) async fn choose(engine: &Engine, ports: &[u16]) -> Result<Chosen> {
    let mut chosen = Chosen::default();
    let hosts = if engine.is_elsewhere() {
        ports.iter().map(|_| unusual_port()).collect()
    } else {
        let bind = engine.publish.bind.as_str();
        free_ports(bind, ports.len()).context(|| format!("failed to find a free port on {bind}"))?
    };
    for (port, host) in ports.iter().zip(hosts) {
        chosen.published.insert(*port, host);
        chosen.reached.insert(*port, engine.reach(host).await?);
    }
    Ok(chosen)
}

fn unusual_port() -> u16 {
    let random = u16::from_str_radix(&random_hex(2), 16).unwrap_or_default();
    UNUSUAL.start + random % (UNUSUAL.end - UNUSUAL.start)
}

/// Whether a container could not start because somebody else has a port that was chosen for it.
pub(super) fn is_taken(error: &Error) -> bool {
    let said = error.render();
    ["port is already allocated", "address already in use"]
        .iter()
        .any(|text| said.contains(text))
}

/// Each port on one of the host's, where only those can reach it who have to.
pub(super) fn bindings(ports: &[u16], chosen: &Chosen, publish: &Publish) -> Bindings {
    ports
        .iter()
        .map(|port| {
            let host = chosen.published.get(port).map(u16::to_string);
            let binding = PortBinding {
                host_ip: Some(publish.bind.clone()),
                // One that is free, if it is empty.
                host_port: Some(host.unwrap_or_default()),
            };
            (format!("{port}/tcp"), Some(vec![binding]))
        })
        .collect()
}

/// The ports by which the container's are reached, once it runs.
pub(super) async fn published(engine: &Engine, id: &str, ports: &[u16], chosen: &Chosen) -> Result<BTreeMap<u16, u16>> {
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
        let reached = match chosen.reached.get(port) {
            Some(reached) => *reached,
            None => engine.reach(host).await?,
        };
        found.insert(*port, reached);
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
        let bindings = bindings(&[5432], &Chosen::default(), &Publish::on_loopback());
        let binding = bindings["5432/tcp"].as_ref().expect("one")[0].clone();
        assert_eq!(binding.host_ip.as_deref(), Some("127.0.0.1"));
        assert_eq!(binding.host_port.as_deref(), Some(""), "the engine chooses");
    }

    #[test]
    fn a_port_that_was_chosen_is_the_one_that_is_published() {
        let chosen = Chosen {
            published: BTreeMap::from([(9092, 20_001)]),
            reached: BTreeMap::new(),
        };
        let bindings = bindings(&[9092, 9093], &chosen, &Publish::on_loopback());
        let host = |port: &str| bindings[port].as_ref().expect("one")[0].host_port.clone();
        assert_eq!(host("9092/tcp").as_deref(), Some("20001"));
        assert_eq!(host("9093/tcp").as_deref(), Some(""));
    }

    #[test]
    fn only_a_port_that_somebody_has_is_a_reason_to_choose_again() {
        for taken in [
            "Bind for 127.0.0.1:20001 failed: port is already allocated",
            "listen tcp4 127.0.0.1:20001: bind: address already in use",
        ] {
            assert!(is_taken(&Error::new("it didn't start").context(taken)), "{taken}");
        }
        assert!(!is_taken(&Error::new("no such image")));
    }
}
