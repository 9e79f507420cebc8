//! A supervisor within this process, for a test harness that can't be started again as one.
//!
//! It ends when this process does, and so do its servers: nobody else may rely on it. It therefore has a home of its own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::net::UnixStream;

use super::start::{TRY, last_log_lines, try_connect};
use crate::case::Case;
use crate::config::Config;
use crate::error::{Context, Error, Result};
use crate::home::Home;
use crate::supervisor::{self, Residence, Settings};

/// By the home in which a supervisor of everybody's would have lived.
static GUESTS: Mutex<BTreeMap<PathBuf, Home>> = Mutex::new(BTreeMap::new());

/// The home of this process's own supervisor, if it has one.
pub(super) fn instead_of(shared: &Home) -> Option<Home> {
    let guests = GUESTS.lock().unwrap_or_else(PoisonError::into_inner);
    guests.get(&shared.dir()).cloned()
}

/// Starts it, and clears the home where nobody moved in.
pub(super) async fn start(case: &'static Case, config: &Config, shared: &Home) -> Result<UnixStream> {
    eprintln!(
        "itest: this test harness can't run the supervisor, as it doesn't run the one test that `--exact` names: servers are \
         started for this process alone"
    );
    // A supervisor that was too slow has a janitor, which holds the lock until it has done the same. Ours would find it, too,
    // but may end with this process while it does so.
    if let Some(_lock) = shared.try_lock()? {
        let _ = fs::remove_dir_all(shared.dir());
        let _ = fs::remove_file(shared.lock_path());
    }
    let home = shared.of_this_process();
    let own = home
        .try_lock()?
        .ok_or_else(|| Error::new(format!("somebody holds the lock {}", home.lock_path().display())))?;
    fs::DirBuilder::new()
        .mode(0o700)
        .create(home.dir())
        .context(|| format!("failed to create {}", home.dir().display()))?;
    let settings = Settings::new(&home, config)?;
    let serving = std::thread::Builder::new()
        .name("itest-supervisor".to_owned())
        .spawn(move || {
            if let Err(error) = supervisor::serve(&settings, own, case, Residence::Guest) {
                eprintln!("the supervisor failed: {}", error.render());
            }
        })
        .context(|| "failed to start the supervisor's thread")?;
    let deadline = Instant::now() + config.start_timeout;
    let stream = loop {
        if let Some(stream) = try_connect(&home).await? {
            break stream;
        }
        if serving.is_finished() || Instant::now() > deadline {
            return Err(
                Error::new("the supervisor could be started neither as a process of its own nor in this one")
                    .log("it said", last_log_lines(&home)),
            );
        }
        tokio::time::sleep(TRY).await;
    };
    let mut guests = GUESTS.lock().unwrap_or_else(PoisonError::into_inner);
    guests.insert(shared.dir(), home);
    Ok(stream)
}
