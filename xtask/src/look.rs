//! Looks for a program the way the tests themselves will.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::need::{Need, Program};
use crate::version::Version;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    Found {
        /// The folder where several programs belong together, else the program.
        place: PathBuf,
        version: Version,
    },
    /// A person has named a server that runs elsewhere.
    Elsewhere {
        variable: String,
    },
    Missing {
        why: String,
    },
    /// A person has said where it is, and it isn't: nothing that we should install around.
    Mistake(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { place, version } => write!(f, "found {} ({version})", place.display()),
            Self::Elsewhere { variable } => write!(f, "not looked for: {variable} names a running server"),
            Self::Missing { why } => write!(f, "missing: {why}"),
            Self::Mistake(mistake) => write!(f, "{mistake}"),
        }
    }
}

/// Reads a variable of the environment.
type Variable<'a> = &'a dyn Fn(&str) -> Option<OsString>;
/// What a program says to `--version`.
type Ask<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where a person said, or else the first that fits in PATH, or else the newest of the usual places.
pub(crate) fn find(need: Need, variable: Variable, ask: Ask) -> Finding {
    let program = need.program();
    if let Some(setting) = need.setting() {
        let (url, bin) = (format!("{setting}_URL"), format!("{setting}_BIN"));
        // As in the runtime: a running server wins over a program.
        if variable(&url).is_some() {
            return Finding::Elsewhere { variable: url };
        }
        if let Some(place) = variable(&bin) {
            return said_by_a_person(&program, &bin, Path::new(&place), ask);
        }
    }
    let mut unfit = Vec::new();
    for path in in_path(&program, need, variable) {
        match judge(&program, &path, ask) {
            Ok((place, version)) => return Finding::Found { place, version },
            Err(why) => unfit.push(why),
        }
    }
    let mut fitting = Vec::new();
    for path in in_folders(&program) {
        match judge(&program, &path, ask) {
            Ok(found) => fitting.push(found),
            Err(why) => unfit.push(why),
        }
    }
    match fitting.into_iter().max_by(|a, b| a.1.cmp(&b.1)) {
        Some((place, version)) => Finding::Found { place, version },
        None if unfit.is_empty() => Finding::Missing { why: nowhere(&program) },
        None => Finding::Missing { why: unfit.join("; ") },
    }
}

fn said_by_a_person(program: &Program, variable: &str, place: &Path, ask: Ask) -> Finding {
    let path = if place.is_dir() {
        place.join(program.names[0])
    } else {
        place.to_owned()
    };
    let judged = if path.is_file() {
        judge(program, &path, ask)
    } else {
        Err("it is not there".to_owned())
    };
    match judged {
        Ok((place, version)) => Finding::Found { place, version },
        Err(why) => Finding::Mistake(format!(
            "{variable} names {}, but {why}; set it to the folder that holds `{}`, or unset it",
            path.display(),
            program.names[0],
        )),
    }
}

/// Whether a program will do, or why not.
fn judge(program: &Program, path: &Path, ask: Ask) -> Result<(PathBuf, Version), String> {
    // A link such as /usr/local/bin/postgres leads to the folder with the programs that belong to it.
    let real = if program.companions.is_empty() {
        None
    } else {
        path.canonicalize().ok()
    };
    let path = real.as_deref().unwrap_or(path);
    let said = ask(&path.to_string_lossy()).ok_or_else(|| format!("`{} --version` fails", path.display()))?;
    let version = Version::parse(&said).ok_or_else(|| format!("{} tells no version: `{said}`", path.display()))?;
    if version.major() < program.at_least {
        return Err(format!(
            "{} is version {version}, needed is {} or later",
            path.display(),
            program.at_least
        ));
    }
    let Some(folder) = path.parent().filter(|_| !program.companions.is_empty()) else {
        return Ok((path.to_owned(), version));
    };
    match program
        .companions
        .iter()
        .find(|companion| !folder.join(companion).is_file())
    {
        Some(companion) => Err(format!("{} has no `{companion}` beside it", path.display())),
        None => Ok((folder.to_owned(), version)),
    }
}

fn nowhere(program: &Program) -> String {
    let names: Vec<_> = program.names.iter().map(|name| format!("`{name}`")).collect();
    let places: Vec<_> = ["PATH"].iter().chain(program.folders).copied().collect();
    format!("no {} in {}", names.join(" or "), places.join(", "))
}

fn in_path(program: &Program, need: Need, variable: Variable) -> Vec<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    // Cargo finds its subcommands in its own folder, too.
    if need == Need::Nextest {
        let home = variable("HOME").map(|home| Path::new(&home).join(".cargo"));
        folders.extend(
            variable("CARGO_HOME")
                .map(PathBuf::from)
                .or(home)
                .map(|home| home.join("bin")),
        );
    }
    existing(&folders, program)
}

fn in_folders(program: &Program) -> Vec<PathBuf> {
    existing(
        &program
            .folders
            .iter()
            .flat_map(|folder| expand(folder))
            .collect::<Vec<_>>(),
        program,
    )
}

fn existing(folders: &[PathBuf], program: &Program) -> Vec<PathBuf> {
    let each = |name: &'static str| folders.iter().map(move |folder| folder.join(name));
    program
        .names
        .iter()
        .copied()
        .flat_map(each)
        .filter(|path| path.is_file())
        .collect()
}

/// The folders that a pattern with `*` in its components stands for.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        folders = match part.split_once('*') {
            None => folders.into_iter().map(|folder| folder.join(part)).collect(),
            Some((start, end)) => {
                let fits = |name: &str| name.starts_with(start) && name.ends_with(end);
                let entries = folders
                    .iter()
                    .filter_map(|folder| fs::read_dir(folder).ok())
                    .flatten()
                    .flatten();
                entries
                    .filter(|entry| entry.file_name().to_str().is_some_and(fits))
                    .map(|entry| entry.path())
                    .collect()
            }
        };
    }
    folders
}

#[cfg(test)]
mod tests;
