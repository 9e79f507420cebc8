//! Which code a service is: what makes two processes' services the same one.

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::quote;

/// `PACKAGE VERSION FILE STAMP`, as a literal.
pub(crate) fn code(input: &TokenStream, file: &str) -> TokenStream {
    if !input.is_empty() {
        return syn::Error::new_spanned(input, "`code!()` takes nothing; write it without").to_compile_error();
    }
    let variable = |name| env::var(name).unwrap_or_default();
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let stamp = stamp(&package, &dependencies(env::args()));
    let code = format!(
        "{} {} {} {stamp:016x}",
        variable("CARGO_PKG_NAME"),
        variable("CARGO_PKG_VERSION"),
        file.replace(' ', "_")
    );
    quote! { #code }
}

/// What else the package's code may be is in no file of its own: which crates it is linked with, and with which features. The
/// compiler is told both.
fn dependencies(args: impl Iterator<Item = String>) -> Vec<String> {
    let mut told = Vec::new();
    let mut next_is_one = false;
    for arg in args {
        if next_is_one {
            told.push(arg.clone());
        }
        next_is_one = arg == "--extern" || arg == "--cfg";
        if let Some(file) = arg.strip_prefix('@') {
            let lines = fs::read_to_string(file).unwrap_or_default();
            told.extend(dependencies(lines.lines().map(str::to_owned)));
        }
    }
    told
}

fn stamp(package: &Path, dependencies: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut sources = Vec::new();
    collect(package, &mut sources);
    sources.sort();
    for path in sources {
        path.strip_prefix(package).unwrap_or(&path).hash(&mut hasher);
        fs::read(&path).unwrap_or_default().hash(&mut hasher);
    }
    for dependency in dependencies {
        dependency.hash(&mut hasher);
        // A crate that was rebuilt lies where the older one lay.
        let library = dependency.split_once('=').and_then(|(_, path)| fs::metadata(path).ok());
        library
            .map(|library| (library.len(), library.modified().ok()))
            .hash(&mut hasher);
    }
    hasher.finish()
}

/// The package's manifest and Rust files: not what is built, what is hidden, or another package's.
fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder {
            let is_foreign =
                name == "target" || name.to_string_lossy().starts_with('.') || path.join("Cargo.toml").is_file();
            if !is_foreign {
                collect(&path, into);
            }
        } else if name == "Cargo.toml" || path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &Path) {
        fs::create_dir_all(folder.join("tests/service")).expect("a folder");
        fs::create_dir_all(folder.join("other/src")).expect("a folder");
        for file in [
            "Cargo.toml",
            "tests/one.rs",
            "tests/service/mod.rs",
            "other/Cargo.toml",
            "other/src/lib.rs",
        ] {
            fs::write(folder.join(file), file).expect("written");
        }
    }

    #[test]
    fn a_change_of_any_source_or_dependency_is_other_code_and_nothing_else_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let (package_dir, library) = (folder.path().join("package"), folder.path().join("libclient-1.rmeta"));
        package(&package_dir);
        fs::write(&library, "1").expect("written");
        let dependencies = [format!("client={}", library.display())];
        let now = || stamp(&package_dir, &dependencies);
        let before = now();
        for (file, text) in [("target.txt", "x"), ("other/src/lib.rs", "x")] {
            fs::write(package_dir.join(file), text).expect("written");
            assert_eq!(now(), before, "{file}");
        }
        fs::write(package_dir.join("tests/service/mod.rs"), "x").expect("written");
        let changed = now();
        assert_ne!(changed, before, "a module");
        fs::write(&library, "1 and more").expect("written");
        assert_ne!(now(), changed, "a library");
        assert_ne!(stamp(&package_dir, &[]), changed, "no library");
    }

    #[test]
    fn libraries_and_features_are_told_to_the_compiler_by_its_arguments_or_in_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("args");
        fs::write(&file, "--extern\nb=libb.rlib\n").expect("written");
        let args = [
            "rustc",
            "--crate-name",
            "x",
            "--cfg",
            "feature=\"f\"",
            "--extern",
            "a=liba.rlib",
        ];
        let args = args
            .map(str::to_owned)
            .into_iter()
            .chain([format!("@{}", file.display())]);
        assert_eq!(dependencies(args), ["feature=\"f\"", "a=liba.rlib", "b=libb.rlib"]);
    }
}
