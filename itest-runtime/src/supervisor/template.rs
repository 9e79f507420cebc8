//! Templates: each is built once, by the first test that needs it, while the others wait.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::watch;

use super::server::Server;
use crate::error::{Error, Result};
use crate::os::ProcessId;
use crate::service::TemplateId;
use crate::spec::Fingerprint;

/// What a template is worth: about the time that building it takes where its base is small. Once tests have spent more than
/// that on making its content for themselves, it is built.
const WORTH: Duration = Duration::from_millis(300);

#[derive(Default)]
pub(super) struct Templates {
    states: Mutex<HashMap<Fingerprint, State>>,
    /// How much time tests have spent on what a template would have had.
    replayed: Mutex<HashMap<Fingerprint, Duration>>,
}

enum State {
    /// Someone builds it. The channel closes when that is over, however it ends.
    Building(watch::Receiver<()>),
    Ready {
        /// Tests that are about to get a slice of it.
        users: usize,
        last_used: Instant,
        source: Option<Fingerprint>,
        /// The run that used it last, if any of this supervisor's did.
        run: Option<ProcessId>,
    },
    /// The tests of one run are told the same failure; the next run tries again.
    Failed(Error, ProcessId),
}

impl Templates {
    fn states(&self) -> MutexGuard<'_, HashMap<Fingerprint, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a test had better make the template's content for itself.
    pub(super) fn is_cheaper_to_replay(&self, template: &Fingerprint) -> bool {
        let replayed = self.replayed.lock().unwrap_or_else(PoisonError::into_inner);
        replayed.get(template).is_none_or(|spent| *spent < WORTH)
    }

    /// Notes how long that took a test; none if it failed, which a template tells better.
    pub(super) fn note_replay(&self, template: &Fingerprint, took: Option<Duration>) {
        let mut replayed = self.replayed.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = replayed.entry(template.clone()).or_default();
        *spent = took.map_or(Duration::MAX, |took| spent.saturating_add(took));
    }

    pub(super) fn is_being_built(&self, template: &Fingerprint) -> bool {
        matches!(self.states().get(template), Some(State::Building(_)))
    }

    /// Notes that somebody uses the template, if it is ready.
    fn claim_ready(&self, template: &Fingerprint, anchor: ProcessId) -> bool {
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

    fn claim(&self, template: &Fingerprint, anchor: ProcessId) -> Claim {
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
    /// Takes the template that was used the longest ago away from whoever would ask for it now, if there are more than `most`;
    /// of those that `is_unused`.
    pub(super) fn claim_idle(&self, most: usize, is_unused: impl Fn(&Fingerprint) -> bool) -> Option<Leaving<'_>> {
        let states = self.states();
        let ready = states.iter().filter_map(|(template, state)| match state {
            State::Ready {
                users: 0, last_used, ..
            } => Some((*last_used, template)),
            State::Ready { .. } | State::Building(_) | State::Failed(..) => None,
        });
        let mut ready: Vec<_> = ready.collect();
        if ready.len() <= most {
            return None;
        }
        ready.sort_unstable();
        let template = ready
            .into_iter()
            .map(|(_, template)| template)
            .find(|template| is_unused(template))?
            .clone();
        Some(self.leave(states, template))
    }

    /// Takes a template away that says what `source` said in earlier runs, where `template` says it now; of those that
    /// `is_unused`.
    pub(super) fn claim_outdated(
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
    pub(super) fn adopt(&self, kept: TemplateId) {
        let state = State::Ready {
            users: 0,
            last_used: Instant::now(),
            source: kept.source,
            run: None,
        };
        self.states().insert(kept.fingerprint, state);
    }
}

/// A template that is being removed: whoever wants it waits until it is gone, and builds it again.
pub(super) struct Leaving<'a> {
    templates: &'a Templates,
    template: Fingerprint,
    _gone: watch::Sender<()>,
}

impl Leaving<'_> {
    pub(super) fn fingerprint(&self) -> &Fingerprint {
        &self.template
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.templates.states().remove(&self.template);
    }
}

/// A template that stays as long as this lives.
pub(super) struct InUse {
    server: Arc<Server>,
    template: Fingerprint,
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(State::Ready { users, .. }) = self.server.templates.states().get_mut(&self.template) {
            *users -= 1;
        }
    }
}

enum Claim {
    Ready,
    Failed(Error),
    Wait(watch::Receiver<()>),
    Build(watch::Sender<()>),
}

/// A template that is ready stays as long as the answer lives.
pub(super) fn claim(server: &Arc<Server>, template: &Fingerprint, anchor: ProcessId) -> Option<InUse> {
    let is_ready = server.templates.claim_ready(template, anchor);
    is_ready.then(|| InUse {
        server: server.clone(),
        template: template.clone(),
    })
}

/// Returns when the template of `pool` is ready; it stays as long as the answer lives. `build` has the caller's test build it
/// in a blank slice; if that test dies meanwhile, this future is dropped, and the next who waits builds it.
pub(super) async fn ensure<F>(
    server: &Arc<Server>,
    TemplateId {
        fingerprint: template,
        source,
    }: &TemplateId,
    spec: &Value,
    anchor: ProcessId,
    build: impl FnOnce(Value) -> F,
) -> Result<InUse>
where
    F: Future<Output = Result<()>>,
{
    let in_use = || InUse {
        server: server.clone(),
        template: template.clone(),
    };
    let building = loop {
        match server.templates.claim(template, anchor) {
            Claim::Ready => return Ok(in_use()),
            Claim::Failed(error) => return Err(error),
            // An error only says that the builder is done.
            Claim::Wait(mut over) => drop(over.changed().await),
            Claim::Build(building) => break building,
        }
    };
    let mut site = Site {
        server: server.clone(),
        template: template.clone(),
        spec: spec.clone(),
        building: Some(building),
    };
    let outcome = async {
        let log_offset = server.instance.log_length();
        let blank = server.slices.begin_template(spec).await?;
        if let Err(error) = build(blank.clone()).await {
            // It names the statement, which a library's error doesn't.
            server.catch_up_with_log().await;
            return Err(error.log("the server's log says of it", server.log_about(&blank, log_offset)));
        }
        server.slices.seal_template(spec).await
    }
    .await;
    match outcome {
        Ok(()) => {
            site.close(State::Ready {
                users: 1,
                last_used: Instant::now(),
                source: source.clone(),
                run: Some(anchor),
            });
            if let Some(source) = source.clone() {
                let (outdated_on, template) = (server.clone(), template.clone());
                server.spawn(async move { outdated_on.drop_outdated(&template, &source, anchor).await });
            }
            Ok(in_use())
        }
        Err(error) => {
            server.slices.abandon_template(spec).await;
            site.close(State::Failed(error.clone(), anchor));
            Err(error)
        }
    }
}

/// A template under construction.
struct Site {
    server: Arc<Server>,
    template: Fingerprint,
    spec: Value,
    building: Option<watch::Sender<()>>,
}

impl Site {
    fn close(&mut self, state: State) {
        self.server.templates.states().insert(self.template.clone(), state);
        self.building = None;
    }
}

impl Drop for Site {
    /// The builder died: what it left is removed before another begins.
    fn drop(&mut self) {
        let Some(building) = self.building.take() else { return };
        let (server, template, spec) = (self.server.clone(), self.template.clone(), self.spec.clone());
        tokio::spawn(async move {
            tracing::warn!(%template, "the test that built a template is gone");
            server.slices.abandon_template(&spec).await;
            server.templates.states().remove(&template);
            drop(building);
        });
    }
}
