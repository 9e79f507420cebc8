//! Where a test stands: its name, its package, its workspace.

use std::path::{Path, PathBuf};

use super::Case;

impl Case {
    /// The test's name as its harness knows it: what `--exact` needs.
    ///
    /// nextest says it, unless it is another test's that started this one; otherwise libtest names the test's thread after it,
    /// except with one thread, where only the path of the function is left.
    pub(crate) fn harness_name(&self) -> String {
        let path = path_in_crate(self.module, self.name);
        if let Ok(name) = std::env::var("NEXTEST_TEST_NAME")
            && is_below(&path, &name)
        {
            return name;
        }
        let thread = std::thread::current();
        match thread.name() {
            Some(name) if name != "main" && is_below(&path, name) => name.to_owned(),
            _ => path,
        }
    }

    /// The folder of the test's package: where its runner says, as it may have been moved, unless that is another package's, as
    /// a program that cargo runs hands its own on.
    pub(crate) fn package_dir(&self) -> PathBuf {
        let compiled = PathBuf::from(self.manifest_dir);
        match std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from) {
            Some(said) if said == compiled || !is_another_package(&said, &compiled) => said,
            Some(_) | None => compiled,
        }
    }

    /// The workspace's root: the nearest folder upwards of the package with a `Cargo.lock`.
    pub(crate) fn workspace_root(&self) -> PathBuf {
        let package = self.package_dir();
        let package = package.canonicalize().unwrap_or(package);
        package
            .ancestors()
            .find(|folder| folder.join("Cargo.lock").is_file())
            .unwrap_or(&package)
            .to_owned()
    }
}

fn path_in_crate(module: &str, name: &str) -> String {
    match module.split_once("::") {
        Some((_, module)) => format!("{module}::{name}"),
        None => name.to_owned(),
    }
}

/// Under rstest the function's name is a module of cases.
fn is_below(path: &str, name: &str) -> bool {
    name.strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn is_another_package(one: &Path, other: &Path) -> bool {
    let name = |package: &Path| {
        let manifest = std::fs::read_to_string(package.join("Cargo.toml")).ok()?;
        let manifest: toml::Table = manifest.parse().ok()?;
        Some(manifest.get("package")?.get("name")?.as_str()?.to_owned())
    };
    name(one).zip(name(other)).is_some_and(|(one, other)| one != other)
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
}
