//! What an image is made of, as a number: it is the same tomorrow, on another machine, and with another toolchain.

use std::fmt;

/// FNV-1a of 64 bits. Nobody gains by forging it, and `std`'s hashers may change with the toolchain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint(u64);

impl Fingerprint {
    pub(super) fn of(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let start = Self(0xcbf2_9ce4_8422_2325);
        parts.into_iter().fold(start, |so_far, part| {
            let part = part.as_ref();
            // With its length, so that a part's end counts.
            so_far.and(&(part.len() as u64).to_le_bytes()).and(part)
        })
    }

    fn and(self, bytes: &[u8]) -> Self {
        let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self(bytes.iter().fold(self.0, add))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_published_function() {
        // From http://www.isthe.com/chongo/src/fnv/test_fnv.c
        let empty: [&str; 0] = [];
        assert_eq!(Fingerprint::of(empty).and(b"foobar").to_string(), "85944171f73967e8");
    }

    #[test]
    fn every_part_counts_with_its_bounds() {
        let one = Fingerprint::of(["ab", "c"]);
        assert_eq!(one, Fingerprint::of(["ab", "c"]));
        for other in [&["a", "bc"][..], &["abc"], &["c", "ab"], &["ab", "c", ""]] {
            assert_ne!(one, Fingerprint::of(other), "{other:?}");
        }
    }
}
