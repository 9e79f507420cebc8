//! The pool: slices that can stand in for each other. A test gets one that is ready; when its lease ends, the slice is
//! recycled in the background, so that no test waits for another one's cleaning.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::{OnceCell, oneshot};

use super::server::Server;
use crate::error::{Error, Result};
use crate::service::{AnySlice, LeaseName, PoolSpec, Recycled, Sharing, Used};

pub(super) struct Pool {
    server: Arc<Server>,
    /// How slices are made: any spec of this pool will do.
    spec: Value,
    sharing: Sharing,
    state: Mutex<State>,
    /// The slice of a pool that everyone shares.
    shared: OnceCell<tokio::sync::Mutex<AnySlice>>,
}

#[derive(Default)]
struct State {
    ready: Vec<AnySlice>,
    /// Tests that wait, in the order in which they asked.
    waiting: VecDeque<oneshot::Sender<Result<AnySlice>>>,
    /// Slices that are being made or recycled: each will serve one who waits.
    coming: usize,
}

impl Pool {
    pub(super) fn new(server: Arc<Server>, spec: Value, pool: &PoolSpec) -> Arc<Self> {
        Arc::new(Self {
            server,
            spec,
            sharing: pool.sharing,
            state: Mutex::default(),
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
            let mut held = Held {
                pool: self.clone(),
                slice: Some(self.next().await?),
                used: Used::Unknown,
                last: false,
            };
            let slice = held.slice.as_mut().expect("it was put there");
            match self.server.slices.grant(slice, spec, lease).await {
                Ok(grant) => return Ok((held, grant)),
                Err(error) => {
                    tracing::warn!(%error, "a slice could not be granted");
                    failure = Some(error);
                    let broken = held.slice.take().expect("it was put there");
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
        Ok((
            Held {
                pool: self.clone(),
                slice: None,
                used: Used::Unknown,
                last: false,
            },
            grant,
        ))
    }

    async fn next(self: &Arc<Self>) -> Result<AnySlice> {
        let (tell, told) = oneshot::channel();
        let mut waiting = Waiting {
            pool: self.clone(),
            told,
        };
        {
            let mut state = self.state();
            if let Some(slice) = state.ready.pop() {
                return Ok(slice);
            }
            state.waiting.push_back(tell);
            if state.coming < state.waiting.len() {
                state.coming += 1;
                self.server.spawn(self.clone().make());
            }
        }
        (&mut waiting.told)
            .await
            .unwrap_or_else(|_| Err(Error::new("the pool of slices was closed")))
    }

    async fn make(self: Arc<Self>) {
        let made = match self.server.death() {
            None => self.server.slices.make(&self.spec).await,
            Some(death) => Err(death.clone()),
        };
        self.arrive(made);
    }

    /// Something that was coming is here: it goes to the first who still waits.
    fn arrive(&self, mut made: Result<AnySlice>) {
        let mut state = self.state();
        state.coming -= 1;
        while let Some(waiting) = state.waiting.pop_front() {
            match waiting.send(made) {
                Ok(()) => return,
                Err(back) => made = back,
            }
        }
        match made {
            Ok(slice) => state.ready.push(slice),
            Err(error) => tracing::warn!(%error, "a slice that nobody waited for could not be made"),
        }
    }

    async fn recycle(self: Arc<Self>, mut slice: AnySlice, used: Used) {
        match self.server.slices.recycle(&mut slice, used).await {
            Ok(Recycled::Ready) => return self.arrive(Ok(slice)),
            Ok(Recycled::Gone) => {}
            Err(error) => tracing::warn!(%error, "a slice could not be recycled"),
        }
        // Whoever waits is served first.
        self.clone().make().await;
        self.server.slices.destroy(slice).await;
    }
}

/// A test that waits for a slice.
struct Waiting {
    pool: Arc<Pool>,
    told: oneshot::Receiver<Result<AnySlice>>,
}

impl Drop for Waiting {
    /// The test may die just when its slice has come: the next one gets it.
    fn drop(&mut self) {
        self.told.close();
        if let Ok(Ok(slice)) = self.told.try_recv() {
            self.pool.state().coming += 1;
            self.pool.arrive(Ok(slice));
        }
    }
}

/// A slice that a lease holds; it goes back when this is dropped, however the lease ended.
pub(super) struct Held {
    pool: Arc<Pool>,
    slice: Option<AnySlice>,
    pub(super) used: Used,
    /// Nobody uses the server after this lease: there is nothing to recycle for.
    pub(super) last: bool,
}

impl Held {
    pub(super) fn server(&self) -> &Arc<Server> {
        &self.pool.server
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A dead server's slices are gone with it.
        if let Some(slice) = self.slice.take()
            && !self.last
            && self.pool.server.is_usable()
        {
            self.pool.state().coming += 1;
            self.pool.server.spawn(self.pool.clone().recycle(slice, self.used));
        }
    }
}
