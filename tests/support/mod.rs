//! What several test files have in common, beside the guests: tests of this binary that another test runs in a process of its own.
//!
//! A guest is marked `#[ignore = "a guest"]`, so that nobody runs it by accident; alone it passes like any other test, or
//! fails where that is what it is for.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test file is a program of its own and uses its own part of this"
)]

pub(crate) mod docker;
pub(crate) mod outside;
pub(crate) mod registry;
pub(crate) mod sshd;

use std::path::{Path, PathBuf};

pub(crate) use itest_testing::{Ended, Guests, PATIENCE, notes, wait_for, wait_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Everything that a web server answers.
pub(crate) async fn http_get(address: &str, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    anyhow::ensure!(!answer.is_empty(), "the connection was closed without an answer");
    Ok(answer)
}

/// A folder of this repository.
pub(crate) fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
