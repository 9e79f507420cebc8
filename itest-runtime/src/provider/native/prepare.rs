//! Makes a server's data folder: from what is kept, or from nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::find::Found;
use super::kept::Kept;
use super::user::ServerUser;
use crate::diagnosis::machine::FREE_SPACE;
use crate::error::{Context, Error, Result};
use crate::estate::Roots;
use crate::os::{self, Signal};
use crate::provider::recipe::{Place, Prepare};
use crate::spec::FingerprintBuilder;

/// Fills the data folder, with what an earlier server left if there is any; answers with the kept copy that it came from, if
/// it came from one.
pub(super) async fn prepare(
    prepare: &Prepare,
    server: &Found,
    place: &Place,
    user: ServerUser,
    roots: &Roots,
    lived_in: Option<&Kept>,
    fresh: &Kept,
) -> Result<Option<Kept>> {
    for kept in lived_in.into_iter().chain([fresh]).filter(|kept| kept.is_there()) {
        let (from, to) = (kept.clone(), place.data.clone());
        let copied = in_background(move || from.unpack(&to, user)).await;
        match copied {
            Ok(()) => return Ok(Some(kept.clone())),
            Err(error) if is_disk_full(&error.to_string()) => return Err(error.hint(FREE_SPACE)),
            // A copy that can't be read is made again.
            Err(error) => {
                tracing::warn!(%error, "dropping a prepared data folder");
                let _ = kept.remove();
                let _ = fs::remove_dir_all(&place.data);
            }
        }
    }
    run(prepare, server, place, user, roots).await?;
    let (from, kept) = (place.data.clone(), fresh.clone());
    if let Err(error) = in_background(move || kept.pack(&from)).await {
        tracing::warn!(%error, "failed to keep a prepared data folder");
    }
    Ok(None)
}

fn is_disk_full(said: &str) -> bool {
    said.contains("No space left")
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::new(error)))
}

/// What a prepared data folder is kept as.
pub(super) fn name_of(prepare: &Prepare, server: &Found) -> String {
    // The number goes up when what servers leave there means something else.
    let mut key = FingerprintBuilder::new("prepared 2");
    key.text(&server.said).bytes(server.real.as_os_str().as_encoded_bytes());
    for args in (prepare.tries)(Path::new("")) {
        key.json(&args);
    }
    format!("{}-{}", prepare.program, key.finish().short(16))
}

/// A program that is killed leaves what it has beside its folder, such as shared memory, and so do the servers that `initdb`
/// runs when their files vanish. So it is asked to end, and its folder stays until it has.
async fn run(prepare: &Prepare, server: &Found, place: &Place, user: ServerUser, roots: &Roots) -> Result<()> {
    if let Some(free) = super::free_bytes(&place.dir).filter(|free| *free < prepare.bytes) {
        return Err(Error::new(format!(
            "No space left on device: {} writes {} MB or more, and {} MB are free in {}",
            prepare.program,
            prepare.bytes >> 20,
            free >> 20,
            place.dir.display()
        ))
        .hint(FREE_SPACE));
    }
    // The folder isn't the server's user's before: nothing of ours is to be written there by its path any more.
    user.own(&place.dir)?;
    let beside = |folder: &String| server.real.with_file_name(folder).join(&prepare.program);
    let program = prepare.folders.iter().map(beside).find(|path| path.is_file());
    let program = program.unwrap_or_else(|| server.real.with_file_name(&prepare.program));
    let mut failure = Error::new(format!("there is no way to run {}", program.display()));
    for args in (prepare.tries)(&place.data) {
        let mut command = Command::new(&program);
        command.args(&args).current_dir(&place.dir).stdin(roots.hold()?);
        super::inherit_little(&mut command);
        user.apply(&mut command);
        os::die_with_parent(&mut command, Signal::TERM);
        os::inherit_nothing(&mut command);
        let output = tokio::process::Command::from(command)
            .output()
            .await
            .context(|| format!("failed to run {}", program.display()))
            .map_err(|error| user.explain(error, &program, &place.dir))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        failure = Error::new(format!("{} failed ({})", program.display(), output.status))
            .log("it said", said.lines().map(str::to_owned).collect());
        if is_disk_full(&said) {
            failure = failure.hint(FREE_SPACE);
        } else if said.contains("could not look up effective user ID") {
            failure = failure.hint(format!(
                "the user {} has no entry in the system's list of users, and {} wants one: add one to /etc/passwd, or give it one by \
                 nss_wrapper (LD_PRELOAD and NSS_WRAPPER_PASSWD are handed on), or take containers (ITEST_PROVIDER=docker)",
                rustix::process::geteuid().as_raw(),
                prepare.program
            ));
        }
        let _ = fs::remove_dir_all(&place.data);
    }
    Err(failure)
}
