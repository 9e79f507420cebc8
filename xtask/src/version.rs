//! The version in what a program says of itself.

use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(Vec<u32>);

impl Version {
    /// Reads the first number with its dots, as in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
    pub(crate) fn parse(said: &str) -> Option<Self> {
        let starts_a_word = |at: usize| !said[..at].ends_with(|before: char| before.is_alphanumeric());
        let (start, _) = said
            .char_indices()
            .find(|(at, c)| c.is_ascii_digit() && starts_a_word(*at))?;
        let number = said[start..].split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        Some(Self(number.split('.').map_while(|part| part.parse().ok()).collect()))
    }

    pub(crate) fn major(&self) -> u32 {
        self.0.first().copied().unwrap_or(0)
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

    #[test]
    fn the_first_number_is_the_version() {
        for (said, version) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15.18"),
            ("postgres (PostgreSQL) 18beta1", "18"),
            ("OpenSSH_9.2, OpenSSL 3.0.19 27 Jan 2026", "9.2"),
            (
                "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=f6d4",
                "7.0.15",
            ),
            ("memcached 1.6.18", "1.6.18"),
            ("cargo-nextest 0.9.143 (60fa45f63 2026-08-04)", "0.9.143"),
            ("Apple clang version 15.0.0 (clang-1500.3.9.4)", "15.0.0"),
        ] {
            let found = Version::parse(said).expect(said);
            assert_eq!(found.to_string(), version, "{said}");
        }
        assert_eq!(Version::parse("no such command"), None);
    }

    #[test]
    fn versions_compare_by_number() {
        let version = |text| Version::parse(text).expect("a version");
        assert!(version("9.6") < version("10"));
        assert!(version("15.9") < version("15.18"));
        assert_eq!(version("15.18").major(), 15);
    }
}
