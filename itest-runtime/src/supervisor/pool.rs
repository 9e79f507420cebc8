//! The pool: slices that can stand in for each other. A test gets one that is ready; when its lease ends, the slice is
//! recycled in the background, so that no test waits for another one's cleaning.
//!
//! There are as many slices as tests held or wanted at once, and one more, or as many more as the service says: it takes the
//! next test while the last one's slice is recycled. How many tests run at once is seen, not asked: a runner knows how many it may run, but not how many
//! there are, and running one test must not cost sixteen slices.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{OnceCell, oneshot};

use super::server::Server;
use crate::error::{Error, Result};
use crate::service::{AnySlice, LeaseName, PoolSpec, Recycled, Sharing, Used};
use crate::spec::Fingerprint;

/// How long a slice that others may need waits for the next test.
const IDLE: Duration = Duration::from_secs(1);

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

impl State {
    fn is_short(&self, spare: usize) -> bool {
        self.held + self.ready.len() + self.coming < self.peak + spare
    }
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
        Ok((
            Held {
                pool: self.clone(),
                slice: None,
                used: Used::Unknown,
                last: false,
                is_given_back: false,
            },
            grant,
        ))
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
                return Ok(self.hold(slice));
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
        Ok(self.hold(slice))
    }

    /// A slice that is counted as held.
    fn hold(self: &Arc<Self>, slice: AnySlice) -> Held {
        Held {
            pool: self.clone(),
            slice: Some(slice),
            used: Used::Unknown,
            last: false,
            is_given_back: false,
        }
    }

    /// Makes slices ahead of need, one after the other, while there are too few and nobody waits for one; not before the
    /// second test has come, as the first may be the only one.
    fn stock_up(self: &Arc<Self>) {
        let mut state = self.state();
        let is_first = !state.is_second;
        state.is_second = true;
        if is_first || state.is_stocking || !self.orders_one_more(&mut state) {
            return;
        }
        state.is_stocking = true;
        let pool = self.clone();
        self.server.spawn(async move {
            loop {
                let made = pool.made().await;
                let is_made = made.is_ok();
                pool.arrive(made);
                pool.server.make_room().await;
                let mut state = pool.state();
                if !is_made || !pool.orders_one_more(&mut state) {
                    state.is_stocking = false;
                    break;
                }
            }
        });
    }

    /// Whether one more slice is to be made ahead of need; it is then expected.
    fn orders_one_more(&self, state: &mut State) -> bool {
        let most = self.server.seats.as_ref().map_or(usize::MAX, |seats| seats.most());
        // Whoever needs many at once gets none of those that lie idle elsewhere.
        let is_rare = state.held + state.ready.len() + state.coming >= most / 2;
        let is_wanted = state.is_short(self.spare) && state.waiting.is_empty() && !is_rare;
        if !is_wanted || self.server.is_scarce() {
            return false;
        }
        state.coming += 1;
        true
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

    /// Gives a slice back that nobody here has wanted for a while, where others may.
    async fn let_go(pool: Weak<Self>) {
        tokio::time::sleep(IDLE).await;
        let Some(pool) = pool.upgrade() else { return };
        if pool.state().last_used.elapsed() < IDLE || !pool.server.is_usable() {
            return;
        }
        while let Some(slice) = pool.take_idle() {
            pool.server.slices.destroy(slice).await;
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

/// For the room that idle slices take.
impl Pool {
    /// How many slices nobody uses, and since when nobody has asked for one.
    pub(super) fn idle(&self) -> (usize, Instant) {
        let state = self.state();
        (state.ready.len(), state.last_used)
    }

    /// Takes a slice that nobody uses away.
    pub(super) fn take_idle(&self) -> Option<AnySlice> {
        let mut state = self.state();
        // What the busy hour needed isn't needed any more.
        state.peak = state.held;
        (!state.ready.is_empty()).then(|| state.ready.remove(0))
    }

    /// Whether there is nothing in it, and nobody wants anything of it.
    pub(super) fn is_deserted(&self) -> bool {
        self.is_idle() && self.state().ready.is_empty()
    }

    /// Whether nobody has or wants anything of it.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        state.held + state.coming + state.waiting.len() == 0 && !self.shared.initialized()
    }

    pub(super) fn template(&self) -> Option<&Fingerprint> {
        self.template.as_ref()
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
            let mut state = self.pool.state();
            state.held -= 1;
            state.coming += 1;
            drop(state);
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
    /// Its place on the server is somebody else's now.
    is_given_back: bool,
}

impl Held {
    pub(super) fn server(&self) -> &Arc<Server> {
        &self.pool.server
    }

    /// Gives a slice back that no test has used, together with its place on the server.
    pub(super) fn give_back(mut self) {
        self.is_given_back = true;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.slice.is_some() {
            self.pool.state().held -= 1;
        }
        // A dead server's slices are gone with it.
        if let Some(slice) = self.slice.take()
            && !self.last
            && self.pool.server.is_usable()
        {
            let server = self.pool.server.clone();
            if self.is_given_back {
                return self
                    .pool
                    .server
                    .spawn(async move { server.slices.destroy(slice).await });
            }
            self.pool.state().coming += 1;
            server.spawn(self.pool.clone().recycle(slice, self.used));
        }
    }
}
