//! The life of one test, top to bottom.

mod body;

use std::any::Any;
use std::panic::resume_unwind;
use std::path::Path;
use std::time::Duration;

use body::{End, Limit, run_body};

use crate::case::{Case, Flavor};
use crate::client::Sessions;
use crate::config::Config;
use crate::diagnosis::{self, Diagnosis};
use crate::error::{Context, Error, Result};
use crate::inject::{Declared, HeldList, Holdings};
use crate::outcome::{Verdict, panic_text};
use crate::service::{TestContext, Used};
use crate::spec::FingerprintBuilder;
use crate::supervisor;
use crate::wire::{ExeStamp, SliceDiagnosis};

/// Runs one annotated test: `declare` makes the builders, `body` injects the parameters and calls the user's function.
///
/// # Panics
/// When the test fails: that is how a test harness learns of it.
pub fn run<D, B>(case: &'static Case, declare: impl Fn() -> D, mut body: B)
where
    D: Declared,
    B: AsyncFnMut(&D::Held) -> Result<Verdict>,
{
    supervisor::take_over_if_asked(case);
    let attempts = case.options.retries + 1;
    for attempt in 1..=attempts {
        let Err(failure) = run_attempt(case, declare(), &mut body) else {
            return;
        };
        let of = if attempts > 1 {
            format!(" (attempt {attempt} of {attempts})")
        } else {
            String::new()
        };
        eprint!("{}", diagnosis::render(&case.harness_name(), &of, &failure.diagnosis));
        if attempt == attempts {
            failure.raise();
        }
        std::thread::sleep(case.options.retry_delay);
    }
}

/// Runs the body of a test that isn't `async` on a thread of its own, so that runtime and timeout go on meanwhile.
pub async fn blocking<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(body).await {
        Ok(outcome) => outcome,
        Err(error) => resume_unwind(error.into_panic()),
    }
}

/// Runs a body that borrows from its wrapper, as rstest's cases may: on this thread. A timeout shows when it ends.
pub async fn blocking_here<T>(body: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(body)
}

struct Failure {
    diagnosis: Diagnosis,
    panic: Option<Box<dyn Any + Send>>,
}

impl Failure {
    fn raise(self) -> ! {
        // The message is printed already; the payload is what `#[should_panic(expected = …)]` compares.
        let message = self.diagnosis.failure.unwrap_or_default();
        resume_unwind(self.panic.unwrap_or_else(|| Box::new(message)))
    }
}

impl From<Error> for Box<Failure> {
    fn from(error: Error) -> Self {
        let diagnosis = Diagnosis {
            failure: Some(error.render()),
            ..Diagnosis::default()
        };
        Self::new(Failure { diagnosis, panic: None })
    }
}

fn run_attempt<D, B>(case: &'static Case, declared: D, body: &mut B) -> Result<(), Box<Failure>>
where
    D: Declared,
    B: AsyncFnMut(&D::Held) -> Result<Verdict>,
{
    let runtime = runtime(case)?;
    let outcome = runtime.block_on(live(case, declared, body));
    // A body that timed out may still block a thread: don't wait for it.
    runtime.shutdown_background();
    outcome
}

fn runtime(case: &Case) -> Result<tokio::runtime::Runtime> {
    let mut builder = match case.options.flavor {
        Flavor::CurrentThread => tokio::runtime::Builder::new_current_thread(),
        Flavor::MultiThread => tokio::runtime::Builder::new_multi_thread(),
    };
    if let Some(threads) = case.options.worker_threads {
        builder.worker_threads(threads);
    }
    builder
        .enable_all()
        .build()
        .context(|| "failed to make the test's runtime")
}

async fn live<D, B>(case: &'static Case, declared: D, body: &mut B) -> Result<(), Box<Failure>>
where
    D: Declared,
    B: AsyncFnMut(&D::Held) -> Result<Verdict>,
{
    let workspace = case.workspace_root();
    let config = Config::load(&workspace, || declared_services(case))?;
    let test = context_of(case, &config, &workspace);
    let (mut sessions, grants, order) = match Sessions::acquire(case, &config, &workspace, &test, &declared).await {
        Ok(acquired) => acquired,
        Err(error) => return Err(unserved(error, &declared)),
    };
    let holdings = Holdings::of(declared, &test, grants, order)?;

    let limit = Limit::of(case, &config);
    let mut seen = None;
    let look = async || seen = Some(sessions.diagnose().await);
    let end = run_body(body, &holdings.list, limit, look).await;
    if matches!(end, End::Failed { .. }) && seen.is_none() {
        // As the test left it, and not as its fixtures leave it.
        seen = Some(sessions.diagnose().await);
    }
    let torn_down = holdings.ledger.tear_down().await;
    let (end, used) = match end {
        End::Passed if torn_down.is_empty() => finish(&holdings).await,
        End::Passed => (End::failed(rendered(&torn_down)), Vec::new()),
        End::Failed { message, panic } => {
            let message = [message, Some(rendered(&torn_down)).filter(|text| !text.is_empty())];
            let message = message.into_iter().flatten().collect::<Vec<_>>().join("\n");
            let message = Some(message).filter(|text| !text.is_empty());
            (End::Failed { message, panic }, Vec::new())
        }
    };
    let keep = config.keep.filter(|_| !matches!(end, End::Passed));
    let outcome = match end {
        End::Passed => Ok(()),
        End::Failed { message, panic } => {
            let seen = match seen {
                Some(seen) => seen,
                None => sessions.diagnose().await,
            };
            let folder = keep.and(sessions.folder());
            let diagnosis = diagnose(message, panic.as_ref(), seen, &holdings, keep, folder);
            Err(Box::new(Failure { diagnosis, panic }))
        }
    };
    // Their connections end before the lease does: what must not be waited for need not be cut off.
    drop(holdings);
    sessions.close(used, keep).await;
    outcome
}

fn rendered(errors: &[Error]) -> String {
    errors.iter().map(Error::render).collect::<Vec<_>>().join("\n")
}

/// The names of all services that this binary's tests declare.
fn declared_services(own: &Case) -> Vec<&'static str> {
    own.declared().map(|driver| driver.name()).collect()
}

/// A failure to get slices may reveal a limit of the service, too.
fn unserved(error: Error, declared: &impl Declared) -> Box<Failure> {
    let mut failure = Box::<Failure>::from(error);
    let text = failure.diagnosis.failure.as_deref().unwrap_or_default();
    let hints = &mut failure.diagnosis.hints;
    declared.explain(text, hints);
    hints.extend(diagnosis::machine::hint(text).map(str::to_owned));
    failure
}

fn context_of(case: &Case, config: &Config, workspace: &Path) -> TestContext {
    let package = case.package_dir();
    // `file!()` is relative to the workspace, or to the package for packages that aren't in it.
    let candidates = [workspace.join(case.file), package.join(case.file)];
    let source = candidates.iter().find(|path| path.is_file()).unwrap_or(&candidates[0]);
    TestContext {
        test: case.harness_name(),
        package_dir: package,
        source_file: source.clone(),
        binary: FingerprintBuilder::new("binary").json(ExeStamp::own()).finish(),
        memory: Sessions::folder_of_the_common_one(config, workspace),
    }
}

/// Looks at each slice once more: what it says may still fail the test.
async fn finish(holdings: &Holdings<impl HeldList>) -> (End, Vec<Used>) {
    let mut used = Vec::new();
    for looked in holdings.finish().await {
        match looked {
            Ok(how) => used.push(how),
            Err(error) => return (End::failed(error.render()), Vec::new()),
        }
    }
    (End::Passed, used)
}

/// Collects all that is known, before the slices go.
fn diagnose(
    failure: Option<String>,
    panic: Option<&Box<dyn Any + Send>>,
    seen: Result<Vec<(usize, SliceDiagnosis)>>,
    holdings: &Holdings<impl HeldList>,
    keep: Option<Duration>,
    folder: Option<&Path>,
) -> Diagnosis {
    let commands = holdings.open_commands(folder);
    let text = failure
        .as_deref()
        .or_else(|| panic.and_then(|panic| panic_text(&**panic)));
    let hints = text.map(|text| holdings.explain(text)).unwrap_or_default();
    let (slices, unknown) = match seen {
        Ok(slices) => (
            slices
                .into_iter()
                .map(|(index, slice)| (commands[index].0.clone(), slice))
                .collect(),
            None,
        ),
        Err(error) => (Vec::new(), Some(error)),
    };
    Diagnosis {
        failure,
        fixtures: holdings.ledger.times(),
        slices,
        unknown,
        hints,
        kept: keep.map(|keep| (keep, commands)),
    }
}
