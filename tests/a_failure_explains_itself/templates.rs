//! Content that can't be made: which file, which line, what the server says.

use crate::fault::{fault, package};
use crate::own::Own;

#[test]
fn a_migration_that_fails() {
    let file = package().join("migrations_broken/0002_books.sql");
    fault("has_a_broken_migration").fails().says(&[
        &format!("the migration {} failed in line 3", file.display()),
        "`ALTER TABLE shelfs ADD COLUMN floor int;`",
        "relation \"shelfs\" does not exist",
    ]);
}

#[test]
fn a_folder_of_migrations_that_is_not_there() {
    let folder = package().join("no_such_folder");
    let said = fault("has_no_migrations").fails();
    said.says(&[
        &folder.display().to_string(),
        "No such file or directory",
        "is a folder relative to the package",
    ]);
}

#[test]
fn a_fixture_that_is_not_there() {
    let file = package().join("tests/fixtures/nowhere.sql");
    fault("has_no_fixture").fails().says(&[
        &format!("the fixture `nowhere` is not there: {}", file.display()),
        "hint: `fixtures(\"users\")` is the file fixtures/users.sql next to the test's own file",
    ]);
}

#[test]
fn a_fixture_that_fails() {
    let file = package().join("tests/fixtures/wrong.sql");
    fault("has_a_wrong_fixture").fails().says(&[
        &format!("the fixture {} failed in line 3", file.display()),
        "`INSERT INTO readers (nane) VALUES ('Ada');`",
        "column \"nane\" of relation \"readers\" does not exist",
    ]);
}

#[test]
fn a_setup_function_that_fails() {
    let said = fault("has_a_setup_function_that_fails").fails();
    said.says(&["the setup function `faults::refuse` failed: the librarian is on holiday"]);
}

#[test]
fn an_error_of_sqlx_in_a_setup_function() {
    // Nobody sees the log of somebody else's server.
    let own = Own::new();
    let said = own.native("has_a_setup_function_with_an_error_of_sqlx").fails();
    said.says(&[
        "the setup function `faults::ask_amiss` failed: relation \"nowhere\" does not exist",
        "the server's log says of it:",
        "STATEMENT:  SELECT shelf FROM nowhere",
    ])
    .never_says("PgDatabaseError");
}

#[test]
fn a_setup_function_that_panics() {
    let said = fault("has_a_setup_function_that_panics").fails();
    said.says(&[
        "the setup function `faults::panic` failed: it panicked: the roof is leaking",
        "tests/faults.rs:",
    ]);
}
