//! A fixture's value, as a parameter has it.

use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;

use crate::outcome::Verdict;

/// A fixture's value, as a parameter has it: everybody who asks for it has the same one.
pub struct Lent<V>(Arc<V>);

impl<V> fmt::Debug for Lent<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}

impl<V> Lent<V> {
    pub(super) fn of(value: Arc<V>) -> Self {
        Self(value)
    }

    /// For a parameter `T`: a clone.
    pub fn into_value(self) -> V
    where
        V: ByValue,
    {
        V::clone(&self.0)
    }

    /// For a parameter `&T`.
    pub fn shared(&self) -> &V {
        &self.0
    }

    /// For a parameter `&mut T`: a mistake, which the compiler tells.
    ///
    /// # Panics
    /// Never: it can't be called.
    #[expect(clippy::unused_self, reason = "it is called as the others are")]
    pub fn exclusive(&mut self) -> &mut V
    where
        V: Exclusive,
    {
        unreachable!("no type implements the trait")
    }

    /// The fixture keeps the value: there is nothing to look at.
    pub fn finish(self, verdict: Verdict) -> Ready<Verdict> {
        drop(self.0);
        ready(verdict)
    }
}

/// What a fixture's value must be for a parameter `T`.
#[diagnostic::on_unimplemented(
    message = "the value of a fixture is shared, and `{Self}` can't be cloned",
    label = "write `&` before the type",
    note = "a test has a fixture's value by `&T`, or by `T` if that is `Clone`"
)]
pub trait ByValue: Clone {}

#[diagnostic::do_not_recommend]
impl<T: Clone> ByValue for T {}

/// What a fixture's value must be for a parameter `&mut T`: none is that.
#[diagnostic::on_unimplemented(
    message = "the value of a fixture is shared, and can't be lent as `&mut {Self}`",
    label = "write `&` without `mut`",
    note = "a value that changes is a `Mutex` or a cell inside the fixture's"
)]
pub trait Exclusive {}
