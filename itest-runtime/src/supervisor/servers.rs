//! All servers: each is started once, however many tests ask; a failure is told to all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Supervisor;
use super::launch::{EXTERNAL_PATIENCE, start_server};
use super::server::{Server, watch_over};
use crate::error::Result;
use crate::os::ProcessId;
use crate::provider::Progress;
use crate::spec::{Fingerprint, Provision, Request};

/// Stops what only a run that is over could use.
fn retire_past_runs(starts: &mut HashMap<Fingerprint, Entry>) {
    let past = starts.extract_if(|_, entry| entry.once_per_run && !entry.anchor.is_alive());
    for (_, mut entry) in past {
        tokio::spawn(async move {
            if let Some(Ok(server)) = ended(&mut entry.coming.start).await {
                server.stop().await;
            }
        });
    }
}

type Start = watch::Receiver<Option<Result<Arc<Server>>>>;

/// A start that others wait for, and what is said of it meanwhile.
#[derive(Clone)]
struct Coming {
    start: Start,
    progress: watch::Receiver<String>,
}

/// How a start ended; none if nobody carries it out any more.
async fn ended(start: &mut Start) -> Option<Result<Arc<Server>>> {
    start
        .wait_for(Option::is_some)
        .await
        .ok()
        .and_then(|outcome| outcome.clone())
}

#[derive(Default)]
pub(super) struct Servers {
    starts: Mutex<HashMap<Fingerprint, Entry>>,
    /// Somebody else's servers that were given up, and others came after them: tests may still be there, and what was made
    /// there goes at the end.
    left: Mutex<Vec<Arc<Server>>>,
}

struct Entry {
    coming: Coming,
    /// Who asked first.
    anchor: ProcessId,
    once_per_run: bool,
    provision: Provision,
}

impl Servers {
    fn starts(&self) -> MutexGuard<'_, HashMap<Fingerprint, Entry>> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self) -> MutexGuard<'_, Vec<Arc<Server>>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server of this key, started if it isn't there; `say` hears what goes on meanwhile.
    pub(super) async fn get<F: Future<Output = ()>>(
        supervisor: &Arc<Supervisor>,
        key: &Fingerprint,
        request: &Request,
        anchor: ProcessId,
        say: impl Fn(String) -> F,
    ) -> Result<Arc<Server>> {
        loop {
            let Coming {
                mut start,
                mut progress,
            } = Self::find_or_start(supervisor, key, request, anchor);
            // Who comes while it goes on is told how far it is; who comes later, nothing.
            if start.borrow().is_none() {
                progress.mark_changed();
            } else {
                progress.mark_unchanged();
            }
            let outcome = loop {
                tokio::select! {
                    biased;
                    Ok(()) = progress.changed() => {
                        let text = progress.borrow_and_update().clone();
                        if !text.is_empty() {
                            say(text).await;
                        }
                    }
                    outcome = ended(&mut start) => break outcome,
                }
            };
            match outcome {
                Some(Ok(server)) if server.is_usable() => return Ok(server),
                Some(Err(error)) => return Err(error),
                // It died since: `find_or_start` sees that, too, and starts another.
                Some(Ok(_)) | None => {}
            }
        }
    }

    fn find_or_start(supervisor: &Arc<Supervisor>, key: &Fingerprint, request: &Request, anchor: ProcessId) -> Coming {
        let mut starts = supervisor.servers.starts();
        if let Some(Entry {
            coming, anchor: first, ..
        }) = starts.get(key)
        {
            let usable = match &*coming.start.borrow() {
                None => coming.start.has_changed().is_ok(),
                Some(Ok(server)) => server.is_usable(),
                // The tests of one run are told the same failure; the next run tries again.
                Some(Err(_)) => *first == anchor,
            };
            if usable {
                return coming.clone();
            }
        }
        let (tell, start) = watch::channel(None);
        let (say, progress) = Progress::new();
        let coming = Coming { start, progress };
        let entry = Entry {
            coming: coming.clone(),
            anchor,
            once_per_run: request.once_per_run,
            provision: request.provision.clone(),
        };
        retire_past_runs(&mut starts);
        let before = starts.insert(key.clone(), entry);
        if let Some(Some(Ok(server))) = before.map(|entry| entry.coming.start.borrow().clone())
            && server.instance.is_external()
        {
            supervisor.servers.left().push(server);
        }
        let (supervisor, key, request) = (supervisor.clone(), key.clone(), request.clone());
        tokio::spawn(async move {
            let outcome = start_server(&supervisor, &key, &request, anchor, &say).await;
            if let Ok(server) = &outcome {
                tokio::spawn(watch_over(server.clone()));
            }
            tell.send_replace(Some(outcome));
        });
        coming
    }

    pub(super) fn is_up(&self, key: &Fingerprint) -> bool {
        self.starts()
            .get(key)
            .is_some_and(|entry| matches!(&*entry.coming.start.borrow(), Some(Ok(server)) if server.is_usable()))
    }

    /// Stops one server, whose only test has ended, perhaps before the server was ready.
    pub(super) async fn retire(&self, key: &Fingerprint) {
        let Some(Entry { mut coming, .. }) = self.starts().remove(key) else {
            return;
        };
        if let Some(Ok(server)) = ended(&mut coming.start).await {
            server.stop().await;
        }
    }

    /// Stops all that are up, side by side. A process that is just starting dies with this one; an external server stays,
    /// and with it what was begun on it, so that is waited for.
    pub(super) async fn stop_all(&self) {
        let all: Vec<_> = self.starts().drain().map(|(_, entry)| entry).collect();
        let stopping = all.into_iter().map(
            |Entry {
                 mut coming, provision, ..
             }| async move {
                if matches!(provision, Provision::External { .. }) {
                    let ready = coming.start.wait_for(Option::is_some);
                    let _ = tokio::time::timeout(EXTERNAL_PATIENCE, ready).await;
                }
                let outcome = coming.start.borrow().clone();
                if let Some(Ok(server)) = outcome {
                    server.stop().await;
                }
            },
        );
        futures_util::future::join_all(stopping).await;
        let left = std::mem::take(&mut *self.left());
        futures_util::future::join_all(left.iter().map(|server| server.stop())).await;
    }
}
