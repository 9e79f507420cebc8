//! The pool: slices that can stand in for each other. A test gets one that is ready; when its lease ends, the slice is
//! recycled in the background, so that no test waits for another one's cleaning.
//!
//! There are as many slices as tests held or wanted at once, and one more, or as many more as the service says: it takes the
//! next test while the last one's slice is recycled. How many tests run at once is seen, not asked: a runner knows how many it
//! may run, but not how many there are, and running one test must not cost sixteen slices.

mod held;
mod stock;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;
use tokio::sync::{OnceCell, oneshot};

pub(super) use held::Held;
use held::Waiting;

use super::server::Server;
use crate::error::{Error, Result};
use crate::service::{AnySlice, LeaseName, PoolSpec, Recycled, Sharing, Used};
use crate::spec::Fingerprint;

pub(super) struct Pool {
    server: Arc<Server>,
    /// How slices are made: any spec of this pool will do.
    spec: Value,
    template: Option<Fingerprint>,
    sharing: Sharing,
    /// More slices than tests.
    spare: usize,
    state: Mutex<State>,
    /// The slice of a pool that everyone shares.
    shared: OnceCell<tokio::sync::Mutex<AnySlice>>,
}

struct State {
    /// The last one is taken first: what it needs is still in the processor's caches.
    ready: Vec<AnySlice>,
    /// Tests that wait, in the order in which they asked.
    waiting: VecDeque<oneshot::Sender<Result<AnySlice>>>,
    /// Slices that are being made or recycled: each will serve one who waits.
    coming: usize,
    /// Slices that leases hold.
    held: usize,
    /// The most that were held or waited for at once.
    peak: usize,
    /// The first test has had its slice.
    is_second: bool,
    /// A slice is being made ahead of need.
    is_stocking: bool,
    last_used: Instant,
}

impl Pool {
    pub(super) fn new(server: Arc<Server>, spec: Value, pool: &PoolSpec) -> Arc<Self> {
        Arc::new(Self {
            server,
            spec,
            template: pool.template.as_ref().map(|template| template.fingerprint.clone()),
            sharing: pool.sharing,
            spare: pool.spare,
            state: Mutex::new(State {
                ready: Vec::new(),
                waiting: VecDeque::new(),
                coming: 0,
                held: 0,
                peak: 0,
                is_second: false,
                is_stocking: false,
                last_used: Instant::now(),
            }),
            shared: OnceCell::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slice, opened to one lease.
    pub(super) async fn lease(self: &Arc<Self>, spec: &Value, lease: &LeaseName) -> Result<(Held, Value)> {
        match self.sharing {
            Sharing::Exclusive => self.lease_exclusive(spec, lease).await,
            Sharing::Everyone => self.lease_shared(spec, lease).await,
        }
    }

    async fn lease_exclusive(self: &Arc<Self>, spec: &Value, lease: &LeaseName) -> Result<(Held, Value)> {
        let mut failure = None;
        // A slice that can't be granted is broken; a second one that can't is the server's fault.
        for _ in 0..2 {
            let mut held = self.next().await?;
            let slice = held.slice.as_mut().expect("it was put there");
            match self.server.slices.grant(slice, spec, lease).await {
                Ok(grant) => {
                    self.stock_up();
                    return Ok((held, grant));
                }
                Err(error) => {
                    tracing::warn!(%error, "a slice could not be granted");
                    failure = Some(error);
                    let broken = held.slice.take().expect("it was put there");
                    self.state().held -= 1;
                    // The test may die meanwhile, and the slice has to go all the same.
                    let server = self.server.clone();
                    self.server.spawn(async move { server.slices.destroy(broken).await });
                }
            }
        }
        Err(failure.unwrap_or_else(|| Error::new("no slice could be granted")))
    }

    async fn lease_shared(self: &Arc<Self>, spec: &Value, lease: &LeaseName) -> Result<(Held, Value)> {
        let make = || async { self.server.slices.make(&self.spec).await.map(tokio::sync::Mutex::new) };
        let shared = self.shared.get_or_try_init(make).await?;
        let grant = self.server.slices.grant(&mut *shared.lock().await, spec, lease).await?;
        Ok((Held::of(self, None), grant))
    }

    async fn next(self: &Arc<Self>) -> Result<Held> {
        let (tell, told) = oneshot::channel();
        let mut waiting = Waiting {
            pool: self.clone(),
            told,
        };
        {
            let mut state = self.state();
            state.last_used = Instant::now();
            state.peak = state.peak.max(state.held + state.waiting.len() + 1);
            if let Some(slice) = state.ready.pop() {
                state.held += 1;
                return Ok(Held::of(self, Some(slice)));
            }
            state.waiting.push_back(tell);
            if state.coming < state.waiting.len() {
                state.coming += 1;
                self.server.spawn(self.clone().make());
            }
        }
        let slice = (&mut waiting.told)
            .await
            .unwrap_or_else(|_| Err(Error::new("the pool of slices was closed")))?;
        Ok(Held::of(self, Some(slice)))
    }

    async fn make(self: Arc<Self>) {
        let made = self.made().await;
        self.arrive(made);
        self.server.make_room().await;
    }

    async fn made(&self) -> Result<AnySlice> {
        match self.server.death() {
            None => self.server.slices.make(&self.spec).await,
            Some(death) => Err(death.clone()),
        }
    }

    /// Something that was coming is here: it goes to the first who still waits.
    fn arrive(self: &Arc<Self>, mut made: Result<AnySlice>) {
        let mut state = self.state();
        state.coming -= 1;
        while let Some(waiting) = state.waiting.pop_front() {
            let is_slice = made.is_ok();
            match waiting.send(made) {
                Ok(()) => {
                    // From now on, and not only once that test goes on.
                    state.held += usize::from(is_slice);
                    return;
                }
                Err(back) => made = back,
            }
        }
        match made {
            Ok(slice) => {
                state.ready.push(slice);
                drop(state);
                if self.server.is_contested() {
                    tokio::spawn(Self::let_go(Arc::downgrade(self)));
                }
            }
            Err(error) => tracing::warn!(%error, "a slice that nobody waited for could not be made"),
        }
    }

    async fn recycle(self: Arc<Self>, mut slice: AnySlice, used: Used) {
        match self.server.slices.recycle(&mut slice, used).await {
            Ok(Recycled::Ready) => return self.arrive(Ok(slice)),
            Ok(Recycled::Gone) => {}
            Err(error) => tracing::warn!(%error, "a slice could not be recycled"),
        }
        // Whoever waits is served first, if there is room for both.
        if !self.server.is_scarce()
            && let Ok(made) = self.made().await
        {
            self.arrive(Ok(made));
            self.server.slices.destroy(slice).await;
            return self.server.make_room().await;
        }
        self.server.slices.destroy(slice).await;
        self.make().await;
    }
}
