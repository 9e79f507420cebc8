//! What tests of a service need: *promises*, which every service keeps, as tests that are there by naming what writing to a slice,
//! and looking into it, is; and *guests*, by which anything can be tried that only shows across processes.
//!
//! Services that come with itest, and its own tests, use it as anybody's may.

mod guests;
pub mod notes;
mod processes;
pub mod promises;
mod wait;

pub use guests::{Ended, Guests};
pub use processes::Process;
pub use promises::Subject;
pub use wait::{PATIENCE, wait_for, wait_until};
