//! What a test asks for, as pure data.

mod fingerprint;
mod provider;
mod request;
mod version;

pub use fingerprint::{Fingerprint, FingerprintBuilder};
pub use provider::Provider;
pub(crate) use provider::redacted;
pub(crate) use provider::{DockerWish, NativeWish, Provision};
pub(crate) use request::Request;
pub(crate) use version::Version;

use serde::{Deserialize, Serialize};

/// Which steps a template is built by: all, or one part upon the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Stage {
    /// All of them, in a blank slice.
    Whole,
    /// Those that other templates begin with, too: migrations.
    Base,
    /// The rest, upon the base.
    Layers,
    /// The rest, upon a slice of the base that one test has.
    Replay,
}

/// What is known of a slice when its lease ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Used {
    /// Anything may have happened.
    Unknown,
    /// All that the test did was in one transaction, and it was seen to be rolled back.
    RolledBack,
}
