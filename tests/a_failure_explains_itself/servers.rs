//! Servers that can't be found, don't start, or don't stay.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::own::Own;

/// A program that says the right version.
const VERSION: &str = "[ \"$1\" = --version ] && echo 'postgres (PostgreSQL) 15.1' && exit 0";
const NO_INITDB: (&str, &str) = ("initdb", "exit 0");

#[test]
fn a_program_that_is_not_there() {
    let own = Own::new();
    fs::create_dir(own.path("empty")).expect("created");
    let bin = own.path("empty");
    let said = own.native("wants_postgres").with("ITEST_POSTGRES_BIN", &bin).fails();
    said.says(&[
        "no program `postgres` of version 13 or later was found",
        &format!("{} is not there", bin.join("postgres").display()),
        "hint: install it: `apt-get install postgresql`",
        "set ITEST_POSTGRES_BIN to the folder that holds it, or ITEST_POSTGRES_URL to a running server",
    ]);
}

#[test]
fn a_program_that_is_none() {
    let own = Own::new();
    let bin = own.scripts(&[("redis-server", "echo 'I am a teapot'")]);
    let said = own
        .native("wants_redis")
        .with("ITEST_REDIS_BIN", bin.join("redis-server"))
        .fails();
    said.says(&[
        "doesn't tell its version: `I am a teapot`",
        "apt-get install redis-server",
        "ITEST_REDIS_BIN",
    ]);
}

#[test]
fn without_a_path_the_usual_places_are_left() {
    let own = Own::new();
    let said = own
        .native("wants_a_version_that_is_not_there")
        .with("PATH", "/nowhere")
        .fails();
    said.says(&["no program `postgres` of version 99 was found", "ITEST_POSTGRES_BIN"])
        .never_says("/usr/local");
    if Path::new("/usr/lib/postgresql").exists() {
        // Another server: what failed before isn't tried again in one run.
        own.native("wants_postgres").with("PATH", "/nowhere").passes();
    }
}

#[test]
#[needs::root]
fn folders_that_the_servers_user_cannot_reach() {
    let own = Own::new();
    let closed = own.path("closed");
    fs::create_dir_all(closed.join("data")).expect("created");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let said = own
        .native("wants_postgres")
        .with("ITEST_DATA_DIR", closed.join("data"))
        .fails();
    said.says(&[
        "Permission denied",
        "hint: it refuses to run as root, so it runs as the user",
        "ITEST_DATA_DIR",
    ]);
}

#[test]
fn a_version_that_is_not_there() {
    let own = Own::new();
    own.native("wants_a_version_that_is_not_there").fails().says(&[
        "no program `postgres` of version 99 was found",
        "what was tried:",
        "is version 1",
        "ITEST_POSTGRES_BIN",
    ]);
}

#[test]
fn a_version_that_is_none() {
    let own = Own::new();
    let said = own.native("wants_a_version_that_is_none").fails();
    said.says(&[
        "`latest` is not a version of postgres",
        "hint: write numbers with dots, such as `postgres(version = ",
    ]);
}

#[test]
fn a_server_that_ends_at_once_has_the_last_word() {
    let own = Own::new();
    let dies = format!("{VERSION}\necho 'FATAL: the moon is full' >&2\nexit 1");
    let bin = own.scripts(&[("postgres", &dies), NO_INITDB]);
    own.native("wants_postgres")
        .with("ITEST_POSTGRES_BIN", bin)
        .fails()
        .says(&[
            "failed to start postgres: the server ended at once (exit status: 1)",
            "the server's last log lines:",
            "FATAL: the moon is full",
        ]);
}

#[test]
fn a_server_that_never_gets_ready() {
    let own = Own::new();
    let sleeps = format!("{VERSION}\necho 'LOG: still dreaming'\nexec sleep 600");
    let bin = own.scripts(&[("postgres", &sleeps), NO_INITDB]);
    let late = own
        .native("wants_postgres")
        .with("ITEST_POSTGRES_BIN", bin)
        .with("ITEST_START_TIMEOUT", "1s");
    late.fails().says(&[
        "postgres was started, but could not be used within 1s",
        "LOG: still dreaming",
        "hint: set ITEST_START_TIMEOUT to more if this machine is slow",
    ]);
}

#[test]
fn a_data_folder_that_cannot_be_made() {
    let own = Own::new();
    let bin = own.scripts(&[
        ("postgres", VERSION),
        ("initdb", "echo 'initdb: error: no chalk' >&2\nexit 3"),
    ]);
    let said = own.native("wants_postgres").with("ITEST_POSTGRES_BIN", bin).fails();
    said.says(&[
        "failed to start postgres",
        "initdb failed (exit status: 3)",
        "initdb: error: no chalk",
    ]);
}

#[test]
fn a_user_whom_the_system_does_not_know() {
    let own = Own::new();
    let said = "initdb: error: could not look up effective user ID 12345: user does not exist";
    let bin = own.scripts(&[("postgres", VERSION), ("initdb", &format!("echo '{said}' >&2\nexit 1"))]);
    let said = own.native("wants_postgres").with("ITEST_POSTGRES_BIN", bin).fails();
    said.says(&[
        "could not look up",
        "hint: the user",
        "/etc/passwd",
        "nss_wrapper",
        "ITEST_PROVIDER=docker",
    ]);
}

// As OpenShift's images do it.
#[test]
fn a_user_is_given_a_name_by_nss_wrapper() {
    let own = Own::new();
    let bin = own.scripts(&[
        ("postgres", VERSION),
        (
            "initdb",
            "echo \"$LD_PRELOAD, $NSS_WRAPPER_PASSWD, $NSS_WRAPPER_GROUP\" >&2\nexit 1",
        ),
    ]);
    let said = own
        .native("wants_postgres")
        .with("ITEST_POSTGRES_BIN", bin)
        // One that is there would be heeded.
        .with("LD_PRELOAD", "libno_nss_wrapper.so")
        .with("NSS_WRAPPER_PASSWD", "/users")
        .with("NSS_WRAPPER_GROUP", "/groups")
        .fails();
    said.says(&["libno_nss_wrapper.so, /users, /groups"]);
}

#[test]
fn a_setting_that_the_server_does_not_know() {
    let own = Own::new();
    own.native("wants_a_setting_that_is_none").fails().says(&[
        "failed to start postgres: the server ended at once",
        "unrecognized configuration parameter \"nonsense\"",
        "hint: the server doesn't take what `postgres(settings(...))` says",
    ]);
}

#[test]
#[needs::root]
fn a_user_that_servers_cannot_run_as() {
    for user in ["nobody-has-this-name", "root"] {
        let own = Own::new();
        let said = own.native("wants_postgres").with("ITEST_SERVER_USER", user).fails();
        said.says(&[
            "this server refuses to run as root",
            user,
            "set ITEST_SERVER_USER to a user that isn't root",
        ]);
    }
}

#[test]
#[needs::mount]
fn a_full_disk() {
    let own = Own::new();
    // In a mount namespace of its own: it goes with the last process in it.
    let mount = "mount -t tmpfs -o size=8m,mode=755 tmpfs \"$1\" && shift && exec \"$@\"";
    let data = own.data();
    let wrapper = ["unshare", "--mount", "sh", "-c", mount, "sh"].map(str::to_owned);
    let wrapper = wrapper.into_iter().chain([data.display().to_string()]);
    // With what `initdb` made once, and without.
    let nothing = tempfile::tempdir().expect("a folder");
    for cache in [None, Some(nothing.path())] {
        let mut test = own.native("wants_postgres").wrapped_by(wrapper.clone());
        if let Some(cache) = cache {
            test = test.with("ITEST_CACHE_DIR", cache);
        }
        test.fails().says(&[
            "failed to start postgres",
            "No space left on device",
            "hint: free some space, or set ITEST_DATA_DIR to a folder that has it",
        ]);
    }
}
