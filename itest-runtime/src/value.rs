//! Option values that are paths: `migrator = MIGRATOR` may name a static, which can't be moved, or a constant or function,
//! which can be copied. The compiler chooses by the number of references it has to add (autoref specialisation, after
//! <https://github.com/dtolnay/case-studies/blob/master/autoref-specialization/README.md>).

/// A reference to what a path names.
#[derive(Debug)]
pub struct PathValue<'a, T: ?Sized>(pub &'a T);

/// What can be copied is.
pub trait ByCopy {
    /// The value's own type.
    type Value;

    /// The value.
    fn value(&self) -> Self::Value;
}

/// Anything else is passed on by reference.
pub trait ByReference {
    /// A reference.
    type Value;

    /// The reference.
    fn value(&self) -> Self::Value;
}

impl<T: Copy> ByCopy for PathValue<'_, T> {
    type Value = T;

    fn value(&self) -> T {
        *self.0
    }
}

impl<'a, T> ByReference for &PathValue<'a, T> {
    type Value = &'a T;

    fn value(&self) -> &'a T {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static LARGE: String = String::new();
    const SMALL: u8 = 1;

    fn function() -> u8 {
        2
    }

    #[test]
    #[expect(
        clippy::needless_borrow,
        reason = "the attribute writes it, and it is what makes the choice"
    )]
    fn statics_are_borrowed_and_what_can_be_copied_is_copied() {
        let large: &'static String = (&PathValue(&LARGE)).value();
        let small: u8 = (&PathValue(&SMALL)).value();
        let function = (&PathValue(&function)).value();
        assert_eq!((large.len(), small, function()), (0, 1, 2));
    }
}
