//! Names for contents: equal contents, equal fingerprints.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

/// The name of a content: its 128-bit XXH3, in hexadecimal.
///
/// Nobody gains by forging one, and every test process computes it over all migrations, in a debug build: there SHA-256 takes
/// 30 µs a kilobyte, and this 6.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// One that was written down.
    pub(crate) fn written(text: String) -> Self {
        Self(text)
    }

    /// The first `length` hexadecimal digits, for names that a person reads.
    pub fn short(&self, length: usize) -> &str {
        &self.0[..length.min(self.0.len())]
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Collects everything that shapes a content.
///
/// Each part goes in with its length, so that no two different lists of parts look alike.
///
/// ```
/// use itest::spec::FingerprintBuilder;
///
/// let (mut a, mut b) = (FingerprintBuilder::new("demo"), FingerprintBuilder::new("demo"));
/// a.text("ab").text("c");
/// b.text("a").text("bc");
/// assert_ne!(a.finish(), b.finish());
/// ```
#[derive(Clone)]
pub struct FingerprintBuilder(Xxh3);

impl fmt::Debug for FingerprintBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FingerprintBuilder").finish_non_exhaustive()
    }
}

impl FingerprintBuilder {
    /// Begins a fingerprint of the given kind; kinds never meet.
    pub fn new(kind: &str) -> Self {
        let mut builder = Self(Xxh3::new());
        builder.text(kind);
        builder
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Adds data by its JSON form.
    ///
    /// # Panics
    /// If the value has no JSON form, such as a map with keys that aren't texts.
    pub fn json(&mut self, value: &impl Serialize) -> &mut Self {
        self.bytes(&serde_json::to_vec(value).expect("a spec has a JSON form"))
    }

    /// The fingerprint of all that was added.
    pub fn finish(&self) -> Fingerprint {
        Fingerprint(format!("{:032x}", self.0.digest128()))
    }
}
