//! Finds a program of the wanted version.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::error::{Error, Result};
use crate::provider::recipe::Program;
use crate::spec::Version;

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Without links.
    pub(super) real: PathBuf,
    pub(super) version: Version,
    /// Everything that `--version` said: names a build exactly.
    pub(super) said: String,
}

/// What a program must be, for its version.
struct Wanted {
    version: Option<Version>,
    at_least: Option<Version>,
}

impl Wanted {
    fn of(name: &str, program: &Program) -> Result<Self> {
        let example = program.at_least.as_deref().unwrap_or("1");
        let read = |written: &str| {
            Version::written(written).ok_or_else(|| {
                Error::new(format!("`{written}` is not a version of {name}")).hint(format!(
                    "write numbers with dots, such as `{name}(version = \"{example}\")`"
                ))
            })
        };
        Ok(Self {
            version: program.version.as_deref().map(read).transpose()?,
            at_least: program.at_least.as_deref().map(read).transpose()?,
        })
    }

    fn fits(&self, found: &Found) -> bool {
        self.version.as_ref().is_none_or(|wanted| found.version.is(wanted))
            && self.at_least.as_ref().is_none_or(|first| found.version >= *first)
    }
}

/// Looks where a person said, or else into `PATH` and the usual places.
///
/// Without a wanted version the first in `PATH` is taken, else the newest of the usual places.
pub(super) async fn find(name: &str, program: &Program, bin: Option<&Path>) -> Result<Found> {
    let wanted = Wanted::of(name, program)?;
    let mut tried = Vec::new();
    if let Some(bin) = bin {
        let path = if bin.is_dir() {
            bin.join(&program.name)
        } else {
            bin.to_owned()
        };
        return match ask(&path).await {
            Ok(found) if wanted.fits(&found) => Ok(found),
            Ok(found) => Err(none_fits(
                name,
                program,
                &[(path, format!("is version {}", found.version))],
            )),
            Err(why) => Err(none_fits(name, program, &[(path, why)])),
        };
    }
    // `/bin` may be a link to `/usr/bin`, and a usual place may be in `PATH`.
    let mut asked = HashSet::new();
    let mut is_new = |path: &PathBuf| asked.insert(without_links_to_its_folder(path));
    for path in in_path(&program.name).into_iter().filter(&mut is_new) {
        match ask(&path).await {
            Ok(found) if wanted.fits(&found) => return Ok(found),
            Ok(found) => tried.push((path, format!("is version {}", found.version))),
            Err(why) => tried.push((path, why)),
        }
    }
    let mut fitting = Vec::new();
    for folder in &program.folders {
        for path in expand(folder)
            .into_iter()
            .map(|folder| folder.join(&program.name))
            .filter(|path| path.is_file())
            .filter(&mut is_new)
        {
            match ask(&path).await {
                Ok(found) if wanted.fits(&found) => fitting.push(found),
                Ok(found) => tried.push((path, format!("is version {}", found.version))),
                Err(why) => tried.push((path, why)),
            }
        }
    }
    fitting
        .into_iter()
        .max_by(|a, b| a.version.cmp(&b.version))
        .ok_or_else(|| none_fits(name, program, &tried))
}

fn none_fits(name: &str, program: &Program, tried: &[(PathBuf, String)]) -> Error {
    let wanted = match &program.version {
        Some(version) => format!("`{}` of version {version}", program.name),
        None => match &program.at_least {
            Some(first) => format!("`{}` of version {first} or later", program.name),
            None => format!("`{}`", program.name),
        },
    };
    let mut looked: Vec<String> = tried
        .iter()
        .map(|(path, why)| format!("{} {why}", path.display()))
        .collect();
    if looked.is_empty() {
        looked.push(format!("none in PATH, none in {}", program.folders.join(", ")));
    }
    let variable = name.to_uppercase();
    Error::new(format!("no program {wanted} was found"))
        .log("what was tried", looked)
        .hint(format!(
            "{}; or set ITEST_{variable}_BIN to the folder that holds it, or ITEST_{variable}_URL to a running server",
            program.install
        ))
}

/// Runs `PROGRAM --version`.
async fn ask(path: &Path) -> std::result::Result<Found, String> {
    // A link such as /usr/local/bin/postgres leads to the folder with the programs that belong to it. It isn't called by
    // that name: Debian's redis-server is a link to a program that goes by the name it was called by.
    let real = path.canonicalize().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "is not there".to_owned(),
        _ => format!("can't be used: {error}"),
    })?;
    let output = tokio::process::Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|error| format!("can't be run: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let version = Version::said(&said).ok_or_else(|| format!("doesn't tell its version: `{said}`"))?;
    Ok(Found {
        path: path.to_owned(),
        real,
        version,
        said,
    })
}

fn in_path(program: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .filter(|path| path.is_file())
        .collect()
}

/// The same for every path to one program, unless its name is another.
fn without_links_to_its_folder(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    match folder.zip(path.file_name()) {
        Some((folder, name)) => folder.join(name),
        None => path.to_owned(),
    }
}

/// The folders that a pattern with `*` in its components stands for.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        folders = match part.split_once('*') {
            None => folders.into_iter().map(|folder| folder.join(part)).collect(),
            Some((start, end)) => folders
                .iter()
                .filter_map(|folder| fs::read_dir(folder).ok())
                .flat_map(Iterator::flatten)
                .filter(|entry| {
                    entry
                        .file_name()
                        .to_str()
                        .is_some_and(|name| name.starts_with(start) && name.ends_with(end))
                })
                .map(|entry| entry.path())
                .collect(),
        };
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_the_same_whatever_path_leads_to_its_folder() {
        let base = tempfile::tempdir().expect("a folder");
        let (real, link) = (base.path().join("usr-bin"), base.path().join("bin"));
        fs::create_dir(&real).expect("made");
        std::os::unix::fs::symlink(&real, &link).expect("linked");
        let [one, other] = [&real, &link].map(|folder| without_links_to_its_folder(&folder.join("server")));
        assert_eq!(one, other);
        assert_ne!(one, without_links_to_its_folder(&real.join("server-check")));
    }

    #[tokio::test]
    async fn what_was_tried_is_said_with_the_remedy() {
        let program = Program {
            name: "true".into(),
            version: Some("99".into()),
            install: "install it".into(),
            ..Program::default()
        };
        let error = find("postgres", &program, None)
            .await
            .expect_err("there is no such version")
            .render();
        for part in [
            "`true` of version 99",
            "/true is version",
            "hint: install it",
            "ITEST_POSTGRES_BIN",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[tokio::test]
    async fn an_older_minor_version_than_the_first_is_told() {
        // It tells the version of the coreutils.
        let of = |at_least: &str| Program::new("true").at_least(at_least);
        let found = find("search", &of("8.0"), None).await.expect("it is later").version;
        let next = format!("{}.999", found.to_string().split('.').next().unwrap_or_default());
        let error = find("search", &of(&next), None)
            .await
            .expect_err("it is older")
            .render();
        assert!(error.contains(&format!("`true` of version {next} or later")), "{error}");
        assert!(error.contains(&format!("is version {found}")), "{error}");
    }

    #[tokio::test]
    async fn a_version_that_is_none_is_an_error() {
        let program = Program {
            name: "true".into(),
            version: Some("latest".into()),
            ..Program::default()
        };
        let error = find("postgres", &program, None).await.expect_err("no version").render();
        assert!(error.contains("`latest` is not a version of postgres"), "{error}");
    }
}
