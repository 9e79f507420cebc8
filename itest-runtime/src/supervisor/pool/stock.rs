//! How many slices there are: some are made ahead of need, and what nobody wants goes.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::{Pool, State};
use crate::service::AnySlice;
use crate::spec::Fingerprint;

/// How long a slice that others may need waits for the next test.
const IDLE: Duration = Duration::from_secs(1);

impl State {
    fn is_short(&self, spare: usize) -> bool {
        self.held + self.ready.len() + self.coming < self.peak + spare
    }
}

impl Pool {
    /// Makes slices ahead of need, one after the other, while there are too few and nobody waits for one; not before the
    /// second test has come, as the first may be the only one.
    pub(super) fn stock_up(self: &Arc<Self>) {
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

    /// Gives a slice back that nobody here has wanted for a while, where others may.
    pub(super) async fn let_go(pool: Weak<Self>) {
        tokio::time::sleep(IDLE).await;
        let Some(pool) = pool.upgrade() else { return };
        if pool.state().last_used.elapsed() < IDLE || !pool.server.is_usable() {
            return;
        }
        while let Some(slice) = pool.take_idle() {
            pool.server.slices.destroy(slice).await;
        }
    }
}

/// For the room that idle slices take.
impl Pool {
    /// How many slices nobody uses, and since when nobody has asked for one.
    pub(crate) fn idle(&self) -> (usize, Instant) {
        let state = self.state();
        (state.ready.len(), state.last_used)
    }

    /// Takes a slice that nobody uses away.
    pub(crate) fn take_idle(&self) -> Option<AnySlice> {
        let mut state = self.state();
        // What the busy hour needed isn't needed any more.
        state.peak = state.held;
        (!state.ready.is_empty()).then(|| state.ready.remove(0))
    }

    /// Whether there is nothing in it, and nobody wants anything of it.
    pub(crate) fn is_deserted(&self) -> bool {
        self.is_idle() && self.state().ready.is_empty()
    }

    /// Whether nobody has or wants anything of it.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state();
        state.held + state.coming + state.waiting.len() == 0 && !self.shared.initialized()
    }

    pub(crate) fn template(&self) -> Option<&Fingerprint> {
        self.template.as_ref()
    }
}
