//! An engine on another machine that is reached by `ssh`, as `DOCKER_HOST=ssh://user@host:port/path/of/its/socket` says.

use url::Url;

use crate::error::{Error, Result};
use crate::home::Home;
use crate::os;
use crate::wire::BEHIND;

/// Where engines listen unless the address says otherwise.
const USUAL_SOCKET: &str = "/var/run/docker.sock";

/// The address of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote {
    /// As it was written.
    pub(super) address: String,
    pub(super) user: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// The engine's socket, on its machine.
    pub(super) socket: String,
}

impl Remote {
    /// None if the address is of another kind.
    pub(super) fn parse(address: &str) -> Result<Option<Self>> {
        if !address.starts_with("ssh://") {
            return Ok(None);
        }
        let bad = |why: &str| {
            Error::new(format!("DOCKER_HOST names no engine: {why}"))
                .hint("over ssh it is such as `ssh://user@host` or `ssh://user@host:22/run/podman/podman.sock`")
        };
        let url = Url::parse(address).map_err(|error| bad(&format!("`{address}`: {error}")))?;
        if url.password().is_some() {
            return Err(bad("its address has a password, which ssh doesn't take; use a key"));
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| bad(&format!("`{address}` has no host")))?;
        let socket = match url.path() {
            "" | "/" => USUAL_SOCKET,
            path => path,
        };
        Ok(Some(Self {
            address: address.to_owned(),
            user: Some(url.username().to_owned()).filter(|user| !user.is_empty()),
            // ssh wants IPv6 addresses bare.
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port(),
            socket: socket.to_owned(),
        }))
    }

    /// The engine that this supervisor was told of.
    pub(super) fn told() -> Result<Option<Self>> {
        match std::env::var(BEHIND) {
            Ok(address) => Self::parse(&address),
            Err(_) => Ok(None),
        }
    }
}

/// What a supervisor of this home gets as its environment. Testcontainers and the compose tool speak to the one engine that
/// `DOCKER_HOST` names, and testcontainers knows no ssh: they get a socket, to which the supervisor makes a tunnel.
pub(crate) fn environment(home: &Home) -> Vec<(&'static str, String)> {
    let Some(address) = os::variable("DOCKER_HOST").and_then(|address| address.into_string().ok()) else {
        return Vec::new();
    };
    if !address.starts_with("ssh://") {
        return Vec::new();
    }
    let socket = super::tunnel::engine_socket(&home.dir().join("ssh"));
    vec![
        ("DOCKER_HOST", format!("unix://{}", socket.display())),
        (BEHIND, address),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(address: &str) -> Remote {
        Remote::parse(address).expect("sound").expect("ssh")
    }

    #[test]
    fn an_address_names_user_host_port_and_socket() {
        let remote = parsed("ssh://build@engine.example.com:2222/run/podman/podman.sock");
        assert_eq!(remote.user.as_deref(), Some("build"));
        assert_eq!(remote.host, "engine.example.com");
        assert_eq!(remote.port, Some(2222));
        assert_eq!(remote.socket, "/run/podman/podman.sock");
        let short = parsed("ssh://engine");
        assert_eq!((short.user, short.port), (None, None));
        assert_eq!(short.socket, USUAL_SOCKET);
        assert_eq!(parsed("ssh://[::1]").host, "::1");
    }

    #[test]
    fn other_addresses_are_no_business_of_ssh() {
        assert_eq!(Remote::parse("tcp://engine:2375").expect("sound"), None);
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let error = Remote::parse("ssh://me:secret@engine")
            .expect_err("no password")
            .render();
        assert!(error.contains("use a key") && !error.contains("secret"), "{error}");
    }
}
