//! Where a fixture is written: what the paths in its attribute are relative to.

use std::path::Path;
use std::rc::Rc;

use crate::service::TestContext;

/// A test's context as it is seen from where a part stands: the test itself, or a fixture. Most fixtures have no services, and
/// never look.
#[derive(Debug, Clone)]
pub(super) struct Viewpoint {
    test: Rc<TestContext>,
    origin: Option<Origin>,
}

impl Viewpoint {
    pub(super) fn of(test: &TestContext) -> Self {
        Self {
            test: Rc::new(test.clone()),
            origin: None,
        }
    }

    pub(super) fn within(&self, origin: Origin) -> Self {
        Self {
            test: self.test.clone(),
            origin: Some(origin),
        }
    }

    pub(super) fn context(&self) -> TestContext {
        match self.origin {
            Some(origin) => origin.context(&self.test),
            None => TestContext::clone(&self.test),
        }
    }
}

/// Where a fixture is written.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// The package's folder when it was compiled.
    pub manifest_dir: &'static str,
    /// `file!()`: relative to the workspace, or to the package for packages outside it.
    pub file: &'static str,
}

impl Origin {
    /// The context of a test, seen from here.
    fn context(self, test: &TestContext) -> TestContext {
        let compiled = Path::new(self.manifest_dir);
        // A package that was moved after it was compiled is the test's own.
        let package = if compiled.is_dir() { compiled } else { &test.package_dir };
        let mut above = package.ancestors().map(|folder| folder.join(self.file));
        let source = above.find(|path| path.is_file());
        TestContext {
            test: test.test.clone(),
            package_dir: package.to_owned(),
            source_file: source.unwrap_or_else(|| package.join(self.file)),
            binary: test.binary.clone(),
            memory: test.memory.clone(),
        }
    }
}
