//! Versions of servers, compared number by number.

use std::fmt;

/// Numbers with dots between them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(Vec<u32>);

impl Version {
    /// What somebody wrote: nothing but numbers with dots between them.
    pub(crate) fn written(text: &str) -> Option<Self> {
        text.split('.')
            .map(|part| {
                part.parse()
                    .ok()
                    .filter(|_| part.bytes().all(|digit| digit.is_ascii_digit()))
            })
            .collect::<Option<Vec<u32>>>()
            .map(Self)
    }

    /// The first number with its dots in what a program said of itself.
    pub(crate) fn said(text: &str) -> Option<Self> {
        let start = text
            .char_indices()
            .find(|(at, c)| c.is_ascii_digit() && !text[..*at].ends_with(|before: char| before.is_alphanumeric()))?
            .0;
        let number: String = text[start..]
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        Some(Self(number.split('.').map_while(|part| part.parse().ok()).collect()))
    }

    pub(crate) fn major(&self) -> u32 {
        self.0.first().copied().unwrap_or(0)
    }

    /// Whether this is the one that is wanted: `15.18` is a `15`, and no `15.1`.
    pub(crate) fn is(&self, wanted: &Self) -> bool {
        self.0.starts_with(&wanted.0)
    }

    /// Whether this may be `first` or a later one: a `3` may be `3.5`.
    pub(crate) fn may_be_from(&self, first: &Self) -> bool {
        self.0.as_slice() >= &first.0[..first.0.len().min(self.0.len())]
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(u32::to_string).collect::<Vec<_>>().join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::said(text).expect("a version")
    }

    #[test]
    fn versions_are_read_from_what_programs_say() {
        assert_eq!(
            version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)").to_string(),
            "15.18"
        );
        assert_eq!(version("postgres (PostgreSQL) 18beta1").to_string(), "18");
        assert_eq!(
            version("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64").to_string(),
            "7.0.15"
        );
        assert_eq!(version("memcached 1.6.18").to_string(), "1.6.18");
    }

    #[test]
    fn a_wanted_version_is_compared_part_by_part() {
        assert!(version("x 15.18").is(&version("15")));
        assert!(version("x 15.18").is(&version("15.18")));
        assert!(!version("x 15.18").is(&version("1")));
        assert!(!version("x 15.1").is(&version("15.18")));
    }

    #[test]
    fn the_first_version_may_have_a_minor_number() {
        let first = version("3.5");
        for fits in ["3.5", "3.5.0", "3.10", "4", "4.0", "3"] {
            assert!(version(fits).may_be_from(&first), "{fits}");
        }
        for old in ["3.4.9", "3.0", "2", "2.9"] {
            assert!(!version(old).may_be_from(&first), "{old}");
        }
    }

    #[test]
    fn what_is_written_has_numbers_alone() {
        for wrong in ["latest", "", "7.", ".7", "7.x", "+7", "v7"] {
            assert_eq!(Version::written(wrong), None, "{wrong}");
        }
        assert_eq!(Version::written("7.2"), Some(version("7.2")));
    }
}
