//! The options of fixtures.

use std::time::Duration;

use syn::Path;

use super::OptionKey;
use super::values::{Values, check_path, check_timeout, check_twice, text};
use crate::args::OptionArg;
use crate::errors::Errors;

/// What a fixture's attribute asks besides services, with the defaults filled in.
#[derive(Default)]
pub(crate) struct FixtureOptions {
    /// The function that takes the value down.
    pub(crate) teardown: Option<Path>,
    pub(crate) teardown_timeout: Option<Duration>,
    /// By whom the value is shared.
    pub(crate) shared: Option<Shared>,
    /// Where the facade is, if the user says so.
    pub(crate) facade: Option<Path>,
}

/// Who shares a fixture's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shared {
    /// All tests of one process.
    Process,
    /// All processes of one run.
    Run,
}

impl FixtureOptions {
    pub(crate) fn check(args: &[OptionArg], errors: &mut Errors) -> Self {
        check_twice(args, errors);
        let mut values = Values { args, errors };
        let options = Self {
            teardown: values.check(OptionKey::Teardown, check_path),
            teardown_timeout: values.check(OptionKey::TeardownTimeout, check_timeout),
            shared: check_shared(&mut values),
            facade: values.check(OptionKey::Crate, check_path),
        };
        if let Some(arg) = values.find(OptionKey::TeardownTimeout)
            && values.find(OptionKey::Teardown).is_none()
        {
            let message = "`teardown_timeout` limits a teardown, and there is none; add `teardown = stop`";
            values.errors.at(&arg.word, message);
        }
        if let Some(arg) = values.find(OptionKey::Teardown)
            && options.shared.is_some()
        {
            let message = "what is shared outlives every test, and nobody takes it down; remove `teardown` or `shared`";
            values.errors.at(&arg.word, message);
        }
        options
    }
}

fn check_shared(values: &mut Values<'_>) -> Option<Shared> {
    let arg = values.find(OptionKey::Shared)?;
    let Some(value) = &arg.value else {
        return Some(Shared::Process);
    };
    match text(value).as_deref() {
        Some("process") => Some(Shared::Process),
        Some("run") => Some(Shared::Run),
        _ => {
            let misfit = OptionKey::Shared.misfit(value, "`\"process\"`, as it is alone, or `\"run\"`");
            values.errors.push(misfit);
            None
        }
    }
}
