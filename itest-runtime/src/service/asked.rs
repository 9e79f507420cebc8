//! What a test may ask of a server, whichever service it is of.

use crate::error::{Error, Result};
use crate::spec::Version;

/// Refuses the settings that are not a test's to set; each begins with its name.
///
/// # Errors
/// When a setting that a test asks for is one of the runtime's `own`: the server would never be found, or anybody could enter.
pub fn check_settings(service: &str, settings: &[String], own: &[&str]) -> Result<()> {
    let name_of = |setting: &str| {
        let name = setting
            .trim()
            .split(|c: char| "=:{".contains(c) || c.is_whitespace())
            .next();
        name.unwrap_or_default().to_ascii_lowercase()
    };
    let Some(setting) = settings.iter().find(|setting| own.contains(&name_of(setting).as_str())) else {
        return Ok(());
    };
    // Its value may be a password.
    Err(Error::new(format!(
        "`{}` in `{service}(settings(...))` is not a test's to set: where a server listens, who gets in and where its files are is \
         the provider's",
        name_of(setting)
    ))
    .hint("take it out; the injected values lead to the server wherever it is"))
}

/// Refuses a version that is too old.
///
/// # Errors
/// When a test asks for a version before the `first` that there is support for, such as `"13"` or `"3.5"`.
pub fn check_version(name: &str, asked: Option<&str>, first: &str) -> Result<()> {
    let Some(asked) = asked else { return Ok(()) };
    match Version::written(asked).zip(Version::written(first)) {
        Some((version, oldest)) if !version.may_be_from(&oldest) => Err(Error::new(format!(
            "the test asks for {name} {asked}, and itest works with {name} {first} and later"
        ))
        .hint(format!("write `version = \"{first}\"`, or a later one"))),
        // What is no version is refused where it is looked for, with what there is.
        Some(_) | None => Ok(()),
    }
}

/// Refuses a server that is there, and that nobody can make what the test asks for: `what`, such as `the external server`, of the version
/// `found`. `"15"` is every 15, and `"15.2"` that very one.
///
/// # Errors
/// When the test asks for another version.
pub fn check_found(service: &str, name: &str, asked: Option<&str>, what: &str, found: &str) -> Result<()> {
    let Some(asked) = asked else { return Ok(()) };
    if found == asked || found.starts_with(&format!("{asked}.")) {
        return Ok(());
    }
    let variable = service.to_uppercase();
    Err(Error::new(format!("the test asks for {name} {asked}, and {what} is {found}"))
        .hint(format!(
            "set ITEST_{variable}_URL to a server, or ITEST_{variable}_IMAGE to an image, of that version; or write \
             `{service}(native, …)`"
        ))
        .permanent())
}

/// Refuses what is no environment variable.
///
/// # Errors
/// When one isn't `NAME=value`.
pub fn check_env(service: &str, env: &[String]) -> Result<()> {
    let is_one = |variable: &&String| variable.split_once('=').is_some_and(|(name, _)| !name.is_empty());
    match env.iter().find(|variable| !is_one(variable)) {
        None => Ok(()),
        Some(wrong) => Err(Error::new(format!(
            "`{wrong}` in `{service}(env(...))` is not an environment variable"
        ))
        .hint("write each as `\"NAME=value\"`")),
    }
}

/// The names and values of environment variables, of which [`check_env`] has found nothing to say.
pub fn variables(env: &[String]) -> Vec<(String, String)> {
    env.iter()
        .filter_map(|variable| variable.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
