//! Finds the supervisor, or starts it: this test binary, run again, with an environment variable that makes the attribute's
//! wrapper become the supervisor instead of running the test.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tokio::net::UnixStream;

use super::guest;
use crate::case::Case;
use crate::config::Config;
use crate::error::{Context, Error, Result};
use crate::home::Home;
use crate::os;
use crate::supervisor::{self, Settings};
use crate::wire::SUPERVISE;

/// How often the socket is tried while a supervisor starts.
pub(super) const TRY: Duration = Duration::from_millis(2);
/// After what time it is said that it is waited for.
const SLOW: Duration = Duration::from_secs(5);

/// A connection to the supervisor. `older` is a supervisor (its pid, its leases) that runs an older build and is ending.
pub(super) async fn connect(
    case: &'static Case,
    config: &Config,
    home: &Home,
    older: Option<(u32, usize)>,
) -> Result<UnixStream> {
    // An ending supervisor stops servers and waits for the tests that have leases.
    let deadline = Instant::now() + 2 * config.start_timeout;
    loop {
        let guest = guest::instead_of(home);
        if let Some(stream) = try_connect(guest.as_ref().unwrap_or(home)).await? {
            return Ok(stream);
        }
        if let Some(stream) = try_start(case, config, home).await? {
            return Ok(stream);
        }
        if Instant::now() > deadline {
            return Err(held(home, older));
        }
        tokio::time::sleep(TRY).await;
    }
}

/// Starts a supervisor if nobody runs or starts one.
async fn try_start(case: &'static Case, config: &Config, home: &Home) -> Result<Option<UnixStream>> {
    // Two threads that both find that this harness can't run one would each have a guest.
    static STARTING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _starting = STARTING.lock().await;
    if guest::instead_of(home).is_some() {
        return Ok(None);
    }
    match home.try_lock()? {
        Some(lock) => start(case, config, home, lock).await,
        None => Ok(None),
    }
}

pub(super) async fn try_connect(home: &Home) -> Result<Option<UnixStream>> {
    match UnixStream::connect(home.socket()).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound
                    | ErrorKind::ConnectionRefused
                    // An ending supervisor closes the door on those who stand in front of it.
                    | ErrorKind::ConnectionReset
                    | ErrorKind::WouldBlock
                    | ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error)
            .context(|| format!("failed to connect to the supervisor at {}", home.socket().display()))
            .map_err(|error| error.hint("remove that folder if it isn't itest's, or set ITEST_DIR to another")),
    }
}

fn held(home: &Home, older: Option<(u32, usize)>) -> Error {
    let lock = home.lock_path();
    match older {
        Some((pid, leases)) => Error::new(format!(
            "an older supervisor (pid {pid}) is still running, from before these tests were rebuilt; it ends when its \
             leases do, and had {leases} of them"
        ))
        .hint(format!(
            "wait until the other run has ended, or run `kill {pid}`; ITEST_START_TIMEOUT says how long to wait"
        )),
        None => Error::new(format!(
            "no supervisor listens at {}, and yet something holds the lock {}",
            home.socket().display(),
            lock.display()
        ))
        .log("the supervisor's last log lines", last_log_lines(home))
        .hint(format!(
            "see who holds it with `fuser {}`, and end that process",
            lock.display()
        )),
    }
}

pub(super) fn last_log_lines(home: &Home) -> Vec<String> {
    let log = fs::read(home.log()).unwrap_or_default();
    let lines: Vec<String> = String::from_utf8_lossy(&log).lines().map(str::to_owned).collect();
    lines[lines.len().saturating_sub(12)..].to_vec()
}

/// Starts a supervisor, which takes over the lock; in a process of its own if that works, else in this one. None if its time
/// was over before we came.
async fn start(case: &'static Case, config: &Config, home: &Home, lock: File) -> Result<Option<UnixStream>> {
    let settings = Settings::new(home, config)?;
    // A dead one may have left its mark.
    let _ = fs::remove_file(home.begun());
    let mut child = spawn(case, home, &settings, lock)?;
    let began = Instant::now();
    let mut is_said = false;
    loop {
        if let Some(stream) = try_connect(home).await? {
            return Ok(Some(stream));
        }
        let ended = child.try_wait().context(|| "failed to look after the supervisor")?;
        match ended.map(|status| status.code()) {
            Some(Some(supervisor::FAILED)) => {
                return Err(Error::new("the supervisor failed to start").log("it said", last_log_lines(home)));
            }
            Some(Some(supervisor::OVER)) => return Ok(None),
            Some(_) => break,
            None => {}
        }
        if began.elapsed() > SLOW && !is_said {
            eprintln!("itest: waiting for the supervisor (pid {}) to start", child.id());
            is_said = true;
        }
        if began.elapsed() > config.start_timeout {
            let has_begun = home.begun().is_file();
            let _ = child.kill();
            let _ = child.wait();
            if has_begun {
                return Err(slow(config, home));
            }
            // Whatever that process did all the time, it wasn't told to run the one test by which it would have begun.
            break;
        }
        tokio::time::sleep(TRY).await;
    }
    // The harness knows no `--exact`: nothing in that process became a supervisor.
    guest::start(case, config, home).await.map(Some)
}

fn slow(config: &Config, home: &Home) -> Error {
    let limit = humantime::format_duration(config.start_timeout);
    Error::new(format!("the supervisor did not listen within {limit}"))
        .log("it said", last_log_lines(home))
        .hint("set ITEST_START_TIMEOUT to more if this machine is slow")
}

fn spawn(case: &Case, home: &Home, settings: &Settings, lock: File) -> Result<Child> {
    let exe = os::own_program().context(|| "failed to find this test binary")?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(home.dir())
        .context(|| format!("failed to create {}", home.dir().display()))
        .map_err(|error| error.hint("remove what lies there, or set ITEST_DIR to another folder"))?;
    let log = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(home.log())
        .context(|| format!("failed to create {}", home.log().display()))?;
    let mut command = Command::new(&exe);
    command.args(["--exact", &case.harness_name(), "--nocapture", "--include-ignored"]);
    // PGOPTIONS and its kin are meant for the tests' connections, not for the supervisor's.
    let inherited = os::environment()
        .iter()
        .filter(|(name, _)| !name.as_encoded_bytes().starts_with(b"PG"));
    command.env_clear().envs(inherited.map(|(name, value)| (name, value)));
    command.env(SUPERVISE, settings.to_variable());
    #[cfg(feature = "docker")]
    command.envs(crate::provider::docker::environment(home));
    command.current_dir("/");
    // A build that measures coverage would leave its figures where the supervisor runs.
    if os::variable("LLVM_PROFILE_FILE").is_none() {
        command.env("LLVM_PROFILE_FILE", "/dev/null");
    }
    // nextest takes a test whose child holds its pipes for a leaky one. Stdin brings the lock.
    command
        .stdin(lock)
        .stderr(log.try_clone().context(|| "failed to duplicate the log's handle")?)
        .stdout(log);
    // nextest and shells send signals to whole process groups.
    os::own_session(&mut command);
    os::inherit_nothing(&mut command);
    command
        .spawn()
        .context(|| format!("failed to start {} as the supervisor", exe.display()))
}
