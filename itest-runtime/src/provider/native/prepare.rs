//! Makes a server's data folder, and keeps a copy for the next time: `initdb` takes 0.6 to 1 s, copying 0.1 s.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::find::Found;
use super::user::ServerUser;
use crate::error::{Context, Error, Result};
use crate::naming::random_hex;
use crate::os::{self, Signal};
use crate::provider::recipe::{Place, Prepare};
use crate::spec::FingerprintBuilder;

const FREE_SPACE: &str = "free some space, or set ITEST_DATA_DIR to a folder that has it (256 MB are plenty)";

/// How the ending of a copy begins that isn't complete.
const DRAFT: &str = "draft-";
/// No copy takes that long.
const OLD: Duration = Duration::from_mins(10);

/// Fills the data folder; answers with the kept copy that it came from, if it came from one.
pub(super) async fn prepare(
    prepare: &Prepare,
    server: &Found,
    place: &Place,
    user: ServerUser,
    cache_dir: &Path,
) -> Result<Option<PathBuf>> {
    let kept = cache_dir.join(format!("{}-{}", prepare.program, key(prepare, server)));
    let (from, to) = (kept.clone(), place.data.clone());
    if kept.is_dir() {
        let copied = in_background(move || copy(&from, &to, user)).await;
        match copied {
            Ok(()) => return Ok(Some(kept)),
            Err(error) if is_disk_full(&error.to_string()) => return Err(error.hint(FREE_SPACE)),
            // A copy that can't be read is made anew.
            Err(error) => {
                tracing::warn!(%error, "dropping a prepared data folder");
                let _ = fs::remove_dir_all(&kept);
                let _ = fs::remove_dir_all(&place.data);
            }
        }
    }
    run(prepare, server, place, user).await?;
    let from = place.data.clone();
    let keep = in_background(move || keep(&from, &kept)).await;
    if let Err(error) = keep {
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

fn key(prepare: &Prepare, server: &Found) -> String {
    let mut key = FingerprintBuilder::new("prepared");
    key.text(&server.said).bytes(server.real.as_os_str().as_encoded_bytes());
    for args in (prepare.tries)(Path::new("")) {
        key.json(&args);
    }
    key.finish().short(16).to_owned()
}

async fn run(prepare: &Prepare, server: &Found, place: &Place, user: ServerUser) -> Result<()> {
    let program = server.real.with_file_name(&prepare.program);
    let mut failure = Error::new(format!("there is no way to run {}", program.display()));
    for args in (prepare.tries)(&place.data) {
        let mut command = Command::new(&program);
        // The supervisor's own stdin is its lock.
        command.args(&args).current_dir(&place.dir).stdin(Stdio::null());
        super::inherit_little(&mut command);
        user.apply(&mut command);
        os::die_with_parent(&mut command, Signal::KILL);
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
        }
        let _ = fs::remove_dir_all(&place.data);
    }
    Err(failure)
}

/// Puts a copy into the cache at once or not at all: several supervisors may do so at a time.
fn keep(data: &Path, kept: &Path) -> Result<()> {
    let folder = kept.parent().expect("a kept copy lies in the cache folder");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .context(|| folder.display().to_string())?;
    remove_old_drafts(folder);
    let draft = kept.with_extension(DRAFT.to_owned() + &random_hex(4));
    let done = copy(data, &draft, ServerUser::Own)
        .and_then(|()| fs::rename(&draft, kept).context(|| kept.display().to_string()));
    if done.is_err() {
        let _ = fs::remove_dir_all(&draft);
    }
    done
}

/// A supervisor that was killed while it copied leaves its draft.
fn remove_old_drafts(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let drafts = entries.filter(|entry| {
        let path = entry.path();
        let is_draft = path
            .extension()
            .is_some_and(|end| end.to_string_lossy().starts_with(DRAFT));
        let made = entry.metadata().and_then(|metadata| metadata.modified());
        is_draft && made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > OLD))
    });
    for draft in drafts {
        let _ = fs::remove_dir_all(draft.path());
    }
}

fn copy(from: &Path, to: &Path, user: ServerUser) -> Result<()> {
    let failed = || format!("failed to copy {} to {}", from.display(), to.display());
    fs::DirBuilder::new().mode(0o700).create(to).context(failed)?;
    user.own(to)?;
    for entry in fs::read_dir(from).context(failed)? {
        let entry = entry.context(failed)?;
        let target = to.join(entry.file_name());
        if entry.file_type().context(failed)?.is_dir() {
            copy(&entry.path(), &target, user)?;
        } else {
            fs::copy(entry.path(), &target).context(failed)?;
            fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).context(failed)?;
            user.own(&target)?;
        }
    }
    Ok(())
}
