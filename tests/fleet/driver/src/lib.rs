//! Starts the fleet's tests under real runners, and looks at what they leave.
//!
//! The fleet is two packages with three test binaries and 200 tests, which misbehave when they are asked to.

pub mod logbook;
pub mod manners;
