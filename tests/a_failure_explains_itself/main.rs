//! A failing test says why: what was wanted, what was found, what to do; and it shows no password.
//!
//! Each test here runs one of `tests/faults`, in a process and often in surroundings of its own, and reads what it says.

mod bodies;
mod configuration;
mod fault;
mod keeping;
mod leftovers;
mod own;
mod servers;
mod templates;
mod urls;
