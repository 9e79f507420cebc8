//! Tells the tests of this repository whether memcached is installed. Not part of the published crate.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=ITEST_MEMCACHED_BIN");
    println!("cargo::rerun-if-env-changed=ITEST_MEMCACHED_URL");
    println!("cargo::rustc-check-cfg=cfg(has_memcached)");
    let told = ["ITEST_MEMCACHED_BIN", "ITEST_MEMCACHED_URL"]
        .iter()
        .any(|name| env::var_os(name).is_some());
    let path = env::var_os("PATH").unwrap_or_default();
    if told || env::split_paths(&path).any(|folder| folder.join("memcached").is_file()) {
        println!("cargo::rustc-cfg=has_memcached");
    }
}
