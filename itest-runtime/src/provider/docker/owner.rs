//! Who owns a container, network or volume: labels that tell whether its owner still lives.

use std::collections::HashMap;

use crate::os::{self, ProcessId};

const RUN: &str = "itest.run";
const PID: &str = "itest.owner.pid";
const START: &str = "itest.owner.start";
const PIDS: &str = "itest.owner.pids";
const BOOT: &str = "itest.owner.boot";
const HOST: &str = "itest.owner.host";

/// The label of everything of one compose project.
pub(super) const PROJECT: &str = "itest.project";

/// The label that everything of ours carries.
pub(super) const MARK: &str = RUN;

/// A supervisor, known wherever the engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// No other supervisor has it.
    pub(crate) run: String,
    process: ProcessId,
    /// The world in which the process's number means something.
    pids: String,
    boot: String,
    host: String,
}

impl Owner {
    /// This process.
    pub(crate) fn own(run: String) -> Self {
        Self {
            run,
            process: ProcessId::own(),
            pids: os::pid_namespace(),
            boot: os::boot_id(),
            host: os::host_name(),
        }
    }

    pub(super) fn labels(&self) -> Vec<(&'static str, String)> {
        vec![
            (RUN, self.run.clone()),
            (PID, self.process.pid.to_string()),
            (START, self.process.start.to_string()),
            (PIDS, self.pids.clone()),
            (BOOT, self.boot.clone()),
            (HOST, self.host.clone()),
        ]
    }

    /// None if these labels aren't ours.
    pub(super) fn read(labels: &HashMap<String, String>) -> Option<Self> {
        let label = |name: &str| labels.get(name).cloned();
        Some(Self {
            run: label(RUN)?,
            process: ProcessId {
                pid: label(PID)?.parse().ok()?,
                start: label(START)?.parse().ok()?,
            },
            // The engine's library leaves empty labels out.
            pids: label(PIDS).unwrap_or_default(),
            boot: label(BOOT).unwrap_or_default(),
            host: label(HOST).unwrap_or_default(),
        })
    }

    /// Whether `here` can know that this owner is dead: it lived on the same machine, which has been restarted since, or
    /// in the same world of processes, where it isn't any more. Whoever can't be known is left alone. `shared`: the engine
    /// serves other machines, too, and one of those may have our name.
    pub(super) fn is_dead(&self, here: &Self, shared: bool, is_alive: impl Fn(ProcessId) -> bool) -> bool {
        if self.host != here.host {
            return false;
        }
        if self.boot != here.boot {
            return !shared;
        }
        self.pids == here.pids && !is_alive(self.process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(pid: u32) -> Owner {
        Owner {
            run: "0a1b2c3d".to_owned(),
            process: ProcessId { pid, start: 7 },
            pids: "pid:[1]".to_owned(),
            boot: "boot".to_owned(),
            host: "host".to_owned(),
        }
    }

    #[test]
    fn labels_tell_the_owner() {
        let labels = owner(5)
            .labels()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        assert_eq!(Owner::read(&labels), Some(owner(5)));
        assert_eq!(Owner::read(&HashMap::new()), None);
    }

    #[test]
    fn only_who_is_known_to_be_dead_is_dead() {
        let here = owner(1);
        let dead = |other: &Owner, alive| other.is_dead(&here, false, |_| alive);
        assert!(dead(&owner(5), false));
        assert!(!dead(&owner(5), true));
        let elsewhere = Owner {
            host: "other".to_owned(),
            ..owner(5)
        };
        assert!(!dead(&elsewhere, false));
        let in_a_container = Owner {
            pids: "pid:[2]".to_owned(),
            ..owner(5)
        };
        assert!(!dead(&in_a_container, false));
    }

    #[test]
    fn a_reboot_ends_all_owners_of_this_machine_but_not_those_of_one_with_its_name() {
        let before = Owner {
            boot: "before".to_owned(),
            ..owner(5)
        };
        assert!(before.is_dead(&owner(1), false, |_| true));
        assert!(!before.is_dead(&owner(1), true, |_| false));
    }
}
