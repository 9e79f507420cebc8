//! The images: their names and versions, and how one is built on the base.

use std::fs;

use anyhow::{Context, Result};

use super::base;
use super::fingerprint::Fingerprint;
use crate::line::{self, Line};

/// Holds the fingerprint of what an image is made of.
pub(super) const LABEL: &str = "itest.images.made-of";

// The versions are those of the base's release of Debian.
pub(super) const POSTGRES: Image = Image {
    name: "postgres",
    version: base::POSTGRES_MAJOR,
};
pub(super) const REDIS: Image = Image {
    name: "redis",
    version: base::REDIS_VERSION,
};
pub(super) const MARIADB: Image = Image {
    name: "mariadb",
    version: base::MARIADB_VERSION,
};
pub(super) const NATS: Image = Image {
    name: "nats",
    version: base::NATS_VERSION,
};
/// For a service that isn't one of itest's own.
const MEMCACHED: Image = Image {
    name: "memcached",
    version: base::MEMCACHED_VERSION,
};
/// Small programs that serve, for tests that define a container of their own.
const TOOLBOX: Image = Image {
    name: "toolbox",
    version: "1",
};
pub(super) const IMAGES: [Image; 6] = [POSTGRES, REDIS, MARIADB, NATS, MEMCACHED, TOOLBOX];

#[derive(Debug, Clone, Copy)]
pub(super) struct Image {
    name: &'static str,
    version: &'static str,
}

impl Image {
    /// What tests call it. No engine looks for `localhost` in a registry of the internet.
    pub(super) fn tag(&self) -> String {
        format!("localhost/itest-{}:{}", self.name, self.version)
    }

    pub(super) fn tags(&self) -> [String; 2] {
        [self.tag(), format!("localhost/itest-{}:latest", self.name)]
    }

    /// From the root of the workspace.
    fn folder(&self) -> String {
        format!("xtask/images/{}", self.name)
    }

    pub(super) fn fingerprint(&self) -> Result<Fingerprint> {
        let folder = line::root().join(self.folder());
        let read = || {
            let mut files = fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?;
            files.sort_by_key(fs::DirEntry::file_name);
            let mut parts = vec![base::fingerprint().to_string().into_bytes()];
            for file in files {
                parts.push(file.file_name().into_encoded_bytes());
                parts.push(fs::read(file.path())?);
            }
            Ok::<_, std::io::Error>(Fingerprint::of(parts))
        };
        read().with_context(|| format!("failed to read {}", folder.display()))
    }

    pub(super) fn build(&self) -> Result<Line> {
        let label = format!("{LABEL}={}", self.fingerprint()?);
        let base = format!("BASE={}", base::TAG);
        let mut args = vec!["build", "--quiet", "--force-rm", "--network", "none"];
        args.extend(["--build-arg", &base, "--label", &label]);
        let tags = self.tags();
        args.extend(tags.iter().flat_map(|tag| ["--tag", tag]));
        let folder = self.folder();
        args.push(&folder);
        // A builder that a user has chosen for buildx may run in a container, where the engine's own images are not to
        // be had. The engine's builder has them.
        Ok(Line::new("docker", args).env("DOCKER_BUILDKIT", "0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_has_its_files_and_a_fingerprint_of_its_own() {
        let prints = IMAGES.map(|image| image.fingerprint().expect("our own files").to_string());
        assert!(prints[0] != prints[1] && prints[1] != prints[2], "{prints:?}");
        for image in IMAGES {
            let dockerfile = line::root().join(image.folder()).join("Dockerfile");
            let text = fs::read_to_string(&dockerfile).expect("our own file");
            assert!(text.starts_with("ARG BASE\nFROM ${BASE}\n"), "{}", dockerfile.display());
        }
    }

    #[test]
    fn an_image_is_built_with_both_tags_and_its_label() {
        let line = POSTGRES.build().expect("our own files").to_string();
        for part in [
            "--tag localhost/itest-postgres:15 --tag localhost/itest-postgres:latest xtask/images/postgres",
            "--build-arg BASE=localhost/itest-base:bookworm --label itest.images.made-of=",
        ] {
            assert!(line.contains(part), "{line}");
        }
    }
}
