//! `ITEST_KEEP`: the data of a failed test stays for a while, and can be looked at.

use std::process::Command;

use crate::own::Own;

#[test]
fn the_data_of_a_failed_test_can_be_opened_by_the_command_it_prints() {
    let own = Own::new();
    let said = own.fault("leaves_data_and_fails").with("ITEST_KEEP", "5m").fails();
    let said = said.says(&[
        "somebody left something",
        "its data stays for 5m:",
        "postgres: psql ",
        "redis: redis-cli ",
    ]);
    let psql = said
        .text()
        .lines()
        .find_map(|line| line.trim().strip_prefix("postgres: "))
        .expect("it was there");

    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{psql} --no-psqlrc -Atc 'SELECT what FROM found'")]);
    let output = shell.output().expect("`sh` runs");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "a left book\n",
        "{psql}: {output:?}"
    );
}

#[test]
fn nothing_is_kept_of_a_test_that_passed() {
    let own = Own::new();
    own.fault("wants_redis")
        .with("ITEST_KEEP", "5m")
        .passes()
        .never_says("stays for");
}
