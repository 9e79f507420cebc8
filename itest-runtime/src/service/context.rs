//! What a builder is told of the test that calls it, and says of where its server is to run.

use std::path::PathBuf;

use crate::spec::{Fingerprint, Provider};

/// Where a test's server is to run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Placement {
    /// The provider that the test itself asks for.
    pub provider: Option<Provider>,
    /// Whether the test wants a server of its own.
    pub dedicated: bool,
}

/// Where a test stands: what relative paths are relative to, and what its code is made of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TestContext {
    /// The test's full name.
    pub test: String,
    /// The folder of the test's package.
    pub package_dir: PathBuf,
    /// The test's source file.
    pub source_file: PathBuf,
    /// A fingerprint of the test binary: what user code in a template is known by.
    pub binary: Fingerprint,
    /// Where fingerprints of files are remembered, once it is there: the folder of the supervisor.
    pub(crate) memory: Option<PathBuf>,
}

impl TestContext {
    /// What the runtime makes of each test; by hand for trying a service without one.
    pub fn new(
        test: impl Into<String>,
        package_dir: impl Into<PathBuf>,
        source_file: impl Into<PathBuf>,
        binary: Fingerprint,
    ) -> Self {
        Self {
            test: test.into(),
            package_dir: package_dir.into(),
            source_file: source_file.into(),
            binary,
            memory: None,
        }
    }
}
