//! When a supervisor's time is over: no lease is open, no anchor lives, and it has lingered.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::os::ProcessId;

/// How often anchors are looked at. Their end can't be waited for: they aren't our children.
const LOOK: Duration = Duration::from_millis(100);
/// How long a new supervisor waits for its first lease.
const FIRST: Duration = Duration::from_secs(10);

pub(super) struct Lifetime {
    linger: Duration,
    state: Mutex<State>,
    drained: Notify,
}

#[derive(Debug)]
struct State {
    leases: usize,
    anchors: HashSet<ProcessId>,
    /// Slices of failed tests are kept until then.
    kept_until: Option<Instant>,
    /// Since when there is neither a lease nor an anchor, and how long that may last.
    idle_since: Instant,
    patience: Duration,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// A newer build takes over: those who have a lease may end it.
    Draining,
    /// Whoever comes now finds the next supervisor.
    Closed,
}

impl State {
    fn is_over(&mut self, now: Instant, is_alive: impl Fn(ProcessId) -> bool) -> bool {
        self.anchors.retain(|anchor| is_alive(*anchor));
        let kept = self.kept_until.is_some_and(|until| now < until);
        if self.leases > 0 || !self.anchors.is_empty() || kept {
            self.idle_since = now;
            return false;
        }
        now.duration_since(self.idle_since) >= self.patience
    }
}

impl Lifetime {
    pub(super) fn new(linger: Duration) -> Self {
        let state = State {
            leases: 0,
            anchors: HashSet::new(),
            kept_until: None,
            idle_since: Instant::now(),
            patience: FIRST.max(linger),
            phase: Phase::Open,
        };
        Self {
            linger,
            state: Mutex::new(state),
            drained: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a lease for as long as the answer lives. None: it is too late for another one.
    pub(super) fn begin_lease(&self, anchor: ProcessId) -> Option<OpenLease<'_>> {
        let mut state = self.state();
        if state.phase != Phase::Open {
            return None;
        }
        state.leases += 1;
        state.patience = self.linger;
        state.anchors.insert(anchor);
        Some(OpenLease(self))
    }

    pub(super) fn leases(&self) -> usize {
        self.state().leases
    }

    pub(super) fn keep_until(&self, until: Instant) {
        let mut state = self.state();
        state.kept_until = state.kept_until.max(Some(until));
    }

    /// Ends the supervisor with its last lease.
    pub(super) fn drain(&self) {
        self.state().phase = Phase::Draining;
        self.drained.notify_one();
    }

    /// Returns when somebody called [`Self::drain`].
    pub(super) async fn drained(&self) {
        self.drained.notified().await;
    }

    /// Returns when no lease is open that is waited for.
    pub(super) async fn last_lease_if_draining(&self) {
        while self.state().phase == Phase::Draining && self.leases() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Returns when the supervisor's time is over.
    pub(super) async fn over(&self) {
        let mut look = tokio::time::interval(LOOK);
        loop {
            look.tick().await;
            let mut state = self.state();
            if state.is_over(Instant::now(), ProcessId::is_alive) {
                state.phase = Phase::Closed;
                return;
            }
        }
    }
}

pub(super) struct OpenLease<'a>(&'a Lifetime);

impl Drop for OpenLease<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.leases -= 1;
        state.idle_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANCHOR: ProcessId = ProcessId { pid: 1, start: 1 };

    fn state(now: Instant) -> State {
        State {
            leases: 0,
            anchors: HashSet::new(),
            kept_until: None,
            idle_since: now,
            patience: Duration::from_secs(30),
            phase: Phase::Open,
        }
    }

    #[test]
    fn it_lingers_and_then_ends() {
        let now = Instant::now();
        let mut state = state(now);
        assert!(!state.is_over(now + Duration::from_secs(29), |_| false));
        assert!(state.is_over(now + Duration::from_secs(30), |_| false));
    }

    #[test]
    fn between_two_tests_the_anchor_holds_it() {
        let now = Instant::now();
        let mut state = State {
            anchors: HashSet::from([ANCHOR]),
            ..state(now)
        };
        assert!(!state.is_over(now + Duration::from_hours(1), |_| true));
        let gone = now + Duration::from_secs(3601);
        assert!(!state.is_over(gone, |_| false));
        assert!(state.is_over(gone + Duration::from_secs(30), |_| false));
    }

    #[test]
    fn a_lease_or_a_kept_slice_holds_it() {
        let now = Instant::now();
        let late = now + Duration::from_secs(100);
        assert!(
            !State {
                leases: 1,
                ..state(now)
            }
            .is_over(late, |_| false)
        );
        assert!(
            !State {
                kept_until: Some(late + LOOK),
                ..state(now)
            }
            .is_over(late, |_| false)
        );
    }
}
