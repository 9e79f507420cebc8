//! The options beside services: which there are, and what values they take.

mod fixture;
mod test;
mod values;

use syn::{Expr, Ident};

pub(crate) use fixture::{FixtureOptions, Shared};
pub(crate) use test::{Flavor, Options};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OptionKey {
    Timeout,
    Retries,
    RetryDelay,
    Flavor,
    WorkerThreads,
    Crate,
    Harness,
    Teardown,
    TeardownTimeout,
    Shared,
}

/// Whose parentheses are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attribute {
    /// `#[integration(...)]`
    Test,
    /// `#[itest::fixture(...)]`
    Fixture,
}

impl OptionKey {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Retries => "retries",
            Self::RetryDelay => "retry_delay",
            Self::Flavor => "flavor",
            Self::WorkerThreads => "worker_threads",
            Self::Crate => "crate",
            Self::Harness => "harness",
            Self::Teardown => "teardown",
            Self::TeardownTimeout => "teardown_timeout",
            Self::Shared => "shared",
        }
    }

    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Timeout => "timeout = \"30s\"",
            Self::Retries => "retries = 2",
            Self::RetryDelay => "retry_delay = \"100ms\"",
            Self::Flavor => "flavor = \"multi_thread\"",
            Self::WorkerThreads => "worker_threads = 4",
            Self::Crate => "crate = my_crate::itest",
            Self::Harness => "harness = false",
            Self::Teardown => "teardown = stop",
            Self::TeardownTimeout => "teardown_timeout = \"5s\"",
            Self::Shared => "shared = \"run\"",
        }
    }

    /// Whether it says enough without a value.
    pub(crate) fn may_stand_alone(self) -> bool {
        self == Self::Shared
    }

    pub(super) fn misfit(self, value: &Expr, expected: &str) -> syn::Error {
        let message = format!(
            "`{}` is {expected}; write for example `{}`",
            self.word(),
            self.example()
        );
        syn::Error::new_spanned(value, message)
    }
}

impl Attribute {
    fn options(self) -> &'static [OptionKey] {
        match self {
            Self::Test => &[
                OptionKey::Timeout,
                OptionKey::Retries,
                OptionKey::RetryDelay,
                OptionKey::Flavor,
                OptionKey::WorkerThreads,
                OptionKey::Crate,
                OptionKey::Harness,
            ],
            Self::Fixture => &[
                OptionKey::Teardown,
                OptionKey::TeardownTimeout,
                OptionKey::Shared,
                OptionKey::Crate,
            ],
        }
    }

    pub(crate) fn option(self, word: &Ident) -> Option<OptionKey> {
        self.options().iter().copied().find(|key| word == key.word())
    }

    pub(crate) fn an_option(self) -> &'static str {
        match self {
            Self::Test => "a test option",
            Self::Fixture => "an option of fixtures",
        }
    }

    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Test => {
                "expected a service or a test option; write for example `#[integration(postgres, timeout = \"30s\")]`"
            }
            Self::Fixture => {
                "expected a service or an option; write for example `#[itest::fixture(postgres, teardown = stop)]`"
            }
        }
    }

    /// The mistake of giving a value to a word that is not an option.
    pub(crate) fn unknown(self, word: &Ident) -> syn::Error {
        let (written, an_option) = (word.to_string(), self.an_option());
        let all = self.options().iter().map(|key| format!("`{}`", key.word()));
        let all = all.collect::<Vec<_>>().join(", ");
        let nearest = self
            .options()
            .iter()
            .map(|key| (strsim::damerau_levenshtein(&written, key.word()), key.word()))
            .min()
            // Beyond two slips of the hand, another word was meant.
            .filter(|(slips, _)| *slips <= 2);
        let message = match nearest {
            Some((_, nearest)) => format!("`{word}` is not {an_option}; write `{nearest}` (there are {all})"),
            None => format!("`{word}` is not {an_option}; write one of {all}, or put it in a service's parentheses"),
        };
        syn::Error::new_spanned(word, message)
    }
}
