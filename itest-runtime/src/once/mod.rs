//! What is made once per run, for all of its processes: a fixture's value as JSON, and a folder with files.
//!
//! It is a service like any other, whose server is the supervisor itself. What is shared is a template: the first test that needs
//! it makes it, the others wait, and if that test dies half-way, the next one begins again in an empty folder.

use std::fmt::Debug;
use std::fs;
use std::future::Future;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Context, Error, Result};
use crate::provider::{Endpoint, Recipe};
use crate::service::{
    Lease, LeaseName, Offers, Placement, PoolSpec, Service, Slices, Stage, TemplateId, Templates, TestContext,
};
use crate::spec::{Fingerprint, FingerprintBuilder};

/// The file with the value.
const VALUE: &str = "value.json";
/// The folder for the maker's own files.
const FILES: &str = "files";

type Maker = Arc<dyn Fn(PathBuf) -> Pin<Box<dyn Future<Output = Result<Vec<u8>>> + Send>> + Send + Sync>;

/// What is made once per run.
#[derive(Clone)]
pub struct OncePerRun {
    placement: Placement,
    label: &'static str,
    key: Fingerprint,
    make: Maker,
}

impl OncePerRun {
    /// Known by the file and the name of its function, and by its options. `make` is given an empty folder, and returns the value.
    pub fn new<M, R>(file: &str, label: &'static str, options: &impl Debug, make: M) -> Self
    where
        M: Fn(PathBuf) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Vec<u8>>> + Send + 'static,
    {
        let key = FingerprintBuilder::new("once per run")
            .text(file)
            .text(label)
            .text(&format!("{options:?}"))
            .finish();
        Self {
            placement: Placement::default(),
            label,
            key,
            make: Arc::new(move |folder| Box::pin(make(folder))),
        }
    }

    /// The value as bytes.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn bytes(value: &impl Serialize) -> Result<Vec<u8>> {
        serde_json::to_vec(value).context(|| "the value of a fixture that is shared by a run has no JSON form")
    }

    /// The value that was made.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn value<V: DeserializeOwned>(lease: &Lease<Self>) -> Result<V> {
        let path = lease.grant().join(VALUE);
        let text = fs::read(&path).context(|| format!("failed to read {}", path.display()))?;
        serde_json::from_slice(&text).context(|| format!("{} is not the fixture's value", path.display()))
    }
}

impl Service for OncePerRun {
    const NAME: &'static str = "once_per_run";
    const CODE: &'static str = crate::wire::BUILD;
    const ONCE_PER_RUN: bool = true;
    const IN_SUPERVISOR: bool = true;
    type ServerSpec = ();
    /// What it is known by.
    type SliceSpec = Fingerprint;
    /// The folder.
    type Grant = PathBuf;
    type Slices = Folders;

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn specs(&self, _: &TestContext) -> Result<((), Fingerprint)> {
        Ok(((), self.key.clone()))
    }

    fn recipe((): &()) -> Recipe {
        Recipe::default()
    }

    async fn connect((): &(), endpoint: &Endpoint) -> Result<Folders> {
        let root = endpoint.folder.clone();
        root.map(Folders)
            .ok_or_else(|| Error::new("the supervisor has no folder").permanent())
    }

    async fn build(&self, _: &TestContext, blank: &PathBuf, _: Stage) -> Result<()> {
        let failed = || format!("the fixture `{}` failed", self.label);
        let made = (self.make)(blank.join(FILES))
            .await
            .map_err(|error| error.context(failed()))?;
        let path = blank.join(VALUE);
        fs::write(&path, made).context(|| format!("failed to write {}", path.display()))
    }
}

/// The supervisor's end: a folder for each value.
#[derive(Debug)]
pub struct Folders(PathBuf);

impl Folders {
    fn of(&self, key: &Fingerprint) -> PathBuf {
        self.0.join(key.short(32))
    }
}

impl Slices<OncePerRun> for Folders {
    type Slice = ();

    fn pool(&self, key: &Fingerprint) -> Result<PoolSpec> {
        Ok(PoolSpec::of(Some(TemplateId::new(key.clone(), None))).shared())
    }

    async fn make(&self, _: &Fingerprint) -> Result<()> {
        Ok(())
    }

    async fn grant(&self, (): &mut (), key: &Fingerprint, _: &LeaseName) -> Result<PathBuf> {
        Ok(self.of(key))
    }

    fn offers(&self) -> Offers<'_, OncePerRun> {
        Offers::none().templates(self)
    }
}

impl Templates<OncePerRun> for Folders {
    async fn begin_template(&self, key: &Fingerprint) -> Result<PathBuf> {
        let folder = self.of(key);
        // Somebody may have died in the middle of it.
        remove(&folder);
        for folder in [&folder, &folder.join(FILES)] {
            let created = fs::DirBuilder::new().mode(0o700).create(folder);
            created.context(|| format!("failed to create {}", folder.display()))?;
        }
        Ok(folder)
    }

    async fn abandon_template(&self, key: &Fingerprint) {
        remove(&self.of(key));
    }

    async fn drop_template(&self, key: &Fingerprint) {
        remove(&self.of(key));
    }
}

fn remove(folder: &Path) {
    if folder.exists()
        && let Err(error) = fs::remove_dir_all(folder)
    {
        tracing::warn!(%error, folder = %folder.display(), "a shared value's folder stays");
    }
}
