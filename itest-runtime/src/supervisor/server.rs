//! A running server: its slices, its log, and its end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::pool::Pool;
use super::seats::Seats;
use super::template::Templates;
use crate::error::Error;
use crate::naming::random_hex;
use crate::provider::Instance;
use crate::service::{ErasedSlices, PoolSpec};

/// How often it is looked whether a process has gone.
const TRY: Duration = Duration::from_millis(3);
/// How long a server may take to tell what it is doing.
const TELLS: Duration = Duration::from_secs(1);
/// More lines of a server's log than this don't help anybody.
const MOST_LINES: usize = 40;
/// How long a server may take to end that can't be used any more.
const ENDS: Duration = Duration::from_secs(1);
/// How long removing everything from somebody else's server may take.
const CLEAR: Duration = Duration::from_secs(20);
/// How long a container's log may take to come.
const LOG_COMES: Duration = Duration::from_secs(1);

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
    pub(super) fn new(
        service: String,
        owner: String,
        slices: Box<dyn ErasedSlices>,
        instance: Instance,
        templates: Templates,
    ) -> Arc<Self> {
        Arc::new(Self {
            service,
            owner,
            seats: slices.limit().map(Seats::new),
            slices,
            instance,
            templates,
            pools: Mutex::default(),
            background: Mutex::default(),
            death: OnceLock::new(),
            died: watch::Sender::new(()),
        })
    }

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
        self.told(self.slices.busy_with(grant)).await
    }

    /// What a lease has on the server.
    pub(super) async fn holds(&self, grant: &Value) -> Vec<String> {
        self.told(self.slices.holds(grant)).await
    }

    /// What the server says of a lease; nothing if it doesn't answer.
    async fn told(&self, answer: impl Future<Output = Vec<String>>) -> Vec<String> {
        if !self.is_usable() {
            return Vec::new();
        }
        tokio::time::timeout(TELLS, answer).await.unwrap_or_default()
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
            "the next test finds everything made again there, if the server is up again"
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
    pub(super) async fn stop(&self) {
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

/// Notices a server's death.
pub(super) async fn watch_over(server: Arc<Server>) {
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
