//! Servers: each is started once, however many tests ask; a failure is told to all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Supervisor;
use super::pool::Pool;
use super::seats::Seats;
use super::template::Templates;
use crate::diagnosis::machine::FREE_SPACE;
use crate::error::{Error, Result};
use crate::naming::random_hex;
use crate::os::ProcessId;
use crate::provider::{self, Ask, Endpoint, Instance, Progress, Started};
use crate::service::{Driver, ErasedSlices, PoolSpec};
use crate::spec::{Fingerprint, Provision, Request};

/// How often a starting process is tried.
const TRY: Duration = Duration::from_millis(3);
/// How long a server may take to tell what it is doing.
const TELLS: Duration = Duration::from_secs(1);
/// More lines of a server's log than this don't help anybody.
const MOST_LINES: usize = 40;
/// How often a starting container is tried: it takes longer, and asking may cost the engine something.
const TRY_CONTAINER: Duration = Duration::from_millis(10);
/// How long somebody else's server may refuse connections: it may be starting, too.
const EXTERNAL_PATIENCE: Duration = Duration::from_secs(3);
/// How long a server may take to end that can't be used any more.
const ENDS: Duration = Duration::from_secs(1);
/// How long removing everything from somebody else's server may take.
const CLEAR: Duration = Duration::from_secs(20);
/// How long a container's log may take to come.
const LOG_COMES: Duration = Duration::from_secs(1);
/// How often a start is repeated for a reason that may be gone the next time.
const STARTS: usize = 3;

/// A running server.
pub(super) struct Server {
    pub(super) service: String,
    /// In the names of all that is made there.
    pub(super) owner: String,
    pub(super) slices: Box<dyn ErasedSlices>,
    pub(super) instance: Instance,
    pub(super) templates: Templates,
    /// Where there are only a few slices.
    pub(super) seats: Option<Arc<Seats>>,
    pools: Mutex<HashMap<String, Arc<Pool>>>,
    /// Slices that are being made or recycled.
    background: Mutex<JoinSet<()>>,
    death: OnceLock<Error>,
    /// Told of the death.
    died: watch::Sender<()>,
}

impl Server {
    pub(super) fn pool(self: &Arc<Self>, spec: &serde_json::Value, pool: &PoolSpec) -> Arc<Pool> {
        self.pools()
            .entry(pool.name.clone())
            .or_insert_with(|| Pool::new(self.clone(), spec.clone(), pool))
            .clone()
    }

    pub(super) fn pools(&self) -> MutexGuard<'_, HashMap<String, Arc<Pool>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether other supervisors may wait for the slices that this one has.
    pub(super) fn is_contested(&self) -> bool {
        self.seats.is_some() && self.instance.is_external()
    }

    /// How it died, if it did.
    pub(super) fn death(&self) -> Option<&Error> {
        self.death.get()
    }

    /// Waits until a death that has happened is known: a test may see its connection break before we see why.
    pub(super) async fn settle(&self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        let gone = |instance: &Instance| instance.process().is_some_and(|process| !process.is_alive());
        while self.is_usable() && gone(&self.instance) && Instant::now() < deadline {
            tokio::time::sleep(TRY).await;
        }
    }

    /// Waits until all that the server has written to its log is here.
    pub(super) async fn catch_up_with_log(&self) {
        if !self.is_usable() || !self.instance.is_container() {
            return;
        }
        let (offset, mark) = (self.instance.log_length(), format!("itest {}", random_hex(8)));
        let caught_up = async {
            if !self.slices.mark_log(&mark).await {
                return self.instance.catch_up_with_log(offset).await;
            }
            while !self.instance.log_since(offset).iter().any(|line| line.contains(&mark)) {
                tokio::time::sleep(TRY).await;
            }
        };
        // A diagnosis that lacks a line is better than none.
        let _ = tokio::time::timeout(LOG_COMES, caught_up).await;
    }

    /// What the server is doing for a lease. A server that doesn't answer has said enough.
    pub(super) async fn busy_with(&self, grant: &Value) -> Vec<String> {
        if !self.is_usable() {
            return Vec::new();
        }
        let told = tokio::time::timeout(TELLS, self.slices.busy_with(grant)).await;
        told.unwrap_or_default()
    }

    /// What the server's log says of a lease since `offset`.
    pub(super) fn log_about(&self, grant: &Value, offset: u64) -> Vec<String> {
        let mut log = Vec::new();
        let mut own = false;
        for line in self.instance.log_since(offset) {
            // A line that begins with a blank goes on with the one before.
            own = if line.starts_with([' ', '\t']) {
                own
            } else {
                self.slices.owns_line(grant, &line)
            };
            if own {
                log.push(line);
            }
        }
        log.split_off(log.len().saturating_sub(MOST_LINES))
    }

    /// Waits until the server is given up, if its service has seen that it can't be used any more. Tells whether it is.
    pub(super) async fn is_given_up(&self) -> bool {
        if self.slices.lost().now_or_never().is_some() {
            // Whoever watches over it gives it up.
            self.died().await;
        }
        !self.is_usable()
    }

    /// Nobody gets anything of it any more.
    async fn give_up(&self, what: &str) {
        let next = if self.instance.is_external() {
            "the next test finds everything made anew there, if the server is up again"
        } else {
            "the next test gets a new server"
        };
        let error = Error::new(format!("the {} server {what}", self.service))
            .log("its last words", self.instance.last_words())
            .hint(next);
        if self.death.set(error).is_ok() {
            tracing::warn!(service = self.service, what, "a server is given up");
            self.died.send_replace(());
            self.pools().clear();
            self.instance.stop().await;
        }
    }

    /// Returns when the server is dead, and tells how it died.
    pub(super) async fn died(&self) -> Error {
        let mut died = self.died.subscribe();
        loop {
            if let Some(death) = self.death() {
                return death.clone();
            }
            if died.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    pub(super) fn is_usable(&self) -> bool {
        self.death.get().is_none()
    }

    /// Its pools hold the server and the server its pools: this parts them.
    async fn stop(&self) {
        let _ = self.death.set(Error::new(format!("{} was stopped", self.service)));
        // An external server may have gone before us.
        let _ = tokio::time::timeout(CLEAR, self.clear()).await;
        let began = Instant::now();
        let leaves = tokio::time::timeout(CLEAR, self.leave()).await;
        self.pools().clear();
        if leaves != Ok(true) {
            return self.instance.stop().await;
        }
        self.instance.stop_and_keep().await;
        tracing::info!(
            service = self.service,
            ms = began.elapsed().as_millis(),
            "templates were kept for the next server"
        );
    }
}

/// What goes on behind the tests' backs.
impl Server {
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut background = self.background.lock().unwrap_or_else(PoisonError::into_inner);
        while background.try_join_next().is_some() {}
        background.spawn(work);
    }

    /// Removes all from a server that stays, also what was just being made.
    async fn clear(&self) {
        self.slices.clear().await;
        if self.instance.is_external() {
            self.finish_background().await;
            self.slices.clear().await;
        }
    }

    /// Removes all but templates where those are kept for later; tells whether they can be.
    async fn leave(&self) -> bool {
        if !self.instance.may_be_kept() {
            return false;
        }
        self.finish_background().await;
        self.slices.leave_templates().await
    }

    async fn finish_background(&self) {
        let mut background = std::mem::take(&mut *self.background.lock().unwrap_or_else(PoisonError::into_inner));
        while background.join_next().await.is_some() {}
    }
}

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
                // The tests of one run are told the same failure; the next run tries anew.
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

/// Notices a server's death.
async fn watch_over(server: Arc<Server>) {
    let ended = |how: String| format!("ended ({how}) while tests were using it");
    let what = tokio::select! {
        how = server.instance.ended() => ended(how),
        // If it is just ending, how it does is more to the point.
        why = server.slices.lost() => match tokio::time::timeout(ENDS, server.instance.ended()).await {
            Ok(how) => ended(how),
            Err(_) => format!("can't be used any more: {why}"),
        },
    };
    server.give_up(&what).await;
}

async fn start_server(
    supervisor: &Supervisor,
    key: &Fingerprint,
    request: &Request,
    anchor: ProcessId,
    progress: &Progress,
) -> Result<Arc<Server>> {
    let driver = supervisor.driver(request)?;
    let began = Instant::now();
    // Each use of a server has a name of its own: two specs may lead to one external server.
    let owner = random_hex(4);
    // Runs of one workspace follow each other, so nobody else is at what is kept by these names.
    let keeps = !request.dedicated && !request.once_per_run && !supervisor.keep_templates.is_zero();
    let keep_as = keeps.then(|| format!("{}-{}", supervisor.home.key(), key.short(12)));
    let mut start = 1;
    let ask = Ask {
        name: driver.name(),
        dedicated: request.dedicated,
        owner: &owner,
        keep_as: keep_as.as_deref(),
        run: anchor,
        patience: supervisor.start_timeout,
        progress,
        around: &supervisor.around,
    };
    let (instance, slices, about) = loop {
        let recipe = || driver.recipe(&request.server);
        let started = provider::start(&ask, recipe, &request.provision)
            .await
            .map_err(|error| error.context(format!("failed to start {}", driver.name())))?;
        let Started {
            instance,
            endpoint,
            about,
        } = started;
        if let Some(process) = instance.process() {
            supervisor.around.roots.add_server(process);
        }
        match ready(supervisor, driver, request, &instance, &endpoint).await {
            Ok(slices) => break (instance, slices, about),
            Err(error) => {
                let again = start < STARTS && instance.may_go_better();
                instance.stop().await;
                if !again {
                    return Err(error);
                }
                tracing::warn!(%error, "starting again");
                start += 1;
            }
        }
    };
    tracing::info!(
        service = driver.name(),
        ms = began.elapsed().as_millis(),
        about,
        "server is ready"
    );
    let templates = Templates::default();
    for kept in slices.kept_templates() {
        let is_old = kept.built.elapsed().is_ok_and(|age| age > supervisor.keep_templates);
        if is_old {
            slices.drop_template(&kept.template).await;
        } else {
            tracing::info!(template = %kept.template, "a template was kept");
            templates.adopt(kept);
        }
    }
    Ok(Arc::new(Server {
        service: request.service.clone(),
        owner,
        seats: slices.limit().map(Seats::new),
        slices,
        instance,
        templates,
        pools: Mutex::default(),
        background: Mutex::default(),
        death: OnceLock::new(),
        died: watch::Sender::new(()),
    }))
}

/// Connects, as a client would, until that works.
async fn ready(
    supervisor: &Supervisor,
    driver: &Driver,
    request: &Request,
    instance: &Instance,
    endpoint: &Endpoint,
) -> Result<Box<dyn ErasedSlices>> {
    let name = driver.name();
    let patience = if instance.is_external() {
        EXTERNAL_PATIENCE.min(supervisor.start_timeout)
    } else {
        supervisor.start_timeout
    };
    let deadline = Instant::now() + patience;
    let pause = if instance.is_container() { TRY_CONTAINER } else { TRY };
    let mut last = Error::new("no connection was tried");
    let connecting = async {
        loop {
            let remaining = deadline.saturating_duration_since(Instant::now());
            match tokio::time::timeout(remaining, driver.connect(&request.server, endpoint)).await {
                Ok(Ok(slices)) => return Ok(slices),
                Ok(Err(error)) if error.is_permanent() => return Err(error),
                Ok(Err(error)) => last = error,
                Err(_) => return Err(last),
            }
            if Instant::now() + pause >= deadline {
                return Err(last);
            }
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        biased;
        outcome = connecting => outcome.map_err(|error| match &request.provision {
            Provision::Auto { .. } | Provision::Docker(_) | Provision::Native(_) => error
                .context(format!("{name} was started, but could not be used within {patience:?}"))
                .log("the server's last log lines", instance.last_words())
                .or_hint("set ITEST_START_TIMEOUT to more if this machine is slow"),
            Provision::External { url } => error
                .context(format!("the {name} server at {} can't be used", crate::spec::redacted(url)))
                .or_hint(format!("is it running, and is ITEST_{}_URL right?", name.to_uppercase())),
        }),
        how = instance.ended() => {
            let words = instance.last_words();
            let full = words.iter().any(|line| line.contains("No space left"));
            let error = Error::new(format!("failed to start {name}: the server ended at once ({how})"))
                .log("the server's last log lines", words);
            Err(if full { error.hint(FREE_SPACE) } else { error })
        }
    }
}
