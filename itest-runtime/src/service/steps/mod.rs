//! What a template is made of: steps that a test writes one after the other, each a folder of files, a file, code in the
//! binary or a function. What they are known by is the same for every service; how a file is run is the service's own.

mod files;
mod memory;
mod setup;

use std::any::Any;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::TestContext;
use crate::error::{Error, Result};
use crate::outcome::Outcome;
use crate::spec::{Fingerprint, FingerprintBuilder, Stage};
use files::read;
pub use files::{File, Folder};
pub use setup::Setup;

/// Which template a slice is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TemplateId {
    /// Of everything that shapes its content.
    pub fingerprint: Fingerprint,
    /// What it is made of, by name and not by content, if that has a name: once a template is made of the same that says
    /// something else now, the older one goes.
    pub source: Option<Fingerprint>,
}

impl TemplateId {
    /// A template whose content this is the fingerprint of.
    pub fn new(fingerprint: Fingerprint, source: Option<Fingerprint>) -> Self {
        Self { fingerprint, source }
    }
}

/// The steps that fill a template, in the order in which the test writes them.
///
/// `H` is what a setup function is given, such as a pool of connections; `E` is content that comes with the binary, for a
/// service that has such.
///
/// ```
/// # use itest::Result;
/// # use itest::service::{Step, Steps, TestContext};
/// # #[derive(Clone)] struct Client;
/// # impl Client { async fn run(&self, _: String) -> Result<()> { Ok(()) } }
/// async fn build(steps: &Steps<Client>, test: &TestContext, client: Client) -> Result<()> {
///     for step in steps {
///         match step {
///             Step::Folder(folder) => {
///                 for file in folder.files(test)? {
///                     client.run(std::fs::read_to_string(file).expect("it can be read")).await?;
///                 }
///             }
///             Step::File(file) => client.run(file.text(test)?).await?,
///             Step::Setup(setup) => setup.run(client.clone()).await?,
///             Step::Embedded(never) => match *never {},
///         }
///     }
///     Ok(())
/// }
/// ```
pub struct Steps<H, E = Infallible>(Vec<Step<H, E>>);

/// One of [`Steps`].
pub enum Step<H, E = Infallible> {
    /// All files of a folder.
    Folder(Folder),
    /// One file.
    File(File),
    /// Content that comes with the binary.
    Embedded(E),
    /// A function.
    Setup(Setup<H>),
}

/// Content that comes with the binary, such as migrations that a macro has read.
pub trait Embedded: fmt::Debug {
    /// Adds what it is called, which stays while its content changes.
    fn add_name(&self, source: &mut FingerprintBuilder);

    /// Adds its content.
    fn add_content(&self, content: &mut FingerprintBuilder);
}

impl Embedded for Infallible {
    fn add_name(&self, _: &mut FingerprintBuilder) {
        match *self {}
    }

    fn add_content(&self, _: &mut FingerprintBuilder) {
        match *self {}
    }
}

impl<H, E> Steps<H, E> {
    /// No steps: a blank slice.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Adds a folder, relative to the package: all its files with this extension, in the order of their names. `word` is
    /// what the attribute calls it.
    pub fn folder(&mut self, word: &'static str, path: impl Into<String>, extension: &'static str) {
        self.0.push(Step::Folder(Folder {
            word,
            path: path.into(),
            extension,
        }));
    }

    /// Adds fixture files: `"users"` is `fixtures/users.EXTENSION` next to the test's file; a name with a slash, or that ends
    /// in the extension, is a path relative to the test's file.
    pub fn fixtures<T: Into<String>>(&mut self, names: impl IntoIterator<Item = T>, extension: &'static str) {
        let file = |name: T| {
            Step::File(File {
                name: name.into(),
                extension,
            })
        };
        self.0.extend(names.into_iter().map(file));
    }

    /// Adds content that comes with the binary.
    pub fn embedded(&mut self, content: E) {
        self.0.push(Step::Embedded(content));
    }

    /// Adds a function. `plainly` puts an outcome with an error of the service's client into plain words; any other error is
    /// told by its `Debug` form.
    pub fn setup<F, R, O>(
        &mut self,
        function: F,
        plainly: impl Fn(&str, &dyn Any) -> Option<Error> + Send + Sync + 'static,
    ) where
        F: Fn(H) -> R + Send + Sync + 'static,
        R: Future<Output = O> + Send + 'static,
        O: Outcome + 'static,
    {
        self.0.push(Step::Setup(Setup::new(function, plainly)));
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The steps, in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Step<H, E>> {
        self.0.iter()
    }

    /// The steps of a stage.
    pub fn of(&self, stage: Stage) -> &[Step<H, E>] {
        let (base, layers) = self.0.split_at(self.base_length());
        match stage {
            Stage::Whole => &self.0,
            Stage::Base => base,
            Stage::Layers | Stage::Replay => layers,
        }
    }

    /// Whether all that comes after the base are fixture files: a function runs once for all tests, and files may be run for each.
    pub fn has_files_alone(&self) -> bool {
        let layers = self.of(Stage::Layers);
        layers.iter().all(|step| matches!(step, Step::File(_)))
    }

    /// How many steps come before the first that few tests have in common: a fixture file, or a function.
    fn base_length(&self) -> usize {
        let is_layer = |step: &Step<H, E>| matches!(step, Step::File(_) | Step::Setup(_));
        self.0.iter().position(is_layer).unwrap_or(self.0.len())
    }
}

impl<H, E: Embedded> Steps<H, E> {
    /// Which template these steps make; none if there are none. `around` is whatever else shapes the content: the service's
    /// [`CODE`](super::Service::CODE), and what its clients take from the environment.
    ///
    /// What a process has found once holds for all its tests: reading every file for each takes longer than leasing a slice.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn template(&self, test: &TestContext, around: &[&[u8]]) -> Result<Option<TemplateId>> {
        Self::known(&self.0, test, around)
    }

    /// Which template the steps of [`Stage::Base`] make; none if there are none, or if they are all there is.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn base(&self, test: &TestContext, around: &[&[u8]]) -> Result<Option<TemplateId>> {
        if self.of(Stage::Layers).is_empty() {
            return Ok(None);
        }
        Self::known(self.of(Stage::Base), test, around)
    }

    fn known(steps: &[Step<H, E>], test: &TestContext, around: &[&[u8]]) -> Result<Option<TemplateId>> {
        static KNOWN: Mutex<BTreeMap<String, TemplateId>> = Mutex::new(BTreeMap::new());
        if steps.is_empty() {
            return Ok(None);
        }
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let (package, file) = (test.package_dir.display(), test.source_file.display());
        let key = format!("{around:?} {steps:?} {package} {file}");
        if let Some(known) = known().get(&key) {
            return Ok(Some(known.clone()));
        }
        let found = TemplateId::new(Self::fingerprint(steps, test, around)?, Some(Self::source(steps, test)));
        known().insert(key, found.clone());
        Ok(Some(found))
    }

    /// What the content comes from, by name: it stays the same while that changes.
    fn source(steps: &[Step<H, E>], test: &TestContext) -> Fingerprint {
        let mut source = FingerprintBuilder::new("source");
        for step in steps {
            match step {
                Step::Folder(folder) => source.json(&(folder.word, &test.package_dir, &folder.path)),
                Step::File(file) => source.json(&("fixture", &test.source_file, &file.name)),
                Step::Setup(setup) => source.json(&("setup", setup.name())),
                Step::Embedded(embedded) => {
                    embedded.add_name(source.json(&("embedded", &test.package_dir)));
                    &mut source
                }
            };
        }
        source.finish()
    }

    /// Covers everything that shapes the content: files by what is in them, code by the binary it is in.
    fn fingerprint(steps: &[Step<H, E>], test: &TestContext, around: &[&[u8]]) -> Result<Fingerprint> {
        let mut content = FingerprintBuilder::new("template");
        for part in around {
            content.bytes(part);
        }
        for step in steps {
            match step {
                Step::Folder(folder) => {
                    let files = folder.content(test)?;
                    content.text(folder.word).json(&files);
                }
                Step::File(file) => {
                    content
                        .text("fixture")
                        .text(&file.name)
                        .bytes(&read(&file.path(test)?)?);
                }
                Step::Setup(setup) => {
                    content.text("setup").text(setup.name()).json(&test.binary);
                }
                Step::Embedded(embedded) => embedded.add_content(content.text("embedded")),
            }
        }
        Ok(content.finish())
    }
}

impl<H, E> Default for Steps<H, E> {
    fn default() -> Self {
        Self::none()
    }
}

impl<H, E: Clone> Clone for Steps<H, E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<H, E: fmt::Debug> fmt::Debug for Steps<H, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl<'a, H, E> IntoIterator for &'a Steps<H, E> {
    type Item = &'a Step<H, E>;
    type IntoIter = std::slice::Iter<'a, Step<H, E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<H, E: Clone> Clone for Step<H, E> {
    fn clone(&self) -> Self {
        match self {
            Self::Folder(folder) => Self::Folder(folder.clone()),
            Self::File(file) => Self::File(file.clone()),
            Self::Embedded(embedded) => Self::Embedded(embedded.clone()),
            Self::Setup(setup) => Self::Setup(setup.clone()),
        }
    }
}

impl<H, E: fmt::Debug> fmt::Debug for Step<H, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.fmt(f),
            Self::File(file) => file.fmt(f),
            Self::Embedded(embedded) => embedded.fmt(f),
            Self::Setup(setup) => setup.fmt(f),
        }
    }
}
