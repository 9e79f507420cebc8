//! The `#[integration]` attribute of `itest`.
//!
//! It only parses and hands over: the function as written, one static that describes the test, and one call of the
//! runtime. The way of a test through this crate is `args` → `signature` → `model` → `expand`. All checks end before
//! `expand` starts, so that expansion can't fail; all mistakes of one test are reported together.

mod args;
mod code;
mod errors;
mod expand;
mod instances;
mod integration;
mod model;
mod options;
mod params;
mod signature;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Turns a function into a test on real servers.
///
/// ```ignore
/// #[integration(postgres(version = "16", migrations = "./migrations", transaction), redis, timeout = "30s")]
/// async fn an_order_is_stored_and_cached(db: PgPool, cache: &redis::Client) -> anyhow::Result<()> {
///     // ...
/// }
/// ```
///
/// # Services
/// A service is a path to a function that returns a builder: a built-in one, such as `postgres`, or your own. In its
/// parentheses stand calls of that builder's methods:
///
/// | written | called |
/// |---|---|
/// | `version = "16"` | `.version("16")` |
/// | `fixtures("users", "orders")` | `.fixtures(["users", "orders"])` |
/// | `transaction` | `.transaction()` |
///
/// A parameter gets its value from the service that provides its type. Where several could, name them: in
/// `orders = postgres, billing = postgres`, the parameters `orders` and `billing` each get their own.
///
/// # Test options
/// | option | meaning |
/// |---|---|
/// | `timeout = "30s"` | how long one attempt may take, once its slices are there |
/// | `retries = 2` | how many more attempts a failing test gets |
/// | `retry_delay = "100ms"` | the pause between two attempts |
/// | `flavor = "multi_thread"` | the kind of tokio runtime; `"current_thread"` unless given |
/// | `worker_threads = 4` | the threads of a `multi_thread` runtime |
/// | `harness = false` | leave the `#[test]` away: a harness of your own calls the function |
/// | `crate = path::to::itest` | where `itest` is, if it is re-exported by another crate |
///
/// # Functions
/// `async fn` or `fn`, with parameters of type `T`, `&T` or `&mut T`, returning `()` or a `Result<(), E>`. Other attributes,
/// such as `#[should_panic]` and `#[ignore]`, stay on the function. An `async` body runs on a tokio runtime of its own; one
/// that isn't runs where it may block.
///
/// # With a harness of your own
/// In a target with `harness = false`, a `#[test]` is left out by the compiler. With `harness = false` in the attribute, too,
/// a test is a plain `fn()` that panics if it fails, for `libtest_mimic::Trial::test` or a `main` of yours to call. Such a
/// program should run the one test that `--exact NAME` names, `NAME` being its path without the crate, or call any test of
/// this attribute when `ITEST_SUPERVISE` is set: it then becomes the supervisor that all tests share. If it does neither,
/// each of its processes starts servers of its own.
///
/// # With rstest
/// Above `#[rstest]`, parameters that carry an attribute (`#[case]`, `#[values]`, `#[from]`, `#[future]`, …) are filled by
/// rstest, all others by `itest`. A case's value may appear in a service's parentheses. With `retries`, the values must be
/// `Clone`.
///
/// Below `#[rstest]`, mark the parameters that `itest` fills with `#[ignore]`, and write the attribute of an `async fn` as
/// `#[itest::test(...)]`: rstest takes an attribute for a test's only if its path ends with `test`.
#[proc_macro_attribute]
pub fn integration(args: TokenStream, item: TokenStream) -> TokenStream {
    integration::integration(args.into(), &item.into()).into()
}

/// Turns a function into a fixture: a value that tests, and other fixtures, name in their attributes, and are given.
///
/// ```ignore
/// #[itest::fixture(postgres(migrations = "./migrations"), redis, teardown = Api::stop)]
/// async fn api(db: PgPool, cache: ConnectionManager, #[default(2)] workers: usize) -> anyhow::Result<Api> {
///     Api::start(db, cache, workers).await
/// }
///
/// #[integration(api(workers = 4))]
/// async fn a_user_can_sign_up(api: &Api, db: PgPool) -> anyhow::Result<()> {
///     // `db` is the api's own database.
/// }
/// ```
///
/// # Arguments
/// Services and other fixtures, as in [`macro@integration`], or none, and these:
///
/// | option | meaning |
/// |---|---|
/// | `teardown = stop` | a function that takes the value or a reference to it, `async` or not, after the test |
/// | `teardown_timeout = "5s"` | how long it may take; 10 s unless given |
/// | `shared` | made once per process, for what is dear to make and harmless to share |
/// | `shared = "run"` | made once per run for all processes: the value as JSON, by serde |
/// | `crate = path::to::itest` | where `itest` is, if it is re-exported by another crate |
///
/// # Functions
/// `async fn` or `fn`, returning a value of its own or a `Result` with it; a type whose name ends in `Result` is taken for one.
///
/// | parameter | what fills it |
/// |---|---|
/// | `db: PgPool`, `db: &PgPool`, `db: &mut PgConnection` | a service, or another fixture |
/// | `#[default(2)] workers: usize` | an option: `api(workers = 4)` |
/// | `#[option] port: u16` | an option that has to be given |
/// | `#[folder] folder: &Path` | with `shared = "run"`: an empty folder for files |
///
/// A type parameter must be the type of an `#[option]`. For each fixture there is a type of the function's name.
#[proc_macro_attribute]
pub fn fixture(args: TokenStream, item: TokenStream) -> TokenStream {
    integration::fixture(args.into(), &item.into()).into()
}

/// The same as [`macro@integration`], under the name by which other macros, such as rstest's, and editors know a test.
///
/// Write it in full, as `#[itest::test(postgres)]`.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    integration::integration(args.into(), &item.into()).into()
}

/// Names the code that it stands in, as a `&'static str`: the package, the file, and a stamp that changes with the package's
/// sources and with each dependency that was rebuilt.
///
/// ```ignore
/// impl Service for Memcached {
///     const CODE: &'static str = itest::code!();
///     // ...
/// }
/// ```
#[proc_macro]
pub fn code(input: TokenStream) -> TokenStream {
    code::code(&input.into(), &proc_macro::Span::call_site().file()).into()
}
