//! Settings with mistakes: what was set where, and what is allowed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::fault::{PASSWORD, Said, fault};
use crate::own::Own;

fn with(variable: &str, value: &str) -> Said {
    Own::new().fault("wants_redis").with(variable, value).fails()
}

#[test]
fn a_value_that_is_not_allowed() {
    with("ITEST_PROVIDER", "podman").says(&[
        "bad value `podman` for ITEST_PROVIDER",
        "allowed is one of `auto`, `docker`, `native`, `external`",
    ]);
    with("ITEST_KEEP", "long").says(&["bad value `long` for ITEST_KEEP", "allowed is a duration such as `30s`"]);
    with("ITEST_DIR", "some/where").says(&["bad value `some/where` for ITEST_DIR", "allowed is an absolute path"]);
}

#[test]
fn a_variable_that_is_none() {
    with("ITEST_LINGERS", "1s").says(&[
        "the environment variable ITEST_LINGERS is not a setting of itest",
        "ITEST_LINGER,",
        "ITEST_<SERVICE>_URL",
        "unset ITEST_LINGERS or give it another prefix",
    ]);
}

#[test]
fn a_service_that_is_misspelt() {
    with("ITEST_POSTGRE_URL", "postgres://me@host/db").says(&[
        "ITEST_POSTGRE_URL is about a service `postgre`, and there is none of that name",
        "ITEST_POSTGRES_URL",
    ]);
    with_file("[reddis]\nprovider = \"native\"").says(&["`[reddis] provider` in", "under [redis] in itest.toml"]);
}

/// A test in a workspace with this `itest.toml`.
fn with_file(text: &str) -> Said {
    let own = Own::new();
    let workspace = own.path("workspace");
    fs::create_dir(&workspace).expect("created");
    fs::write(workspace.join("Cargo.lock"), "").expect("written");
    fs::write(workspace.join("itest.toml"), text).expect("written");
    let said = own.fault("wants_redis").with("CARGO_MANIFEST_DIR", &workspace).fails();
    said.says(&[&workspace.join("itest.toml").display().to_string()])
}

#[test]
fn a_key_that_is_none() {
    with_file("lingers = \"1s\"").says(&[
        "unknown key `lingers` in",
        "the keys are `provider`, `linger`",
        "[postgres]",
    ]);
    with_file("[redis]\nport = \"1\"").says(&[
        "unknown key `port` in",
        "the keys under [redis] are `provider`, `url`, `bin`",
    ]);
}

#[test]
fn a_value_of_a_file_that_is_not_allowed() {
    with_file("linger = \"soon\"").says(&["bad value `soon` for `linger` in", "allowed is a duration"]);
    with_file("linger = 30").says(&["`linger` in", "write a text in quotes"]);
    with_file(&format!("[redis]\nurl = [\"redis://:{PASSWORD}@host\"]"))
        .says(&["`[redis] url` in", "write a text in quotes"]);
}

#[test]
fn a_file_that_cannot_be_read() {
    with_file("linger = ").says(&["is not valid TOML", "line 1"]);
}

#[test]
fn a_folder_for_sockets_that_will_not_do() {
    let own = Own::new();
    let file = own.path("file");
    fs::write(&file, "").expect("written");
    let open = own.path("open");
    fs::create_dir(&open).expect("created");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let within = |dir: &std::path::Path| own.fault("wants_redis").with("ITEST_DIR", dir).fails();

    within(&file)
        .says(&[
            "is not a folder",
            &file.display().to_string(),
            "set ITEST_DIR to a folder",
        ])
        .never_says("chmod");
    within(&open).says(&[
        "is open to other users (mode 755, wanted 700)",
        "set ITEST_DIR to a folder",
        "chmod 700",
    ]);
    within(&file.join("below")).says(&[
        "failed to create",
        "hint: set ITEST_DIR to a folder that can be created",
    ]);
    let long = own.path(&"long/".repeat(30));
    within(&long).says(&[
        "103 are the limit",
        "hint: set ITEST_DIR to a folder with a shorter path",
    ]);
    assert_eq!(fs::metadata(&file).expect("it stays").len(), 0);
}

#[test]
fn a_variable_that_names_no_folder() {
    for name in ["ITEST_DIR", "ITEST_DATA_DIR", "ITEST_CACHE_DIR", "ITEST_REDIS_BIN"] {
        for value in ["", "some/where"] {
            with(name, value).says(&[&format!("bad value `{value}` for {name}"), "an absolute path"]);
        }
    }
    let own = Own::new();
    let said = own.fault("wants_redis").with("TMPDIR", "tmp").fails();
    said.says(&["bad value `tmp` for TMPDIR", "hint: set TMPDIR to an absolute path"]);
}

#[test]
fn a_folder_for_kept_data_that_will_not_do() {
    let own = Own::new();
    let file = own.path("file");
    fs::write(&file, "").expect("written");
    own.fault("wants_redis")
        .with("ITEST_CACHE_DIR", file.join("below"))
        .fails()
        .says(&[
            "servers' data can't be kept in",
            &file.display().to_string(),
            "hint: set ITEST_CACHE_DIR to a folder",
        ]);
}

// By its convention a relative one isn't heeded.
#[test]
fn a_runtime_folder_that_is_relative_or_none() {
    for value in ["", "run"] {
        let own = Own::new();
        let short = tempfile::tempdir().expect("a folder");
        own.native("wants_redis")
            .without("ITEST_DIR")
            .with("TMPDIR", short.path())
            .with("XDG_RUNTIME_DIR", value)
            .with("ITEST_REDIS_BIN", own.path("nowhere"))
            .fails()
            // A supervisor was found, and looked.
            .says(&[&format!("{} is not there", own.path("nowhere").display())]);
    }
}

#[test]
fn a_folder_for_data_that_will_not_do() {
    let own = Own::new();
    let nowhere = own.path("nowhere");
    let said = own.native("wants_redis").with("ITEST_DATA_DIR", &nowhere).fails();
    said.says(&[
        &nowhere.display().to_string(),
        "hint: ITEST_DATA_DIR must name an existing folder",
    ]);

    let long = own.path(&"long/".repeat(20));
    fs::create_dir_all(&long).expect("created");
    let said = own.native("wants_redis").with("ITEST_DATA_DIR", &long).fails();
    said.says(&[
        "is too long for a Unix socket",
        "hint: set ITEST_DATA_DIR to a folder with a shorter path",
    ]);
}

#[test]
fn the_configured_timeout_is_named() {
    let said = fault("sleeps_for_long").with("ITEST_TIMEOUT", "300ms").fails();
    said.says(&[
        "the test did not end within 300ms",
        "hint: if it needs longer, set ITEST_TIMEOUT",
    ]);
}
