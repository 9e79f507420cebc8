//! Which templates there are, who may use or build each, and which goes first.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::error::Error;
use crate::os::ProcessId;
use crate::service::TemplateId;
use crate::spec::Fingerprint;

/// What a template is worth: about the time that building it takes where its base is small. Once tests have spent more than
/// that on making its content for themselves, it is built.
const WORTH: Duration = Duration::from_millis(300);

#[derive(Default)]
pub(in crate::supervisor) struct Templates {
    states: Mutex<HashMap<Fingerprint, State>>,
    /// How much time tests have spent on what a template would have had.
    replayed: Mutex<HashMap<Fingerprint, Duration>>,
}

pub(super) enum State {
    /// Someone builds it. The channel closes when that is over, however it ends.
    Building(watch::Receiver<()>),
    Ready {
        /// Tests that are about to get a slice of it.
        users: usize,
        last_used: Instant,
        source: Option<Fingerprint>,
        /// The run that used it last, if any of this supervisor's did.
        run: Option<ProcessId>,
        /// What it takes on the server, once that is known.
        bytes: Option<u64>,
    },
    /// The tests of one run are told the same failure; the next run tries again.
    Failed(Error, ProcessId),
}

impl Templates {
    pub(super) fn states(&self) -> MutexGuard<'_, HashMap<Fingerprint, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a test had better make the template's content for itself.
    pub(in crate::supervisor) fn is_cheaper_to_replay(&self, template: &Fingerprint) -> bool {
        let replayed = self.replayed.lock().unwrap_or_else(PoisonError::into_inner);
        replayed.get(template).is_none_or(|spent| *spent < WORTH)
    }

    /// Notes how long that took a test; none if it failed, which a template tells better.
    pub(in crate::supervisor) fn note_replay(&self, template: &Fingerprint, took: Option<Duration>) {
        let mut replayed = self.replayed.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = replayed.entry(template.clone()).or_default();
        *spent = took.map_or(Duration::MAX, |took| spent.saturating_add(took));
    }

    pub(in crate::supervisor) fn is_being_built(&self, template: &Fingerprint) -> bool {
        matches!(self.states().get(template), Some(State::Building(_)))
    }

    /// Notes that somebody uses the template, if it is ready.
    pub(super) fn claim_ready(&self, template: &Fingerprint, anchor: ProcessId) -> bool {
        let mut states = self.states();
        let Some(State::Ready {
            users, last_used, run, ..
        }) = states.get_mut(template)
        else {
            return false;
        };
        (*users, *last_used, *run) = (*users + 1, Instant::now(), Some(anchor));
        true
    }

    pub(super) fn claim(&self, template: &Fingerprint, anchor: ProcessId) -> Claim {
        let mut states = self.states();
        match states.get_mut(template) {
            Some(State::Ready {
                users, last_used, run, ..
            }) => {
                (*users, *last_used, *run) = (*users + 1, Instant::now(), Some(anchor));
                Claim::Ready
            }
            Some(State::Failed(error, failed)) if *failed == anchor => Claim::Failed(error.clone()),
            Some(State::Building(over)) => Claim::Wait(over.clone()),
            Some(State::Failed(..)) | None => {
                let (building, over) = watch::channel(());
                states.insert(template.clone(), State::Building(over));
                Claim::Build(building)
            }
        }
    }

    /// The templates whose size is still to be asked for.
    pub(in crate::supervisor) fn of_unknown_size(&self) -> Vec<Fingerprint> {
        let states = self.states();
        let unknown = states
            .iter()
            .filter(|(_, state)| matches!(state, State::Ready { bytes: None, .. }));
        unknown.map(|(template, _)| template.clone()).collect()
    }

    pub(in crate::supervisor) fn note_size(&self, template: &Fingerprint, size: u64) {
        if let Some(State::Ready { bytes, .. }) = self.states().get_mut(template) {
            *bytes = Some(size);
        }
    }

    /// Takes the template that was used the longest ago away from whoever would ask for it now, if those that nobody uses take
    /// more than `most` bytes; of those that `is_unused`.
    pub(in crate::supervisor) fn claim_idle(
        &self,
        most: u64,
        is_unused: impl Fn(&Fingerprint) -> bool,
    ) -> Option<Leaving<'_>> {
        let states = self.states();
        let ready = states.iter().filter_map(|(template, state)| match state {
            State::Ready {
                users: 0,
                last_used,
                bytes,
                ..
            } => Some((*last_used, template, bytes.unwrap_or(0))),
            State::Ready { .. } | State::Building(_) | State::Failed(..) => None,
        });
        let mut ready: Vec<_> = ready.collect();
        let taken: u64 = ready.iter().map(|(.., bytes)| bytes).sum();
        if taken <= most {
            return None;
        }
        ready.sort_unstable();
        let template = ready
            .into_iter()
            .map(|(_, template, _)| template)
            .find(|template| is_unused(template))?
            .clone();
        Some(self.leave(states, template))
    }

    /// Takes a template away that says what `source` said in earlier runs, where `template` says it now; of those that
    /// `is_unused`.
    pub(in crate::supervisor) fn claim_outdated(
        &self,
        template: &Fingerprint,
        source: &Fingerprint,
        anchor: ProcessId,
        is_unused: impl Fn(&Fingerprint) -> bool,
    ) -> Option<Leaving<'_>> {
        let states = self.states();
        let is_outdated = |state: &State| match state {
            State::Ready {
                users: 0,
                source: Some(other),
                run,
                ..
            } => other == source && run.is_none_or(|run| run != anchor && !run.is_alive()),
            State::Ready { .. } | State::Building(_) | State::Failed(..) => false,
        };
        let outdated = states
            .iter()
            .find(|(other, state)| *other != template && is_outdated(state) && is_unused(other))
            .map(|(other, _)| other.clone())?;
        Some(self.leave(states, outdated))
    }

    fn leave(&self, mut states: MutexGuard<'_, HashMap<Fingerprint, State>>, template: Fingerprint) -> Leaving<'_> {
        let (leaving, over) = watch::channel(());
        states.insert(template.clone(), State::Building(over));
        Leaving {
            templates: self,
            template,
            _gone: leaving,
        }
    }

    /// Takes note of a template that was there when the server started.
    pub(in crate::supervisor) fn adopt(&self, kept: TemplateId) {
        let state = State::Ready {
            users: 0,
            last_used: Instant::now(),
            source: kept.source,
            run: None,
            bytes: None,
        };
        self.states().insert(kept.fingerprint, state);
    }
}

/// A template that is being removed: whoever wants it waits until it is gone, and builds it again.
pub(in crate::supervisor) struct Leaving<'a> {
    templates: &'a Templates,
    template: Fingerprint,
    _gone: watch::Sender<()>,
}

impl Leaving<'_> {
    pub(in crate::supervisor) fn fingerprint(&self) -> &Fingerprint {
        &self.template
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.templates.states().remove(&self.template);
    }
}

pub(super) enum Claim {
    Ready,
    Failed(Error),
    Wait(watch::Receiver<()>),
    Build(watch::Sender<()>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::FingerprintBuilder;

    fn named(name: &str) -> Fingerprint {
        FingerprintBuilder::new("test").text(name).finish()
    }

    fn ready(templates: &Templates, name: &str, age: u64, users: usize) {
        let state = State::Ready {
            users,
            last_used: Instant::now().checked_sub(Duration::from_secs(age)).unwrap(),
            source: None,
            run: None,
            bytes: None,
        };
        templates.states().insert(named(name), state);
    }

    #[test]
    fn those_used_the_longest_ago_go_until_the_rest_has_room() {
        let templates = Templates::default();
        for (name, age, users) in [
            ("old", 90, 0),
            ("needed", 80, 0),
            ("middle", 70, 0),
            ("in use", 60, 1),
            ("new", 50, 0),
        ] {
            ready(&templates, name, age, users);
        }
        assert_eq!(templates.of_unknown_size().len(), 5);
        for name in ["old", "needed", "middle", "in use", "new"] {
            templates.note_size(&named(name), 10);
        }
        assert!(templates.of_unknown_size().is_empty());
        let next = |most| {
            let going = templates.claim_idle(most, |template| *template != named("needed"));
            going.map(|going| going.fingerprint().clone())
        };
        assert_eq!(next(40), None, "what is in use doesn't count");
        assert_eq!(next(39), Some(named("old")));
        assert_eq!(next(39), None, "there is room for three");
        assert_eq!(
            next(20),
            Some(named("middle")),
            "something is made of the one that is older"
        );
        assert_eq!(next(0), Some(named("new")));
        assert_eq!(next(0), None, "only what is needed is left");
    }
}
