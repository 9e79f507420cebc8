//! What the attribute says about one test, as a static that the macro writes.

mod place;

use std::time::Duration;

use crate::service::Driver;

/// One annotated test function.
#[derive(Debug)]
pub struct Case {
    /// `module_path!()` of the function.
    pub module: &'static str,
    /// The function's name.
    pub name: &'static str,
    /// `file!()`: relative to the workspace, or to the package for packages outside it.
    pub file: &'static str,
    /// The line of the attribute.
    pub line: u32,
    /// The package's name.
    pub package: &'static str,
    /// The package's folder when it was compiled.
    pub manifest_dir: &'static str,
    /// What the attribute asks besides services.
    pub options: Options,
    /// One driver for each declared service: the supervisor, which is this same binary, finds user-defined ones here.
    pub drivers: fn() -> Vec<Driver>,
    /// The facade's services, with which every test binary is linked.
    pub linked: fn() -> Vec<Driver>,
}

/// The test options of the attribute.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// How many more attempts a failing test gets.
    pub retries: u32,
    /// The pause between two attempts.
    pub retry_delay: Duration,
    /// The kind of tokio runtime the body runs on.
    pub flavor: Flavor,
    /// Threads of a multi-thread runtime; one for each core if not given.
    pub worker_threads: Option<usize>,
}

/// The kind of tokio runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// Everything on the test's own thread.
    CurrentThread,
    /// A pool of worker threads.
    MultiThread,
}

impl Case {
    /// Which services the facade brings.
    pub(crate) fn linked_identities(&self) -> Vec<String> {
        (self.linked)()
            .iter()
            .map(|driver| driver.identity().to_owned())
            .collect()
    }

    /// The services that this binary's tests declare, and those of this one, which a harness may run unregistered.
    pub(crate) fn declared(&self) -> impl Iterator<Item = Driver> {
        let registered = inventory::iter::<Registered>.into_iter().map(|registered| registered.0);
        registered.chain([self]).flat_map(|case| (case.drivers)())
    }
}

/// Every annotated test of this binary.
#[derive(Debug)]
pub struct Registered(pub &'static Case);

inventory::collect!(Registered);
