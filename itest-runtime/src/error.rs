//! The one error of the runtime: what was wanted, why it failed, what to do.

use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A failure of the runtime or of a service, fit to be shown to the person whose test it failed.
///
/// The message completes "failed to …" or states a fact; the causes follow it; the hint says what to do about it, with
/// the exact command or line to change; the log holds a server's last words.
///
/// ```
/// use itest::Error;
///
/// let error = Error::new("the port 5432 is taken").hint("end the program that listens there");
/// assert_eq!(error.render(), "the port 5432 is taken\n  hint: end the program that listens there");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    log: Option<Box<Log>>,
    permanent: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Log {
    title: String,
    lines: Vec<String>,
}

/// The result of the runtime's and of a service's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that says `message`.
    pub fn new(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            causes: Vec::new(),
            hint: None,
            log: None,
            permanent: false,
        }
    }

    /// An error that says `message`, and then everything that `cause` says.
    pub fn caused(message: impl fmt::Display, cause: &(dyn StdError + 'static)) -> Self {
        let mut error = Self::new(message);
        let mut next = Some(cause);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Many libraries print their source within their own message: say it once.
            if !error.causes.last().is_some_and(|last| last.contains(&text)) {
                error.causes.push(text);
            }
            next = cause.source();
        }
        error
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Adds what to do about it, unless it is known better already.
    pub(crate) fn or_hint(self, hint: impl fmt::Display) -> Self {
        if self.hint.is_some() { self } else { self.hint(hint) }
    }

    /// Says that waiting doesn't help: what failed so isn't tried again, as a server that is still starting is.
    ///
    /// ```
    /// # use itest::Error;
    /// let error = Error::new("the server is version 6").hint("install version 7").permanent();
    /// assert!(error.is_permanent());
    /// ```
    pub fn permanent(mut self) -> Self {
        self.permanent = true;
        self
    }

    /// Whether waiting doesn't help.
    pub fn is_permanent(&self) -> bool {
        self.permanent
    }

    /// What to do about it.
    pub(crate) fn remedy(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The log's lines, if there is one.
    pub(crate) fn log_lines(&self) -> &[String] {
        self.log.as_ref().map_or(&[], |log| &log.lines)
    }

    /// Adds lines of a log under a title; no lines, no log.
    pub fn log(mut self, title: impl fmt::Display, lines: Vec<String>) -> Self {
        if !lines.is_empty() {
            self.log = Some(Box::new(Log {
                title: title.to_string(),
                lines,
            }));
        }
        self
    }

    /// Puts what was wanted in front; what the error said before becomes its first cause.
    pub fn context(mut self, wanted: impl fmt::Display) -> Self {
        let said = std::mem::replace(&mut self.message, wanted.to_string());
        self.causes.insert(0, said);
        self
    }

    /// The message, without causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Everything, over several lines.
    pub fn render(&self) -> String {
        let mut text = self.to_string();
        if let Some(log) = &self.log {
            text.push_str(&format!("\n  {}:", log.title));
            for line in &log.lines {
                text.push_str(&format!("\n    {line}"));
            }
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\n  hint: {}", hint.replace('\n', "\n        ")));
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl StdError for Error {}

/// Says what was wanted when a result is an error.
pub trait Context<T> {
    /// Turns the error into an [`Error`] that says `wanted` first.
    ///
    /// # Errors
    /// When `self` is an error.
    fn context<D: fmt::Display>(self, wanted: impl FnOnce() -> D) -> Result<T>;
}

impl<T, E: StdError + 'static> Context<T> for std::result::Result<T, E> {
    fn context<D: fmt::Display>(self, wanted: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| {
            let any: &(dyn StdError + 'static) = &error;
            match any.downcast_ref::<Error>() {
                Some(own) => own.clone().context(wanted()),
                None => Error::caused(wanted(), any),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_what_was_wanted_then_the_causes_then_the_log_then_the_hint() {
        let error = Error::new("the process ended at once")
            .context("failed to start postgres")
            .log("its last words", vec!["FATAL: no".into()])
            .hint("do this");
        assert_eq!(
            error.render(),
            "failed to start postgres: the process ended at once\n  its last words:\n    FATAL: no\n  hint: do this"
        );
    }

    #[test]
    fn a_cause_that_repeats_its_source_is_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: {0}")]
        struct Outer(#[source] std::io::Error);
        let error = Error::caused("wanted", &Outer(std::io::Error::other("inner")));
        assert_eq!(error.to_string(), "wanted: outer: inner");
    }
}
