//! Names: of tests, of the places where the runtime keeps things, of what it makes on servers.

use std::path::Path;

use crate::spec::{Fingerprint, FingerprintBuilder};

/// Who shares a supervisor: one workspace, one build of the runtime, and those whose services it is for.
pub(crate) fn supervisor_key(workspace: &Path, build: &str, whose: &str) -> Fingerprint {
    let engine = crate::os::variable("DOCKER_HOST").unwrap_or_default();
    let mut key = FingerprintBuilder::new("supervisor");
    key.bytes(workspace.as_os_str().as_encoded_bytes())
        .text(build)
        .text(whose)
        // A supervisor speaks to the one engine that its environment names.
        .bytes(engine.as_encoded_bytes());
    key.finish()
}

/// A name for a lease, at most `limit` bytes: the end of the test's name, where its own name is, and a unique part.
pub(crate) fn lease_name(test: &str, unique: &str, limit: usize) -> String {
    let room = limit.saturating_sub(unique.len() + 1);
    let clean: String = test
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == ':' { c } else { '_' })
        .collect();
    let start = clean.len().saturating_sub(room);
    format!("{}#{unique}", &clean[start..])
}

/// Random hexadecimal digits from the operating system, two for each byte: for passwords, and for names that no other has.
///
/// # Panics
/// When the operating system gives none.
pub fn random_hex(bytes: usize) -> String {
    use std::io::Read;
    let mut buffer = vec![0_u8; bytes];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut buffer))
        .expect("the operating system gives random bytes");
    buffer.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_named_after_the_end_of_a_long_test_name() {
        let name = lease_name(&"long::".repeat(20), "ab-1", 63);
        assert_eq!(name.len(), 63);
        assert!(name.ends_with("long::#ab-1"), "{name}");
    }

    #[test]
    fn a_lease_name_holds_only_harmless_characters() {
        assert_eq!(lease_name("a\"b'c é", "1", 63), "a_b_c__#1");
    }

    #[test]
    fn two_workspaces_have_two_supervisors() {
        let key = |workspace: &str| supervisor_key(Path::new(workspace), "1", "common");
        assert_ne!(key("/a"), key("/b"));
        assert_eq!(key("/a"), key("/a"));
    }
}
