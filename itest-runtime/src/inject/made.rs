//! The fixtures of one test: each is made when it is first asked for, and taken down after the test, the last one first.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::OnceCell;

use super::ask::make_all;
use super::fixture::Fixture;
use super::list::Declared;
use super::part::BoxFuture;
use crate::error::{Error, Result};
use crate::outcome::panicked;

/// After what time a fixture that isn't ready is told of.
const SLOW: Duration = Duration::from_secs(5);

/// A fixture of one test, and its value once it is made. Equal ones are one.
pub struct Made<F: Fixture>(Rc<Inner<F>>);

struct Inner<F: Fixture> {
    label: String,
    fixture: F,
    needs: <F::Needs as Declared>::Held,
    making: OnceCell<Result<()>>,
    value: RefCell<Option<Arc<F::Value>>>,
    stage: Cell<Stage>,
    ledger: Rc<Ledger>,
}

/// How far a fixture is.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Untouched,
    BeingMade(Instant),
    Made(Duration),
    Failed(Duration),
}

impl<F: Fixture> Clone for Made<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F: Fixture> fmt::Debug for Made<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made")
            .field("label", &self.0.label)
            .finish_non_exhaustive()
    }
}

impl<F: Fixture> Made<F> {
    /// A fixture that isn't made yet; the ledger knows of it from now on.
    pub(super) fn new(label: String, fixture: F, needs: <F::Needs as Declared>::Held, ledger: &Rc<Ledger>) -> Self {
        let made = Self(Rc::new(Inner {
            label,
            fixture,
            needs,
            making: OnceCell::new(),
            value: RefCell::new(None),
            stage: Cell::new(Stage::Untouched),
            ledger: ledger.clone(),
        }));
        ledger.all.borrow_mut().push(Rc::new(made.clone()));
        made
    }

    /// Whether it is what this one would be.
    pub(super) fn is_of(&self, fixture: &F) -> bool {
        self.0.fixture == *fixture
    }

    pub(super) fn label(&self) -> &str {
        &self.0.label
    }

    pub(super) fn needs(&self) -> &<F::Needs as Declared>::Held {
        &self.0.needs
    }

    pub(super) fn address(&self) -> usize {
        Rc::as_ptr(&self.0).addr()
    }

    /// The value, made when it is first asked for, after all that it needs.
    pub(super) async fn get(&self) -> Result<Arc<F::Value>> {
        let inner = &self.0;
        let made = inner.making.get_or_init(|| async {
            make_all(&inner.needs).await?;
            let value = self.make().await?;
            *inner.value.borrow_mut() = Some(value);
            inner.ledger.made.borrow_mut().push(Rc::new(self.clone()));
            Ok(())
        });
        made.await.clone()?;
        let value = inner.value.borrow().clone();
        value.ok_or_else(|| Error::new(format!("the fixture `{}` is taken down already", inner.label)))
    }

    async fn make(&self) -> Result<Arc<F::Value>> {
        let inner = &self.0;
        let began = Instant::now();
        inner.stage.set(Stage::BeingMade(began));
        let making = AssertUnwindSafe(inner.fixture.make(&inner.needs)).catch_unwind();
        let made = told(making, || format!("the fixture `{}` is being made", inner.label)).await;
        let took = began.elapsed();
        let failed = |error: Error| {
            inner.stage.set(Stage::Failed(took));
            error.context(format!("the fixture `{}` failed", inner.label))
        };
        let value = made.unwrap_or_else(|panic| Err(panicked(&*panic))).map_err(failed)?;
        inner.stage.set(Stage::Made(took));
        Ok(value)
    }
}

/// Says every few seconds that something goes on. A clock that is paused jumps: it is the wall's time that counts.
async fn told<T>(future: impl Future<Output = T>, what: impl Fn() -> String) -> T {
    let mut future = std::pin::pin!(future);
    // What has nothing to wait for needs no clock.
    if let Poll::Ready(ended) = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
        return ended;
    }
    // On the heap: a clock is large.
    let waiting = Box::pin(async {
        let (began, mut next) = (Instant::now(), SLOW);
        loop {
            if let Ok(ended) = tokio::time::timeout(SLOW, &mut future).await {
                return ended;
            }
            if began.elapsed() >= next {
                eprintln!("itest: {}, for {} s", what(), began.elapsed().as_secs());
                next += SLOW;
            }
        }
    });
    waiting.await
}

/// What is known of all fixtures of one test.
#[derive(Default)]
pub(crate) struct Ledger {
    all: RefCell<Vec<Rc<dyn AnyFixture>>>,
    /// In the order in which they were ready.
    made: RefCell<Vec<Rc<dyn AnyFixture>>>,
}

impl Ledger {
    /// Takes down all that was made, the last one first; tells what went wrong.
    pub(crate) async fn tear_down(&self) -> Vec<Error> {
        let mut failures = Vec::new();
        while let Some(fixture) = self.pop() {
            failures.extend(fixture.tear_down().await.err());
        }
        failures
    }

    /// Lets go of all: the fixtures know the ledger, as it knows them.
    pub(super) fn clear(&self) {
        let (all, made) = (self.all.take(), self.made.take());
        drop((all, made));
    }

    fn pop(&self) -> Option<Rc<dyn AnyFixture>> {
        self.made.borrow_mut().pop()
    }

    /// How far each is, and the time that it took.
    pub(crate) fn times(&self) -> Vec<String> {
        self.all.borrow().iter().filter_map(|fixture| fixture.time()).collect()
    }
}

trait AnyFixture {
    fn tear_down(&self) -> BoxFuture<'_, Result<()>>;
    fn time(&self) -> Option<String>;
}

impl<F: Fixture> AnyFixture for Made<F> {
    fn tear_down(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            let inner = &self.0;
            let Some(value) = inner.value.borrow_mut().take() else {
                return Ok(());
            };
            let ended = AssertUnwindSafe(inner.fixture.tear_down(value)).catch_unwind().await;
            ended
                .unwrap_or_else(|panic| Err(panicked(&*panic)))
                .map_err(|error| error.context(format!("the fixture `{}` could not be taken down", inner.label)))
        })
    }

    fn time(&self) -> Option<String> {
        let (label, time) = (&self.0.label, |time: Duration| {
            // What is less than a thousandth of it nobody reads.
            let unit = if time < Duration::from_millis(10) { 1 } else { 1000 };
            let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            let time = Duration::from_micros(micros / unit * unit);
            humantime::format_duration(time).to_string()
        });
        match self.0.stage.get() {
            Stage::Untouched => None,
            Stage::BeingMade(since) => Some(format!("{label}: still being made, for {}", time(since.elapsed()))),
            Stage::Made(took) => Some(format!("{label}: made in {}", time(took))),
            Stage::Failed(took) => Some(format!("{label}: failed after {}", time(took))),
        }
    }
}
