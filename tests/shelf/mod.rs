//! A service without a server: its slices are numbers, and it notes what is made, taken and thrown away.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use itest::provider::{Endpoint, Recipe};
use itest::service::{
    LeaseName, Offers, Placement, PoolSpec, Recycled, Service, Slices, Stage, TemplateId, Templates, TestContext, Used,
};
use itest::spec::{Fingerprint, FingerprintBuilder};
use itest::{Inject, Lease, Result};

use crate::support::notes::note;

/// Where it is: `external` wants a URL.
pub(crate) const URL: &str = "shelf://nowhere/";

/// `#[integration(shelf(board = "oak"))]`: tests with the same board share slices and a template.
pub(crate) fn shelf() -> Shelf {
    Shelf {
        placement: Placement::default(),
        board: None,
        spare: 1,
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    placement: Placement,
    board: Option<String>,
    spare: usize,
}

impl Shelf {
    pub(crate) fn board(mut self, board: impl Into<String>) -> Self {
        self.board = Some(board.into());
        self
    }

    /// How many more slices are ready than tests run.
    pub(crate) fn spare(mut self, spare: usize) -> Self {
        self.spare = spare;
        self
    }
}

impl Service for Shelf {
    const NAME: &'static str = "shelf";
    const CODE: &'static str = itest::code!();
    type ServerSpec = ();
    /// The board, and how many are spare.
    type SliceSpec = (Option<String>, usize);
    type Grant = u64;
    type Slices = Books;

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn specs(&self, _: &TestContext) -> Result<((), (Option<String>, usize))> {
        Ok(((), (self.board.clone(), self.spare)))
    }

    fn recipe((): &()) -> Recipe {
        Recipe::default()
    }

    async fn connect((): &(), _: &Endpoint) -> Result<Books> {
        Ok(Books::default())
    }

    fn url(number: &u64) -> Result<String> {
        Ok(format!("{URL}{number}"))
    }

    async fn build(&self, _: &TestContext, _: &u64, _: Stage) -> Result<()> {
        note("built", self.board.as_deref().unwrap_or_default());
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Books {
    next: AtomicU64,
    boards: Mutex<HashMap<Fingerprint, String>>,
}

fn fingerprint(board: &str) -> Fingerprint {
    FingerprintBuilder::new("board").text(board).finish()
}

/// What comes before the colon: `oak: new` replaces `oak: old`.
fn kind(board: &str) -> Option<Fingerprint> {
    let (kind, _) = board.split_once(':')?;
    Some(FingerprintBuilder::new("kind of board").text(kind).finish())
}

impl Slices<Shelf> for Books {
    type Slice = u64;

    fn pool(&self, (board, spare): &(Option<String>, usize)) -> Result<PoolSpec> {
        let template = |board: &String| TemplateId::new(fingerprint(board), kind(board));
        Ok(PoolSpec::of(board.as_ref().map(template)).spare(*spare))
    }

    async fn make(&self, _: &(Option<String>, usize)) -> Result<u64> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        note("made", number);
        Ok(number)
    }

    async fn grant(&self, number: &mut u64, _: &(Option<String>, usize), _: &LeaseName) -> Result<u64> {
        Ok(*number)
    }

    async fn recycle(&self, _: &mut u64, _: Used) -> Result<Recycled> {
        Ok(Recycled::Ready)
    }

    async fn destroy(&self, number: u64) {
        note("destroyed", number);
    }

    fn offers(&self) -> Offers<'_, Shelf> {
        Offers::none().templates(self)
    }
}

impl Templates<Shelf> for Books {
    async fn begin_template(&self, (board, _): &(Option<String>, usize)) -> Result<u64> {
        let board = board.clone().unwrap_or_default();
        self.boards.lock().unwrap().insert(fingerprint(&board), board);
        Ok(0)
    }

    async fn drop_template(&self, template: &Fingerprint) {
        let boards = self.boards.lock().unwrap();
        note("dropped", boards.get(template).map_or("", String::as_str));
    }
}

/// A slice's number.
pub(crate) struct Number(pub(crate) u64);

impl Inject for Number {
    type Service = Shelf;

    async fn inject(lease: &Lease<Shelf>) -> Result<Self> {
        Ok(Self(*lease.grant()))
    }
}
