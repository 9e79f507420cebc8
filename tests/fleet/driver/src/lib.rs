//! Starts the fleet's tests under real runners, and looks at what they leave.
//!
//! The fleet is two packages with three test binaries and 200 tests, some of which misbehave when they are asked to. A
//! driver test opens a [`Harbour`], which has a supervisor of its own, and runs the fleet there:
//!
//! ```no_run
//! let harbour = fleet_driver::Harbour::open();
//! let ended = harbour.nextest().threads(4).run();
//! assert_eq!(ended.failed(), [""; 0]);
//! harbour.wait_until_empty();
//! ```

mod binaries;
mod ended;
mod engine;
mod harbour;
pub mod logbook;
pub mod manners;
mod processes;
mod run;
mod runner;
mod seen;
mod wait;

pub use binaries::{copy_of, test_binary, workspace};
pub use ended::Ended;
pub use engine::{Hold, StandIn};
pub use harbour::Harbour;
pub use logbook::{Logbook, Record};
pub use manners::Manners;
pub use processes::{Process, interrupt_group, kill, kill_group, terminate};
pub use run::Run;
pub use runner::{Provider, Runner, cargo};
pub use wait::wait_until;

/// How many tests the fleet has.
pub const TESTS: usize = 200;
