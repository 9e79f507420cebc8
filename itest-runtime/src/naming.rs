//! Names: of tests, of the places where the runtime keeps things, of what it makes on servers.

use std::path::{Path, PathBuf};

use crate::case::Case;
use crate::spec::{Fingerprint, FingerprintBuilder};

/// The test's name as its harness knows it: what `--exact` needs.
///
/// nextest says it, unless it is another test's that started this one; otherwise libtest names the test's thread after it,
/// except with one thread, where only the path of the function is left.
pub(crate) fn harness_name(case: &Case) -> String {
    if let Ok(name) = std::env::var("NEXTEST_TEST_NAME")
        && name.ends_with_path_of(case)
    {
        return name;
    }
    let thread = std::thread::current();
    match thread.name() {
        Some(name) if name != "main" && name.ends_with_path_of(case) => name.to_owned(),
        _ => path_in_crate(case.module, case.name),
    }
}

trait PathOf {
    fn ends_with_path_of(&self, case: &Case) -> bool;
}

impl PathOf for str {
    /// Under rstest the function's name is a module of cases.
    fn ends_with_path_of(&self, case: &Case) -> bool {
        let path = path_in_crate(case.module, case.name);
        self.strip_prefix(&path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

fn path_in_crate(module: &str, name: &str) -> String {
    match module.split_once("::") {
        Some((_, module)) => format!("{module}::{name}"),
        None => name.to_owned(),
    }
}

/// The folder of the test's package: where its runner says, as it may have been moved, unless that is another package's, as a
/// program that cargo runs hands its own on.
pub(crate) fn package_dir(case: &Case) -> PathBuf {
    let compiled = PathBuf::from(case.manifest_dir);
    match std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from) {
        Some(said) if said == compiled || !is_another_package(&said, &compiled) => said,
        Some(_) | None => compiled,
    }
}

fn is_another_package(one: &Path, other: &Path) -> bool {
    let name = |package: &Path| {
        let manifest = std::fs::read_to_string(package.join("Cargo.toml")).ok()?;
        let manifest: toml::Table = manifest.parse().ok()?;
        Some(manifest.get("package")?.get("name")?.as_str()?.to_owned())
    };
    name(one).zip(name(other)).is_some_and(|(one, other)| one != other)
}

/// The workspace's root: the nearest folder upwards of the package with a `Cargo.lock`.
pub(crate) fn workspace_root(case: &Case) -> PathBuf {
    let package = package_dir(case);
    let package = package.canonicalize().unwrap_or(package);
    package
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file())
        .unwrap_or(&package)
        .to_owned()
}

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
    fn a_package_is_known_by_the_name_in_its_manifest() {
        let folder = tempfile::tempdir().expect("a folder");
        let package = |folder_name: &str, manifest: &str| {
            let package = folder.path().join(folder_name);
            std::fs::create_dir(&package).expect("made");
            std::fs::write(package.join("Cargo.toml"), manifest).expect("written");
            package
        };
        let shop = package("shop", "[package]\nname = \"shop\"\n");
        let moved = package("moved", "[package]\nname = \"shop\"\nversion = \"2.0.0\"\n");
        let other = package("other", "[package]\nname = \"other\"\n");
        assert!(is_another_package(&other, &shop));
        assert!(!is_another_package(&moved, &shop));
        assert!(!is_another_package(Path::new("/nowhere"), &shop), "nobody knows");
    }

    #[test]
    fn the_crate_is_no_part_of_a_tests_name() {
        assert_eq!(
            path_in_crate("orders::users::tests", "are_paged"),
            "users::tests::are_paged"
        );
        assert_eq!(path_in_crate("orders", "are_paged"), "are_paged");
    }

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
