//! Where a server listens, and where it can be reached.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::{fmt, fs};

use percent_encoding::percent_decode_str;

use super::{ComposePlace, ContainerPlace, Place, authority};
use crate::error::{Context, Error, Result};
use crate::spec::redacted;

/// Where a running server can be reached, whoever runs it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Endpoint {
    /// The host's name or address; empty where there is no one address, or an external server's URL names none.
    pub host: String,
    /// The port, as it is to be had at [`Self::host`]; zero where an external server's URL names none.
    pub port: u16,
    /// The user that an external server's URL names; else empty.
    pub user: String,
    /// The password: the random one that a server of ours was started with, or that of an external server's URL.
    pub password: String,
    /// Where further ports of the server are to be had at [`Self::host`], by their usual numbers. An external server's URL
    /// names none.
    pub ports: BTreeMap<u16, u16>,
    /// The folder of a process of this machine, where it may have made a socket.
    pub folder: Option<PathBuf>,
    /// The container, if it is one.
    pub container: Option<ContainerPlace>,
    /// The containers of a compose file, if it is one.
    pub compose: Option<ComposePlace>,
    /// The URL of somebody else's server, which other machines may use, too.
    pub url: Option<String>,
    /// Eight hexadecimal digits that name this use of the server, on every machine.
    pub owner: String,
    /// Whether it serves one test alone.
    pub dedicated: bool,
    /// Where the supervisor keeps files for tests of this server.
    files: Option<PathBuf>,
}

impl Endpoint {
    fn new(owner: &str, dedicated: bool) -> Self {
        Self {
            host: String::new(),
            port: 0,
            user: String::new(),
            password: String::new(),
            ports: BTreeMap::new(),
            folder: None,
            container: None,
            compose: None,
            url: None,
            owner: owner.to_owned(),
            dedicated,
            files: None,
        }
    }

    /// That supervisor keeps files for its tests in that folder.
    pub(crate) fn with_files(mut self, folder: PathBuf) -> Self {
        self.files = Some(folder);
        self
    }

    /// Writes a file that a test is to be given the path of, such as credentials for another process, where only this user can
    /// read it. It is there until it is removed, or the supervisor ends, however that does.
    ///
    /// # Errors
    /// When that can't be done, or no supervisor made this endpoint.
    pub fn write_file(&self, name: &str, content: &str) -> Result<PathBuf> {
        let folder = self.files.as_deref();
        let folder = folder.ok_or_else(|| Error::new("no supervisor keeps files for tests of this server"))?;
        let failed = || format!("failed to write {name} for a test");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .context(failed)?;
        let path = folder.join(name);
        let file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path);
        file.and_then(|mut file| file.write_all(content.as_bytes()))
            .context(failed)?;
        Ok(path)
    }

    /// A process of this machine.
    pub(crate) fn native(place: &Place, owner: &str, dedicated: bool) -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: place.port,
            password: place.password.clone(),
            ports: place.ports.clone(),
            folder: Some(place.dir.clone()),
            ..Self::new(owner, dedicated)
        }
    }

    /// A container.
    pub(crate) fn docker(place: ContainerPlace, owner: &str, dedicated: bool) -> Self {
        Self {
            host: place.host.clone(),
            port: place.port,
            password: place.password.clone(),
            ports: place.ports.clone(),
            container: Some(place),
            ..Self::new(owner, dedicated)
        }
    }

    /// The supervisor itself.
    pub(crate) fn inside(folder: PathBuf, owner: &str) -> Self {
        Self {
            folder: Some(folder),
            ..Self::new(owner, false)
        }
    }

    /// The containers of a compose file.
    pub(crate) fn of_compose(place: ComposePlace, owner: &str, dedicated: bool) -> Self {
        Self {
            compose: Some(place),
            ..Self::new(owner, dedicated)
        }
    }

    /// Somebody else's server.
    ///
    /// # Errors
    /// When that is not a URL.
    pub fn external(url: &str, owner: &str) -> Result<Self> {
        let parsed = url::Url::parse(url).context(|| "the external server's URL can't be parsed")?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Ok(Self {
            host: parsed.host_str().unwrap_or_default().to_owned(),
            port: parsed.port_or_known_default().unwrap_or_default(),
            user: decoded(parsed.username()),
            password: decoded(parsed.password().unwrap_or_default()),
            url: Some(url.to_owned()),
            ..Self::new(owner, false)
        })
    }

    /// `host:port`.
    ///
    /// # Errors
    /// When there is more than one address, or an external server's URL names no host, or no port.
    pub fn address(&self) -> Result<String> {
        if let Some(project) = &self.compose {
            return Err(Error::new(format!(
                "the compose project {} is many servers, and has no one address",
                project.project
            ))
            .permanent());
        }
        if self.host.is_empty() || self.port == 0 {
            let url = self.url.as_deref().map(redacted).unwrap_or_default();
            return Err(Error::new(format!("{url} names no host or no port")).permanent());
        }
        Ok(self.at(self.port))
    }

    /// `host:port` of a further port, by its usual number, such as 15672. On an external server it is taken for
    /// that very number.
    ///
    /// # Errors
    /// When the recipe asks for no such port, or there is more than one address.
    pub fn address_of(&self, port: u16) -> Result<String> {
        self.address()?;
        match self.ports.get(&port) {
            Some(port) => Ok(self.at(*port)),
            None if self.url.is_some() => Ok(self.at(port)),
            None => Err(Error::new(format!("the service's recipe asks for no port {port}"))
                .hint("add it: `NativeRecipe::more_ports`, `DockerRecipe::more_ports`")
                .permanent()),
        }
    }

    fn at(&self, port: u16) -> String {
        // A URL has brackets already.
        authority(self.host.trim_matches(['[', ']']), port)
    }
}

/// Never shows a password.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("url", &self.url.as_deref().map(redacted))
            .field("owner", &self.owner)
            .field("dedicated", &self.dedicated)
            .finish_non_exhaustive()
    }
}

/// Where a server that is about to start has to listen.
#[derive(Clone)]
#[non_exhaustive]
pub struct Listen {
    /// The address: that of the loopback interface, or in a container all, as only the published port leads there.
    pub host: String,
    /// The port.
    pub port: u16,
    /// A random password, for a server that takes one.
    pub password: String,
}

impl Listen {
    pub(super) fn natively(place: &Place) -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: place.port,
            password: place.password.clone(),
        }
    }

    pub(super) fn inside(port: u16, password: &str) -> Self {
        Self {
            host: "0.0.0.0".to_owned(),
            port,
            password: password.to_owned(),
        }
    }
}

/// Never shows the password.
impl fmt::Debug for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listen")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_server_is_what_its_url_says_and_its_password_is_not_shown() {
        let endpoint = Endpoint::external("memcache://ada:s%40cret@[::1]:11211/x", "0badcafe").expect("a URL");
        assert_eq!(endpoint.address().expect("one"), "[::1]:11211");
        assert_eq!((endpoint.user.as_str(), endpoint.password.as_str()), ("ada", "s@cret"));
        let shown = format!("{endpoint:?}");
        assert!(!shown.contains("s@cret") && !shown.contains("s%40cret"), "{shown}");
        assert_eq!(endpoint.address_of(11212).expect("its own number"), "[::1]:11212");
        let nowhere = Endpoint::external("memcache://host", "0badcafe")
            .expect("a URL")
            .address();
        assert!(nowhere.expect_err("no port").is_permanent());
    }

    #[test]
    fn a_file_for_a_test_is_its_users_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let endpoint = Endpoint::new("0badcafe", false);
        assert!(endpoint.write_file("a.creds", "x").is_err(), "there is no supervisor");
        let endpoint = endpoint.with_files(dir.path().join("files/0badcafe"));
        let path = endpoint.write_file("a.creds", "secret").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("read"), "secret");
        let mode = |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().expect("one"))), (0o600, 0o700));
    }
}
