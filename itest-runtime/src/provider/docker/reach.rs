//! Where an engine's ports are published, and by which name they are reached from here.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use testcontainers::bollard::Docker;
use testcontainers::bollard::models::IpamConfig;
use testcontainers::bollard::query_parameters::InspectNetworkOptions;
use url::Host;

use super::engine::within;
use crate::error::{Error, Result};

/// The variable by which a person names the host of published ports, as testcontainers has it in every language.
const OVERRIDE: &str = "TESTCONTAINERS_HOST_OVERRIDE";

/// Where ports are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publish {
    /// The address that the engine binds them to; all of its machine's, if it is empty.
    pub(super) bind: String,
    /// The host by which clients reach them.
    pub(super) host: String,
}

impl Publish {
    /// On the loopback interface, which is ours or lies behind a tunnel.
    pub(super) fn on_loopback() -> Self {
        Self {
            bind: "127.0.0.1".to_owned(),
            host: "127.0.0.1".to_owned(),
        }
    }

    /// For an engine at this address, or in the usual places.
    pub(super) async fn find(docker: &Docker, named: Option<&str>) -> Result<Self> {
        let in_container = ["/.dockerenv", "/run/.containerenv"]
            .iter()
            .any(|file| Path::new(file).exists());
        let found = match place_of(named, in_container)? {
            Place::Here => Self::on_loopback(),
            Place::Around => Self::around(&gateway(docker).await),
            // The engine's loopback interface isn't ours.
            Place::There(host) => Self {
                bind: String::new(),
                host,
            },
        };
        let wanted = std::env::var(OVERRIDE).ok().filter(|host| !host.trim().is_empty());
        Ok(match wanted {
            Some(host) => found.named(host.trim()),
            None => found,
        })
    }

    /// For an engine that has this gateway, from within a container: the engine runs around it, or within the same.
    fn around(gateway: &str) -> Self {
        if is_ours(gateway) {
            return Self::on_loopback();
        }
        Self {
            bind: gateway.to_owned(),
            host: gateway.to_owned(),
        }
    }

    /// The same ports, by another name. What only loopback has can't be reached by a name that is none of its own.
    fn named(self, host: &str) -> Self {
        let bind = if self.bind == "127.0.0.1" && !is_loopback(host) {
            String::new()
        } else {
            self.bind
        };
        Self {
            bind,
            host: host.to_owned(),
        }
    }
}

/// Whether an address is one of this machine's, or of this container's: nobody else can listen there.
fn is_ours(address: &str) -> bool {
    TcpListener::bind((address, 0)).is_ok()
}

fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => false,
    }
}

/// Where an engine runs, seen from here.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// On this machine.
    Here,
    /// On the machine in one of whose containers we are.
    Around,
    /// On another machine.
    There(String),
}

fn place_of(named: Option<&str>, in_container: bool) -> Result<Place> {
    let Some(named) = named else {
        return Ok(if in_container { Place::Around } else { Place::Here });
    };
    let bad = |why: &str| {
        Error::new(format!("DOCKER_HOST={named} makes no sense: {why}")).hint(
            "it is the engine's address, such as `unix:///var/run/docker.sock`, `tcp://host:2375` or `ssh://user@host`",
        )
    };
    // Of schemes it doesn't know, the library doesn't take hosts apart.
    let known = named.replacen("tcp://", "http://", 1);
    let url = url::Url::parse(&known).map_err(|error| bad(&error.to_string()))?;
    match url.scheme() {
        "unix" if in_container => Ok(Place::Around),
        "unix" => Ok(Place::Here),
        "http" | "https" => match url.host_str() {
            Some(host) if is_loopback(host) => Ok(Place::Here),
            Some(host) => Ok(Place::There(host.trim_matches(['[', ']']).to_owned())),
            None => Err(bad("it names no host")),
        },
        other => Err(bad(&format!("`{other}` is not a way to reach an engine"))),
    }
}

/// The address by which a container reaches the machine it runs on.
async fn gateway(docker: &Docker) -> String {
    let network = within(docker.inspect_network("bridge", None::<InspectNetworkOptions>)).await;
    network
        .ok()
        .and_then(|network| network.ipam?.config)
        .unwrap_or_default()
        .into_iter()
        .find_map(gateway_of)
        .unwrap_or_else(|| "127.0.0.1".to_owned())
}

/// Some engines don't tell what nobody has configured: it is then the first address of the network.
fn gateway_of(config: IpamConfig) -> Option<String> {
    let told = config.gateway.filter(|gateway| !gateway.is_empty());
    told.or_else(|| {
        let network: Ipv4Addr = config.subnet?.split('/').next()?.parse().ok()?;
        Some(Ipv4Addr::from(u32::from(network) + 1).to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_reached_where_the_engine_is() {
        for (named, in_container, expected) in [
            (None, false, Place::Here),
            (None, true, Place::Around),
            (Some("unix:///run/docker.sock"), true, Place::Around),
            (Some("tcp://localhost:2375"), false, Place::Here),
            (Some("tcp://127.0.0.1:2375"), true, Place::Here),
            (Some("tcp://[::1]:2375"), false, Place::Here),
            (
                Some("tcp://[2001:db8::1]:2375"),
                false,
                Place::There("2001:db8::1".to_owned()),
            ),
            (
                Some("tcp://build.example.com:2376"),
                false,
                Place::There("build.example.com".to_owned()),
            ),
        ] {
            assert_eq!(place_of(named, in_container).expect("sound"), expected, "{named:?}");
        }
    }

    #[test]
    fn an_address_that_makes_no_sense_is_named() {
        for named in ["ftp://host", "docker", "tcp://"] {
            let error = place_of(Some(named), false).expect_err("no sense").render();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_name_that_a_person_gives_leaves_ports_on_loopback_if_it_is_one_of_loopbacks() {
        let named = |host: &str| Publish::on_loopback().named(host);
        assert_eq!(named("localhost").bind, "127.0.0.1");
        assert_eq!(named("127.0.0.1").bind, "127.0.0.1");
        let other = named("docker.example.com");
        assert_eq!((other.bind.as_str(), other.host.as_str()), ("", "docker.example.com"));
    }

    #[test]
    fn an_engine_in_the_same_container_is_reached_by_loopback() {
        assert_eq!(Publish::around("127.0.0.1"), Publish::on_loopback());
        // Of the addresses for documentation (RFC 5737), which nobody has.
        let around = Publish::around("203.0.113.1");
        assert_eq!(
            (around.bind.as_str(), around.host.as_str()),
            ("203.0.113.1", "203.0.113.1")
        );
    }

    #[test]
    fn a_gateway_that_is_not_told_is_the_networks_first_address() {
        let config = |gateway: Option<&str>, subnet: &str| IpamConfig {
            gateway: gateway.map(str::to_owned),
            subnet: Some(subnet.to_owned()),
            ..IpamConfig::default()
        };
        for (config, expected) in [
            (config(Some("172.17.0.9"), "172.17.0.0/16"), Some("172.17.0.9")),
            (config(None, "172.17.0.0/16"), Some("172.17.0.1")),
            (config(Some(""), "10.1.0.0/24"), Some("10.1.0.1")),
            (config(None, "fd00::/64"), None),
        ] {
            assert_eq!(gateway_of(config.clone()).as_deref(), expected, "{config:?}");
        }
    }
}
