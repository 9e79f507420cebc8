//! The runtime of [itest](https://docs.rs/itest): what the `#[integration]` attribute calls.
//!
//! Users depend on the facade, `itest`, whose documentation is the guide. This crate's own rooms are: [`service`] (what a
//! service is), [`provider`] (how servers come to run), [`spec`] (what a test asks for), `client`,
//! `wire` and `supervisor` (the two processes and what they say to each other), and `run` (the life of a test).

#![cfg_attr(
    not(all(feature = "native", feature = "docker")),
    allow(
        dead_code,
        unused_imports,
        clippy::unused_async,
        reason = "what only servers of our own need is spread over many places; the linker leaves it out"
    )
)]

mod case;
mod client;
#[cfg(feature = "docker")]
pub mod compose;
mod config;
#[cfg(feature = "docker")]
pub mod container;
mod diagnosis;
mod error;
mod estate;
mod home;
mod inject;
mod naming;
mod once;
mod os;
mod outcome;
pub mod provider;
mod run;
pub mod service;
pub mod spec;
mod supervisor;
mod value;
pub mod wall;
mod wire;

pub use error::{Context, Error, Result};
pub use inject::{Inject, Url};
pub use service::Lease;

/// What the attribute's expansion names. Not for anybody else.
#[doc(hidden)]
pub mod __private {
    pub use crate::case::{Case, Flavor, Options, Registered};
    pub use crate::error::Error;
    pub use crate::inject::{
        BoxFuture, Brings, Declared, Fallible, Fixture, Gives, Grants, Held, HeldList, Made, Names, Origin, Part,
        Place, Plan, Site, Slot, all_drivers, drivers_of, end, ended, shared, tear_down,
    };
    /// What a fixture does as a part: a function for each of [`Part`].
    pub mod fixture {
        pub use crate::inject::{build, explain, hold, plan};
    }
    pub use crate::once::OncePerRun;
    pub use crate::outcome::Verdict;
    pub use crate::run::{blocking, blocking_here, run};
    pub use crate::service::driver::Driver;
    pub use crate::value::{ByCopy, ByReference, PathValue};
    pub use inventory;

    /// The drivers of the services in this crate.
    pub fn own_drivers() -> Vec<Driver> {
        vec![
            Driver::of_service::<crate::once::OncePerRun>(),
            #[cfg(feature = "docker")]
            Driver::of_service::<crate::container::Container>(),
            #[cfg(feature = "docker")]
            Driver::of_service::<crate::compose::Compose>(),
        ]
    }
}
