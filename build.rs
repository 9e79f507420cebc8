//! Tells the tests of this repository what this machine has. Not part of the published crate.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=ITEST_MEMCACHED_BIN");
    println!("cargo::rerun-if-env-changed=ITEST_MEMCACHED_URL");
    // Set anew by `cargo xtask` whenever it has made images.
    println!("cargo::rerun-if-env-changed=TEST_IMAGES");
    println!(
        "cargo::rustc-check-cfg=cfg(has_memcached, has_images, has_compose, has_sshd, has_pg_dump, is_root, can_mount)"
    );
    let told = ["ITEST_MEMCACHED_BIN", "ITEST_MEMCACHED_URL"]
        .iter()
        .any(|name| env::var_os(name).is_some());
    if told || in_path("memcached") {
        println!("cargo::rustc-cfg=has_memcached");
    }
    println!("cargo::rerun-if-env-changed=RECYCLING_PG_DUMP");
    if env::var_os("RECYCLING_PG_DUMP").is_some() || in_path("pg_dump") || has_debians_pg_dump() {
        println!("cargo::rustc-cfg=has_pg_dump");
    }
    if Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.stdout == b"0\n")
    {
        println!("cargo::rustc-cfg=is_root");
    }
    if works("unshare", &["--mount", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]) {
        println!("cargo::rustc-cfg=can_mount");
    }
    if in_path("docker") && works("docker", &["image", "inspect", "localhost/itest-toolbox:1"]) {
        println!("cargo::rustc-cfg=has_images");
        if works("docker", &["compose", "version"]) || works("docker-compose", &["version"]) {
            println!("cargo::rustc-cfg=has_compose");
        }
        // It is in few people's PATH.
        if in_path("ssh") && Path::new("/usr/sbin/sshd").is_file() {
            println!("cargo::rustc-cfg=has_sshd");
        }
    }
}

fn has_debians_pg_dump() -> bool {
    let mut versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.any(|version| version.path().join("bin/pg_dump").is_file())
}

fn in_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn works(program: &str, args: &[&str]) -> bool {
    let quiet = || Stdio::null();
    Command::new(program)
        .args(args)
        .stdin(quiet())
        .stdout(quiet())
        .stderr(quiet())
        .status()
        .is_ok_and(|status| status.success())
}
