//! A mistake in the attribute is one error, on the word that is wrong, with the fact and the remedy.
//!
//! A file for each mistake lies in `tests/ui`, and next to it what the compiler says. `TRYBUILD=overwrite` writes the latter
//! anew: read it before you commit it. Where the compiler finds the mistake and not the macro, some of the words are rustc's
//! own, and may change with its version.

#[test]
fn misuse_is_explained_where_it_stands() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
