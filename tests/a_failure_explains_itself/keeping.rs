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
    let open = |service: &str, arguments: &str| {
        let prefix = format!("{service}: ");
        let mut lines = said.text().lines();
        let command = lines
            .find_map(|line| line.trim().strip_prefix(&prefix))
            .expect("it was there");
        let output = Command::new("sh")
            .args(["-c", &format!("{command} {arguments}")])
            .output();
        let output = output.expect("`sh` runs");
        assert!(output.status.success(), "{command}: {output:?}");
        String::from_utf8(output.stdout).expect("it is text")
    };
    assert_eq!(
        open("postgres", "--no-psqlrc -Atc 'SELECT what FROM found'"),
        "a left book\n"
    );
    assert_eq!(open("redis", "GET found"), "a left key\n");
}

#[test]
fn nothing_is_kept_of_a_test_that_passed() {
    let own = Own::new();
    own.fault("wants_redis")
        .with("ITEST_KEEP", "5m")
        .passes()
        .never_says("stays for");
}
