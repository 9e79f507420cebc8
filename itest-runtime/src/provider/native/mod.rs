//! Native: a throw-away server process from the binaries on this machine.

mod find;
mod kept;
mod prepare;
mod user;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::log::Log;
use super::recipe::{DeathSignal, NativeRecipe, Place};
use super::{Ask, Recipe};
use crate::error::{Context, Error, Result};
use crate::estate::{DATA, SEGMENT, remove_segment};
use crate::naming::random_hex;
use crate::os::{self, ProcessId, Signal};
use crate::spec::NativeWish;
use kept::Kept;
use user::ServerUser;

/// The shortest limit on the path of a Unix socket among the systems we run on (macOS: 104 with the final zero).
const SOCKET_PATH_LIMIT: usize = 103;
/// How long a server may take to put its data in order.
const IN_ORDER: Duration = Duration::from_secs(10);
/// Room for the socket's own name, such as `/.s.PGSQL.65535`.
const SOCKET_NAME_ROOM: usize = 16;

/// A server process that this supervisor started.
#[derive(Debug)]
pub(crate) struct NativeServer {
    process: Option<ProcessId>,
    pid: u32,
    place: Place,
    log: Log,
    stop_signal: Signal,
    ended: watch::Receiver<Option<End>>,
    prepared: Option<Kept>,
    /// How its data comes to be worth being kept, and where.
    keep: Option<(Signal, Kept)>,
}

/// How a process ended.
#[derive(Debug, Clone)]
struct End {
    how: String,
    in_order: bool,
}

/// Takes the native recipe, if there is one.
pub(crate) fn recipe_of(name: &str, recipe: Recipe) -> Result<NativeRecipe> {
    recipe.native.ok_or_else(|| {
        Error::new(format!(
            "`{name}` can't run as a process of this machine: it has no native recipe"
        ))
        .hint(format!(
            "set ITEST_{}_URL for the external provider",
            name.to_uppercase()
        ))
    })
}

/// Starts a process. Whether it is ready is for the service to find out.
pub(crate) async fn start(ask: &Ask<'_>, recipe: NativeRecipe, wish: &NativeWish) -> Result<(NativeServer, Place)> {
    let (name, around) = (ask.name, ask.around);
    let program = find::find(name, &recipe.program, wish.bin.as_deref()).await?;
    let user = ServerUser::choose(recipe.refuses_root, around.server_user.as_deref())?;
    let dir = create_dir(&around.roots.data_root(wish.data_dir.as_deref())?, name)?;
    let mut ports = os::free_ports("127.0.0.1", 1 + recipe.ports.len())
        .context(|| "failed to find a free port on 127.0.0.1")?
        .into_iter();
    let port = ports.next().unwrap_or_default();
    let place = Place {
        data: dir.join(DATA),
        dir,
        port,
        ports: recipe.ports.iter().copied().zip(ports).collect(),
        password: random_hex(24),
        version: program.version.major(),
    };
    let (prepared, keep) = match &recipe.prepare {
        Some(prepare) => {
            let fresh = Kept::new(&around.cache_dir, &prepare::name_of(prepare, &program));
            let keep = recipe.keep_signal.zip(ask.keep_as);
            let keep = keep.map(|(signal, name)| (signal_of(signal), fresh.with(name)));
            let lived_in = keep.as_ref().map(|(_, kept)| kept);
            (
                prepare::prepare(prepare, &program, &place, user, &around.roots, lived_in, &fresh).await?,
                keep,
            )
        }
        None => {
            create_private_dir(&place.data)?;
            user.own(&place.data)?;
            (None, None)
        }
    };
    user.own(&place.dir)?;
    let launch = (recipe.launch)(&place);
    for (path, contents) in &launch.files {
        write_private_file(&place.dir.join(path), contents, user)?;
    }
    if let Some(segment) = &recipe.segment {
        let written = serde_json::to_string(segment).context(|| "a segment's file has no JSON form")?;
        write_private_file(&place.dir.join(SEGMENT), &written, user)?;
    }
    let log = Log::new(place.dir.join("server.log"));
    let mut command = Command::new(&program.path);
    inherit_little(&mut command);
    command
        .args(&launch.args)
        .envs(launch.env.iter().map(|(key, value)| (key, value)));
    command.current_dir(&place.dir).stdin(Stdio::null());
    let output = log.create()?;
    user.own_open(&output, log.path())?;
    command
        .stderr(output.try_clone().context(|| "failed to duplicate the log's handle")?)
        .stdout(output);
    command.process_group(0);
    user.apply(&mut command);
    // After the change of user, which clears the signal; std applies ids before these hooks.
    os::die_with_parent(&mut command, signal_of(recipe.death_signal));
    os::inherit_nothing(&mut command);
    let mut child = tokio::process::Command::from(command)
        .spawn()
        .context(|| format!("failed to start {}", program.path.display()))
        .map_err(|error| user.explain(error, &program.path, &place.dir))?;
    let pid = child.id().unwrap_or_default();
    let (tell, ended) = watch::channel(None);
    tokio::spawn(async move {
        let status = child.wait().await;
        let in_order = status.as_ref().is_ok_and(ExitStatus::success);
        let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        tell.send_replace(Some(End { how, in_order }));
    });
    let server = NativeServer {
        process: ProcessId::of(pid),
        pid,
        place: place.clone(),
        log,
        stop_signal: signal_of(recipe.death_signal),
        ended,
        prepared,
        keep,
    };
    Ok((server, place))
}

impl NativeServer {
    /// How much room is left where its data lies.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        free_bytes(&self.place.data)
    }

    pub(crate) fn process(&self) -> Option<ProcessId> {
        self.process
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    pub(crate) async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(end) => end.as_ref().map(|end| end.how.clone()).unwrap_or_default(),
            Err(_) => "it is not known how".to_owned(),
        }
    }

    /// Drops the prepared data that this server started from: it may be what is wrong with it.
    pub(crate) fn distrust_prepared(&self) -> bool {
        self.prepared.as_ref().is_some_and(|kept| kept.remove().is_ok())
    }

    pub(crate) fn may_be_kept(&self) -> bool {
        self.keep.is_some() && self.ended.borrow().is_none()
    }

    /// Has the server put its data in order, and keeps that for later ones.
    pub(crate) async fn stop_and_keep(&self) {
        if let Some((signal, keep)) = &self.keep
            && self.ended.borrow().is_none()
        {
            os::send_signal(self.pid, *signal);
            let _ = tokio::time::timeout(IN_ORDER, self.ended()).await;
            let in_order = self.ended.borrow().as_ref().is_some_and(|end| end.in_order);
            let (keep, data) = (keep.clone(), self.place.data.clone());
            let kept = tokio::task::spawn_blocking(move || if in_order { keep.pack(&data) } else { Ok(()) });
            if let Ok(Err(error)) = kept.await {
                tracing::warn!(%error, "a server's data was not kept");
            }
        }
        self.stop().await;
    }

    pub(crate) async fn stop(&self) {
        if self.ended.borrow().is_none() {
            os::send_signal(self.pid, self.stop_signal);
            if tokio::time::timeout(Duration::from_secs(5), self.ended())
                .await
                .is_err()
            {
                os::send_signal(self.pid, Signal::KILL);
                self.ended().await;
            }
        }
        let dir = self.place.dir.clone();
        let clean = move || {
            remove_segment(&dir);
            fs::remove_dir_all(dir)
        };
        let _ = tokio::task::spawn_blocking(clean).await;
    }
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}

/// A server may run as another user, who has no business with the secrets in this process's environment.
fn inherit_little(command: &mut Command) {
    const INHERITED: [&str; 8] = [
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "TMPDIR",
        "TZ",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
    ];
    /// How a user without an entry in the system's list is given one.
    const NAMED: [&str; 3] = ["LD_PRELOAD", "NSS_WRAPPER_PASSWD", "NSS_WRAPPER_GROUP"];
    command.env_clear();
    let named = NAMED.iter().filter(|_| os::variable("NSS_WRAPPER_PASSWD").is_some());
    command.envs(
        INHERITED
            .iter()
            .chain(named)
            .filter_map(|name| Some((name, os::variable(name)?))),
    );
}

fn signal_of(signal: DeathSignal) -> Signal {
    match signal {
        DeathSignal::Term => Signal::TERM,
        DeathSignal::Int => Signal::INT,
        DeathSignal::Quit => Signal::QUIT,
        DeathSignal::Kill => Signal::KILL,
    }
}

fn create_dir(root: &Path, name: &str) -> Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let dir = root.join(format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    if dir.as_os_str().len() + SOCKET_NAME_ROOM > SOCKET_PATH_LIMIT {
        return Err(Error::new(format!(
            "the path {} is too long for a Unix socket in it",
            dir.display()
        ))
        .hint("set ITEST_DATA_DIR to a folder with a shorter path"));
    }
    create_private_dir(&dir)?;
    Ok(dir)
}

fn create_private_dir(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .mode(0o700)
        .create(path)
        .context(|| format!("failed to create {}", path.display()))
}

fn write_private_file(path: &Path, contents: &str, user: ServerUser) -> Result<()> {
    let write = || -> std::io::Result<fs::File> {
        let mut file = fs::OpenOptions::new()
            // The folder is the server's user's: a link that it put there isn't followed.
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(contents.as_bytes())?;
        Ok(file)
    };
    let written = write().context(|| format!("failed to write {}", path.display()))?;
    user.own_open(&written, path)
}
