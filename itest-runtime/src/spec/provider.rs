//! How a server comes to run.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which provider a person asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Provider {
    /// External where a URL is set; else a container if that can be had; else a process of this machine.
    #[default]
    Auto,
    /// A container.
    Docker,
    /// A throw-away server process from the binaries on this machine.
    Native,
    /// A server that someone else runs, by URL.
    External,
}

impl Provider {
    pub(crate) const NAMES: &str = "`auto`, `docker`, `native`, `external`";
}

impl FromStr for Provider {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "auto" => Ok(Self::Auto),
            "docker" => Ok(Self::Docker),
            "native" => Ok(Self::Native),
            "external" => Ok(Self::External),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Docker => "docker",
            Self::Native => "native",
            Self::External => "external",
        })
    }
}

/// The provider that was chosen, with what it needs to know.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Provision {
    /// The first of the two that works: what does is seen where the server is started.
    Auto {
        /// First a container.
        docker: DockerWish,
        /// Else a process.
        native: NativeWish,
    },
    /// Start a container.
    Docker(DockerWish),
    /// Start a process.
    Native(NativeWish),
    /// The supervisor itself.
    Inside,
    /// Use the server at this URL.
    External {
        /// The URL, with its password.
        url: String,
    },
}

/// What a person set about a service's container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct DockerWish {
    /// The image, unless the test itself names one.
    pub image: Option<String>,
    /// What goes in front of the names of images that name no registry.
    pub prefix: Option<String>,
}

/// What a person set about a service's process.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct NativeWish {
    /// Where the binaries are: a folder or a program.
    pub bin: Option<PathBuf>,
    /// Where the data goes.
    pub data_dir: Option<PathBuf>,
}

/// Never shows a URL's password.
impl fmt::Debug for Provision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto { docker, native } => f
                .debug_struct("Auto")
                .field("docker", docker)
                .field("native", native)
                .finish(),
            Self::Docker(docker) => f.debug_tuple("Docker").field(docker).finish(),
            Self::Native(native) => f.debug_tuple("Native").field(native).finish(),
            Self::Inside => f.write_str("Inside"),
            Self::External { url } => f.debug_struct("External").field("url", &redacted(url)).finish(),
        }
    }
}

/// A URL without its password.
pub(crate) fn redacted(url: &str) -> String {
    match url::Url::parse(url) {
        // What follows the colon could be anything.
        Ok(url) if url.cannot_be_a_base() => format!("{}:***", url.scheme()),
        Ok(mut url) => {
            if url.password().is_some() {
                let _ = url.set_password(Some("***"));
            }
            url.set_query(None);
            url.to_string()
        }
        Err(_) => "(a URL that can't be parsed)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let provision = Provision::External {
            url: "postgres://me:secret@localhost/db?password=secret".into(),
        };
        assert!(!format!("{provision:?}").contains("secret"));
        assert!(!redacted("me:secret@localhost").contains("secret"));
    }
}
