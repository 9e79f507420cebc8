//! # itest
//!
//! Integration tests on real servers: one annotation, a clean slice for every test.

// The attribute's expansion names this crate by `::itest`, also in its own tests.
extern crate self as itest;

pub use itest_macros::{integration, test};
pub use itest_runtime::{Context, Error, Inject, Lease, Result, Url, provider, service, spec};

#[doc(hidden)]
pub use itest_runtime::__private;
