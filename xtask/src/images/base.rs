//! The image that all others are built on: Debian's packages in one root file system, without what no server reads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::fingerprint::Fingerprint;
use super::store;
use crate::host;
use crate::line::Line;
use crate::need::{self, Need};

const SUITE: &str = "bookworm";
/// What the suite has.
pub(super) const POSTGRES_MAJOR: &str = "15";
pub(super) const REDIS_VERSION: &str = "7.0";
pub(super) const MEMCACHED_VERSION: &str = "1.6";
pub(super) const NATS_VERSION: &str = "2.9";
pub(super) const MARIADB_VERSION: &str = "10.11";
const PACKAGES: &str = "postgresql-15,redis-server,memcached,nats-server,mariadb-server,gosu,busybox";

pub(super) const TAG: &str = "localhost/itest-base:bookworm";
/// Holds the base's fingerprint. What is built on the base has it, too.
pub(super) const LABEL: &str = "itest.images.base";

/// Debian's package creates a cluster, as in [`crate::install`]; the image's entrypoint makes its own.
const NO_CLUSTER: &str = r#"mkdir -p "$1/etc/postgresql-common/createcluster.d" && echo 'create_main_cluster = false' >"$1/etc/postgresql-common/createcluster.d/none.conf""#;

/// After each step of a Dockerfile an engine may compare all files, on fuse-overlayfs 9000 of them in 3.3 s. Two in
/// three go: no server reads them, and no package is to be added. (LLVM stays: `jit` is on by default.)
const SLIM: &str = r#"cd "$1" && rm -rf usr/share/doc usr/share/man usr/share/info usr/share/locale usr/share/i18n usr/share/lintian usr/share/bash-completion usr/share/zoneinfo/posix usr/share/zoneinfo/right usr/share/perl usr/share/perl5 usr/lib/*/perl usr/lib/*/perl5 usr/lib/*/perl-base usr/lib/*/gconv usr/lib/postgresql/*/lib/bitcode var/lib/dpkg/info var/lib/mysql/* usr/share/mysql/mysql-test"#;

/// A root file system has no settings; this is what Debian's own image says.
const PATH: &str = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where Debian's installer and images write their own sources, but nobody else's.
const SOURCES: [&str; 2] = ["/etc/apt/sources.list", "/etc/apt/sources.list.d/debian.sources"];

/// Makes it if it isn't there, or is made of other things than it would be now.
pub(super) fn ensure() -> Result<()> {
    if store::has(&[TAG.to_owned()], LABEL, fingerprint())? {
        println!("base: {TAG} … there");
        return Ok(());
    }
    create()
}

pub(super) fn create() -> Result<()> {
    need::ensure(Need::IMAGES)?;
    let folder = Temporary::create()?;
    let archive = folder.0.join("base.tar").display().to_string();
    let sources = sources(host::debian_release().as_deref(), &|path| fs::read_to_string(path).ok());
    let line = debootstrap(&archive).args(&sources);
    println!("making: {line}");
    line.run()?;
    let line = import(&archive);
    println!("making: {line}");
    store::said(&line)?;
    Ok(())
}

/// Of all that decides on its contents, but for the versions that the archive has today.
pub(super) fn fingerprint() -> Fingerprint {
    Fingerprint::of([debootstrap("").to_string(), PATH.to_owned()])
}

fn debootstrap(archive: &str) -> Line {
    Line::new(
        "mmdebstrap",
        [
            "--variant=minbase",
            &format!("--include={PACKAGES}"),
            &format!("--essential-hook={NO_CLUSTER}"),
            &format!("--customize-hook={SLIM}"),
            SUITE,
            archive,
        ],
    )
}

fn import(archive: &str) -> Line {
    let label = format!("LABEL {LABEL}={}", fingerprint());
    Line::new("docker", ["import", "--change", PATH, "--change", &label, archive, TAG])
}

/// The packages come from where this host's own do, if it runs the same Debian: that is in reach, and maybe near.
/// Without a word on it mmdebstrap takes Debian's usual mirror.
fn sources(release: Option<&str>, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let names_it = |text: String| {
        text.lines()
            .any(|line| !line.trim_start().starts_with('#') && line.contains(SUITE))
    };
    SOURCES
        .into_iter()
        .filter(|path| release == Some(SUITE) && read(path).is_some_and(names_it))
        .map(str::to_owned)
        .collect()
}

/// A folder that goes with the value.
struct Temporary(PathBuf);

impl Temporary {
    fn create() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("itest-xtask-{}-images", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("failed to create {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn remove(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        println!("warning: failed to remove {}: {error}; going on", folder.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[(&'static str, &'static str)], release: &str) -> Vec<String> {
        let read = |path: &str| {
            files
                .iter()
                .find(|(known, _)| *known == path)
                .map(|(_, text)| (*text).to_owned())
        };
        sources(Some(release), &read)
    }

    #[test]
    fn the_hosts_sources_are_taken_if_they_are_of_the_same_release() {
        let files = [(SOURCES[1], "Types: deb\nSuites: bookworm bookworm-updates\n")];
        assert_eq!(with(&files, "bookworm"), [SOURCES[1]]);
        assert_eq!(with(&files, "trixie"), [""; 0]);
    }

    #[test]
    fn a_file_that_names_no_source_is_left_out() {
        let files = [
            (SOURCES[0], "# deb mirror bookworm main, see debian.sources\n"),
            (SOURCES[1], ""),
        ];
        assert_eq!(with(&files, "bookworm"), [""; 0]);
    }

    #[test]
    fn what_it_is_made_of_names_the_versions() {
        assert!(
            PACKAGES.contains(&format!("postgresql-{POSTGRES_MAJOR},")),
            "{PACKAGES}"
        );
        assert!(TAG.ends_with(SUITE), "{TAG}");
    }

    #[test]
    fn the_fingerprint_is_of_the_recipe_and_not_of_the_place() {
        assert!(!debootstrap("").to_string().contains("/tmp"));
        assert!(
            import("x.tar")
                .to_string()
                .contains(&format!("{LABEL}={}", fingerprint()))
        );
    }
}
