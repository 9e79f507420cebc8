//! Everything that the attribute promises, on real servers.

mod around_the_function;
mod attempts;
mod instances;
mod outcomes;
mod parameters;
mod runtimes;
mod templates;
mod with_rstest;
