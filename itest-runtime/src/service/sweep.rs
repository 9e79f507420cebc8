//! What supervisors make on somebody else's server, and who of them lives: several machines may use it at the same time.
//!
//! A supervisor is known by eight random digits, its *owner* ([`Endpoint::owner`](crate::provider::Endpoint)), which are in the name of all it
//! makes there. It gives a sign of life as long as it lives, by something that ends with it: a session of that name, a lock that a
//! session holds. A server that restarts ends them all. Each supervisor soon gives one again, so whoever seems dead is looked
//! at once more before anything of it is removed.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::error::{Error, Result};

/// How long a supervisor must have been seen without a sign of life. Those that live give one again within that time after the
/// server has started.
const GRACE: Duration = Duration::from_secs(5);

/// Somebody else's server, as far as what supervisors leave there goes.
pub trait Sweepable: Send + Sync + 'static {
    /// The supervisors that have left something, living or not.
    ///
    /// # Errors
    /// When the server doesn't say.
    fn owners(&self) -> impl Future<Output = Result<BTreeSet<String>>> + Send;

    /// Those of whom the server shows a sign of life: this one among them.
    ///
    /// # Errors
    /// When the server doesn't say.
    fn living(&self) -> impl Future<Output = Result<BTreeSet<String>>> + Send;

    /// Whether the server has run for that long without a break. By default that isn't known, and taken for granted.
    ///
    /// # Errors
    /// When the server doesn't say.
    fn has_run_for(&self, time: Duration) -> impl Future<Output = Result<bool>> + Send {
        let _ = time;
        async { Ok(true) }
    }

    /// Removes all that a supervisor made. What can't be removed stays for the next sweep.
    fn remove(&self, owner: &str) -> impl Future<Output = ()> + Send;
}

/// Removes what dead supervisors left, in the background: dropping a database may take a while, and no test has to wait for it.
pub struct Sweep(Mutex<Option<JoinHandle<()>>>);

impl fmt::Debug for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep").finish_non_exhaustive()
    }
}

impl Sweep {
    /// Nothing is to be removed.
    pub fn none() -> Self {
        Self(Mutex::new(None))
    }

    /// Begins; `own` is this supervisor.
    pub fn begin(server: Arc<impl Sweepable>, own: &str) -> Self {
        let own = own.to_owned();
        Self(Mutex::new(Some(tokio::spawn(async move {
            if let Err(error) = sweep(&*server, &own).await {
                tracing::warn!(%error, "what dead supervisors left stays on an external server");
            }
        }))))
    }

    /// Returns when it is done.
    pub async fn end(&self) {
        let sweep = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sweep) = sweep {
            let _ = sweep.await;
        }
    }
}

async fn sweep(server: &impl Sweepable, own: &str) -> Result<()> {
    let suspects = dead(server, own).await?;
    if suspects.is_empty() {
        return Ok(());
    }
    loop {
        tokio::time::sleep(GRACE).await;
        if server.has_run_for(GRACE).await? {
            break;
        }
    }
    let still = dead(server, own).await?;
    for owner in suspects.intersection(&still) {
        tracing::info!(owner, "removing what a dead supervisor left on an external server");
        server.remove(owner).await;
    }
    Ok(())
}

/// The supervisors that have left something, and give no sign of life.
async fn dead(server: &impl Sweepable, own: &str) -> Result<BTreeSet<String>> {
    let mut owners = server.owners().await?;
    owners.remove(own);
    if owners.is_empty() {
        return Ok(owners);
    }
    let living = server.living().await?;
    if !living.contains(own) {
        return Err(Error::new(
            "the server doesn't show that this supervisor lives, and may not show others that do",
        ));
    }
    Ok(owners.difference(&living).cloned().collect())
}

/// Whether a text is an owner's eight digits.
pub fn is_owner(text: &str) -> bool {
    text.len() == 8
        && text
            .chars()
            .all(|digit| digit.is_ascii_digit() || ('a'..='f').contains(&digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The owners of what is there, and at each look those that live; what was removed.
    struct Shelf {
        owners: &'static [&'static str],
        living: Mutex<Vec<&'static [&'static str]>>,
        runs: Mutex<Vec<bool>>,
        removed: Mutex<Vec<String>>,
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    impl Sweepable for Shelf {
        async fn owners(&self) -> Result<BTreeSet<String>> {
            Ok(set(self.owners))
        }

        async fn living(&self) -> Result<BTreeSet<String>> {
            Ok(set(self.living.lock().expect("no holder panics").remove(0)))
        }

        async fn has_run_for(&self, _: Duration) -> Result<bool> {
            Ok(self.runs.lock().expect("no holder panics").pop().unwrap_or(true))
        }

        async fn remove(&self, owner: &str) {
            self.removed.lock().expect("no holder panics").push(owner.to_owned());
        }
    }

    async fn swept(
        owners: &'static [&'static str],
        living: &[&'static [&'static str]],
        runs: &[bool],
    ) -> (Vec<String>, bool) {
        let shelf = Shelf {
            owners,
            living: Mutex::new(living.to_vec()),
            runs: Mutex::new(runs.to_vec()),
            removed: Mutex::default(),
        };
        let failed = sweep(&shelf, "own").await.is_err();
        (shelf.removed.into_inner().expect("no holder panics"), failed)
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_seems_dead_twice_is_removed() {
        let both = swept(&["own", "a", "b", "c"], &[&["own", "a"], &["own", "a", "b"]], &[]).await;
        assert_eq!(both, (vec!["c".to_owned()], false), "b was only slow");
        let none = swept(&["own", "a"], &[&["own", "a"]], &[]).await;
        assert_eq!(none, (vec![], false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_has_just_started_is_given_time() {
        let began = tokio::time::Instant::now();
        let late = swept(&["a"], &[&["own"], &["own", "a"]], &[true, false]).await;
        assert_eq!(late, (vec![], false));
        assert_eq!(began.elapsed(), 2 * GRACE);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_see_itself_removes_nothing() {
        assert_eq!(swept(&["a"], &[&[]], &[]).await, (vec![], true));
    }

    #[test]
    fn an_owner_is_eight_digits() {
        assert!(is_owner("0badcafe"));
        for other in ["0badcaf", "0badcafe1", "0BADCAFE", "0badcafg"] {
            assert!(!is_owner(other), "{other}");
        }
    }
}
