//! How a server comes to run.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which provider a person asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// External where a URL is set, else native.
    #[default]
    Auto,
    /// A throw-away server process from the binaries on this machine.
    Native,
    /// A server that someone else runs, by URL.
    External,
}

impl Provider {
    pub(crate) const NAMES: &str = "`auto`, `native`, `external`";
}

impl FromStr for Provider {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "auto" => Ok(Self::Auto),
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
            Self::Native => "native",
            Self::External => "external",
        })
    }
}

/// The provider that was chosen, with what it needs to know.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Provision {
    /// Start a process.
    Native {
        /// Where the binaries are, if a person said so: a folder or a program.
        bin: Option<PathBuf>,
        /// Where the data goes, if a person said so.
        data_dir: Option<PathBuf>,
    },
    /// Use the server at this URL.
    External {
        /// The URL, with its password.
        url: String,
    },
}

/// Never shows a URL's password.
impl fmt::Debug for Provision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native { bin, data_dir } => f
                .debug_struct("Native")
                .field("bin", bin)
                .field("data_dir", data_dir)
                .finish(),
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
