//! What the tests share: a client of the service. It tells what came back; the tests judge it.
#![allow(
    dead_code,
    reason = "each test file is a program of its own and uses its own part of this"
)]

pub(crate) mod api;
pub(crate) mod service;
