//! A request, and which requests share a server.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Fingerprint, FingerprintBuilder, Provision};
use crate::os::ProcessId;

/// What one test asks of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The service's name.
    pub(crate) service: String,
    /// Which driver understands the rest.
    pub(crate) identity: String,
    /// What the test calls it: the instance's name, or the service's.
    pub(crate) label: String,
    /// What shapes the server; equal values share one.
    pub(crate) server: Value,
    /// What shapes the slice; equal values can follow each other on one slice.
    pub(crate) slice: Value,
    /// Whether the server is for this test alone.
    pub(crate) dedicated: bool,
    /// Whether the server is for one run alone.
    pub(crate) once_per_run: bool,
    /// How the server comes to run.
    pub(crate) provision: Provision,
}

impl Request {
    /// What requests that share a server have in common. `number` sets a dedicated server apart, `anchor` those of a run.
    pub(crate) fn server_key(&self, number: u64, anchor: ProcessId) -> Fingerprint {
        let mut key = FingerprintBuilder::new("server");
        key.text(&self.identity).json(&self.server).json(&self.provision);
        if self.dedicated {
            key.text(&number.to_string());
        }
        if self.once_per_run {
            key.json(&anchor);
        }
        key.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::NativeWish;

    fn request() -> Request {
        Request {
            service: "postgres".into(),
            identity: "0.1.0-0123 postgres".into(),
            label: "postgres".into(),
            server: Value::Null,
            slice: Value::Null,
            dedicated: false,
            once_per_run: false,
            provision: Provision::Native(NativeWish::default()),
        }
    }

    fn run(pid: u32) -> ProcessId {
        ProcessId { pid, start: 7 }
    }

    #[test]
    fn what_is_made_once_per_run_is_no_other_runs() {
        let once = Request {
            once_per_run: true,
            ..request()
        };
        assert_eq!(once.server_key(1, run(1)), once.server_key(2, run(1)));
        assert_ne!(once.server_key(1, run(1)), once.server_key(1, run(2)));
        assert_eq!(request().server_key(1, run(1)), request().server_key(1, run(2)));
    }

    #[test]
    fn tests_that_differ_only_in_their_slice_share_a_server() {
        let other = Request {
            slice: "other".into(),
            label: "billing".into(),
            ..request()
        };
        assert_eq!(request().server_key(1, run(1)), other.server_key(2, run(1)));
    }

    #[test]
    fn a_dedicated_server_is_nobody_elses() {
        let dedicated = Request {
            dedicated: true,
            ..request()
        };
        assert_ne!(dedicated.server_key(1, run(1)), dedicated.server_key(2, run(1)));
        assert_ne!(dedicated.server_key(1, run(1)), request().server_key(1, run(1)));
    }

    #[test]
    fn the_same_name_is_not_the_same_service() {
        let other = Request {
            identity: "theirs 0.1.0 postgres".into(),
            ..request()
        };
        assert_ne!(request().server_key(1, run(1)), other.server_key(1, run(1)));
    }

    #[test]
    fn another_version_is_another_server() {
        let other = Request {
            server: "16".into(),
            ..request()
        };
        assert_ne!(request().server_key(1, run(1)), other.server_key(1, run(1)));
    }
}
