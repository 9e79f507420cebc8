//! How a test's body ended.

use std::any::Any;
use std::fmt::Debug;

use crate::error::Error;

/// Whether a test passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It did.
    Passed,
    /// It didn't, and why.
    Failed(String),
}

impl Verdict {
    /// The verdict on what a body returned.
    pub fn of(outcome: impl Outcome) -> Self {
        outcome.verdict()
    }

    pub(crate) fn into_result(self) -> Result<(), Error> {
        match self {
            Self::Passed => Ok(()),
            Self::Failed(why) => Err(Error::new(why)),
        }
    }
}

/// What a panic says, if that is text.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> Option<&str> {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
}

/// A panic of the user's code, as the error that it is for those who called it.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic_text(panic).unwrap_or("(with a value that is not text)");
    Error::new(format!("it panicked: {text}"))
}

impl From<Result<(), Error>> for Verdict {
    fn from(result: Result<(), Error>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(error) => Self::Failed(error.render()),
        }
    }
}

/// What a test may return: nothing, or a `Result` with any error that can be shown.
#[diagnostic::on_unimplemented(
    message = "a test can't return `{Self}`",
    label = "a test returns nothing or `Result<(), E>` with `E: Debug`"
)]
pub trait Outcome {
    /// The verdict.
    fn verdict(self) -> Verdict;
}

impl Outcome for () {
    fn verdict(self) -> Verdict {
        Verdict::Passed
    }
}

impl<E: Debug> Outcome for Result<(), E> {
    fn verdict(self) -> Verdict {
        match self {
            Ok(()) => Verdict::Passed,
            Err(error) => Verdict::Failed(format!("{error:?}")),
        }
    }
}
