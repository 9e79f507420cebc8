//! Seats: where a server has no more slices than a few, who may have one.
//!
//! A test takes the seats of all its slices on a server together, and those of several servers in the order of their keys:
//! nobody holds what another waits for while it waits for what that one holds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::server::Server;
use crate::error::{Error, Result};
use crate::spec::Fingerprint;

/// How long to wait while nobody gives a seat back.
const PATIENCE: Duration = Duration::from_mins(10);

/// The seats of one server.
pub(super) struct Seats {
    most: usize,
    free: Arc<Semaphore>,
    /// Who has how many.
    holders: Mutex<BTreeMap<String, usize>>,
    given_back: watch::Sender<()>,
}

/// One test's seats: they are free again when this is dropped.
pub(super) struct Seat {
    of: Arc<Seats>,
    test: String,
    seats: usize,
    _permit: tokio::sync::OwnedSemaphorePermit,
}

impl Seats {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            free: Arc::new(Semaphore::new(most)),
            holders: Mutex::default(),
            given_back: watch::Sender::new(()),
        })
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    fn holders(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many seats, together. `say` hears for whom a test waits.
    ///
    /// # Errors
    /// When there aren't that many at all, or nobody gives one back for a long time.
    pub(super) async fn take<F: Future<Output = ()>>(
        self: &Arc<Self>,
        service: &str,
        test: &str,
        seats: usize,
        say: impl FnOnce(String) -> F,
    ) -> Result<Seat> {
        if seats > self.most {
            return Err(Error::new(format!(
                "the test asks for {seats} slices of {service} at once, and this server has {} at most",
                self.most
            ))
            .hint(format!(
                "use one slice for several purposes, or `{service}(dedicated)` for one of them"
            ))
            .permanent());
        }
        let wanted = u32::try_from(seats).unwrap_or(u32::MAX);
        let permit = match self.free.clone().try_acquire_many_owned(wanted) {
            Ok(permit) => permit,
            Err(_) => {
                say(self.waits_for(service, seats)).await;
                self.wait(service, seats, wanted).await?
            }
        };
        *self.holders().entry(test.to_owned()).or_default() += seats;
        Ok(Seat {
            of: self.clone(),
            test: test.to_owned(),
            seats,
            _permit: permit,
        })
    }

    async fn wait(&self, service: &str, seats: usize, wanted: u32) -> Result<tokio::sync::OwnedSemaphorePermit> {
        let mut given_back = self.given_back.subscribe();
        let mut permit = std::pin::pin!(self.free.clone().acquire_many_owned(wanted));
        loop {
            tokio::select! {
                biased;
                permit = &mut permit => return permit.map_err(|_| Error::new(format!("the {service} server was given up"))),
                Ok(()) = given_back.changed() => {}
                () = tokio::time::sleep(PATIENCE) => return Err(Error::new(format!(
                    "{}, and none was given back for {}",
                    self.waits_for(service, seats),
                    humantime::format_duration(PATIENCE)
                ))
                .hint("does one of these tests hang? `timeout` in the attribute, or ITEST_TIMEOUT, ends it")),
            }
        }
    }

    fn waits_for(&self, service: &str, seats: usize) -> String {
        let holders: Vec<String> = self.holders().keys().cloned().collect();
        let held_by = if holders.is_empty() {
            "others wait for them, too".to_owned()
        } else {
            format!("held by {}", holders.join(", "))
        };
        let what = if seats == 1 {
            "a slice".to_owned()
        } else {
            format!("{seats} slices")
        };
        format!(
            "waiting for {what} of {service}, of which the server has {} at most: {held_by}",
            self.most
        )
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut holders = self.of.holders();
        if let Some(seats) = holders.get_mut(&self.test) {
            *seats -= self.seats;
            if *seats == 0 {
                holders.remove(&self.test);
            }
        }
        drop(holders);
        self.of.given_back.send_replace(());
    }
}

/// Seats, and the server that they are on.
type Taken = (Arc<Server>, Arc<Seat>);

/// In which order one test takes its seats: by the keys of the servers.
pub(super) struct Order {
    servers: Vec<(Fingerprint, usize)>,
    /// Up to which server the seats are taken, or not needed.
    state: watch::Sender<Vec<bool>>,
    taken: Vec<tokio::sync::Mutex<Option<Taken>>>,
}

impl Order {
    pub(super) fn of(keys: impl Iterator<Item = Fingerprint>) -> Self {
        let mut servers: BTreeMap<Fingerprint, usize> = BTreeMap::new();
        for key in keys {
            *servers.entry(key).or_default() += 1;
        }
        Self {
            state: watch::Sender::new(vec![false; servers.len()]),
            taken: servers.iter().map(|_| tokio::sync::Mutex::default()).collect(),
            servers: servers.into_iter().collect(),
        }
    }

    /// The seats of all the test's slices on this server; none where it has slices enough.
    pub(super) async fn seat<F: Future<Output = ()>>(
        &self,
        server: &Arc<Server>,
        key: &Fingerprint,
        test: &str,
        say: impl FnOnce(String) -> F,
    ) -> Result<Option<Arc<Seat>>> {
        let place = self
            .servers
            .iter()
            .position(|(other, _)| other == key)
            .unwrap_or_default();
        let done = || self.state.send_modify(|done| done[place] = true);
        let Some(seats) = &server.seats else {
            done();
            return Ok(None);
        };
        let before = |done: &Vec<bool>| done[..place].iter().all(|done| *done);
        let mut state = self.state.subscribe();
        // An error would say that the order is gone, and we have it.
        let _ = state.wait_for(before).await;
        let mut taken = self.taken[place].lock().await;
        if let Some((of, seat)) = &*taken
            && Arc::ptr_eq(of, server)
        {
            return Ok(Some(seat.clone()));
        }
        let wanted = self.servers[place].1;
        let seat = Arc::new(seats.take(&server.service, test, wanted, say).await?);
        *taken = Some((server.clone(), seat.clone()));
        done();
        Ok(Some(seat))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn silent(_: String) {}

    #[tokio::test]
    async fn two_tests_that_need_two_of_three_follow_each_other() {
        let seats = Seats::new(3);
        let first = seats.take("redis", "first", 2, silent).await.expect("free");
        let other = seats.clone();
        let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
        let second = tokio::spawn(async move {
            let say = |text| async move { told.send(text).expect("heard") };
            other.take("redis", "second", 2, say).await
        });
        let said = tells.recv().await.expect("it is said");
        assert!(
            said.contains("2 slices of redis") && said.contains("held by first"),
            "{said}"
        );
        assert!(!second.is_finished());
        drop(first);
        second.await.expect("no panic").expect("free now");
    }

    #[tokio::test]
    async fn more_than_there_are_is_an_error_at_once() {
        let refused = Seats::new(3).take("redis", "greedy", 4, silent).await;
        let said = refused.err().expect("refused").render();
        assert!(
            said.contains("4 slices of redis") && said.contains("3 at most"),
            "{said}"
        );
    }
}
