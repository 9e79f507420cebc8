//! What the commands need of this machine: the data, and the sequence of seeing to it.

use anyhow::{Result, bail};

use crate::host::Host;
use crate::look::{self, Finding};
use crate::{install, line};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Almost always there, as Rust links with one; some linkers are set up without it.
    CCompiler,
    Postgres,
    Redis,
    MariaDb,
    Nats,
    /// The server of the tests that define a service of their own.
    Memcached,
    Nextest,
    /// Makes the root file system of our container images.
    Mmdebstrap,
    /// Brings up compose files: `docker compose` or the older `docker-compose`.
    Compose,
    /// Lets tests log in to this machine, as if it were another.
    Sshd,
}

/// What it takes to recognize a need that is met.
pub(crate) struct Program {
    /// Any of these will do.
    pub(crate) names: &'static [&'static str],
    /// Folders besides those in PATH; a `*` stands for anything.
    pub(crate) folders: &'static [&'static str],
    /// Programs of the same folder that must be there, too.
    pub(crate) companions: &'static [&'static str],
    pub(crate) at_least: u32,
    /// The argument with which it tells its version.
    pub(crate) tells_version: &'static str,
}

impl Need {
    /// What the example's tests need.
    pub(crate) const DEMO: &[Self] = &[Self::CCompiler, Self::Postgres, Self::Redis, Self::Nextest];
    /// What all tests need.
    pub(crate) const TEST: &[Self] = &[
        Self::CCompiler,
        Self::Postgres,
        Self::Redis,
        Self::MariaDb,
        Self::Nats,
        Self::Memcached,
        Self::Nextest,
    ];
    /// What tests with containers need, besides an engine and images.
    pub(crate) const CONTAINERS: &[Self] = &[Self::Compose];
    /// What it takes to make the container images, besides an engine.
    pub(crate) const IMAGES: &[Self] = &[Self::Mmdebstrap];
    /// What some tests need besides, and only a machine gets unasked that is nobody's own: the package starts a service.
    pub(crate) const UNATTENDED: &[Self] = &[Self::Sshd];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CCompiler => "C compiler",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::MariaDb => "mariadb",
            Self::Nats => "nats-server",
            Self::Memcached => "memcached",
            Self::Nextest => "cargo-nextest",
            Self::Mmdebstrap => "mmdebstrap",
            Self::Compose => "docker-compose",
            Self::Sshd => "sshd",
        }
    }

    /// The programs that meet it. The folders and versions are those of the services' native recipes.
    pub(crate) fn program(self) -> Program {
        let plain = |names| Program {
            names,
            folders: &[],
            companions: &[],
            at_least: 0,
            tells_version: "--version",
        };
        match self {
            Self::CCompiler => plain(&["cc", "gcc", "clang"]),
            Self::Redis => plain(&["redis-server"]),
            Self::MariaDb => Program {
                folders: &["/usr/sbin", "/usr/libexec", "/opt/homebrew/opt/mariadb/bin"],
                ..plain(&["mariadbd"])
            },
            Self::Nats => Program {
                folders: &["/usr/sbin"],
                ..plain(&["nats-server"])
            },
            Self::Memcached => plain(&["memcached"]),
            Self::Nextest => plain(&["cargo-nextest"]),
            Self::Mmdebstrap => plain(&["mmdebstrap"]),
            // The plugin is a program of the same name.
            Self::Compose => Program {
                folders: &[
                    "/usr/libexec/docker/cli-plugins",
                    "/usr/lib/docker/cli-plugins",
                    "/usr/local/lib/docker/cli-plugins",
                ],
                ..plain(&["docker-compose"])
            },
            Self::Sshd => Program {
                folders: &["/usr/sbin"],
                tells_version: "-V",
                ..plain(&["sshd"])
            },
            Self::Postgres => Program {
                names: &["postgres"],
                folders: &[
                    "/usr/lib/postgresql/*/bin",
                    "/usr/pgsql-*/bin",
                    "/opt/homebrew/opt/postgresql@*/bin",
                    "/usr/local/opt/postgresql@*/bin",
                    "/Applications/Postgres.app/Contents/Versions/*/bin",
                    "/usr/libexec/postgresql*",
                ],
                companions: &["initdb"],
                at_least: 13,
                ..plain(&[])
            },
        }
    }

    /// The prefix of the settings by which a person says where its server is: `ITEST_POSTGRES` has `_BIN` and `_URL`.
    pub(crate) fn setting(self) -> Option<&'static str> {
        match self {
            Self::Postgres => Some("ITEST_POSTGRES"),
            Self::Redis => Some("ITEST_REDIS"),
            Self::MariaDb => Some("ITEST_MARIADB"),
            Self::Nats => Some("ITEST_NATS"),
            Self::Memcached => Some("ITEST_MEMCACHED"),
            Self::CCompiler | Self::Nextest | Self::Mmdebstrap | Self::Compose | Self::Sshd => None,
        }
    }
}

/// Looks for all of them and installs what is missing, saying so.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing = look_for(needs)?;
    if missing.is_empty() {
        return Ok(());
    }
    install::carry_out(&install::plan(Host::look(), &missing))?;
    let missing = look_for(&missing)?;
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|need| need.name()).collect();
    bail!("still missing after the installation: {}", names.join(", "))
}

/// Says what is found of each, and hands back what is missing.
fn look_for(needs: &[Need]) -> Result<Vec<Need>> {
    let mut missing = Vec::new();
    let mut mistaken = Vec::new();
    for &need in needs {
        let finding = look::find(need, &|name| std::env::var_os(name), &|path| {
            line::Line::new(path, [need.program().tells_version]).said()
        });
        println!("need: {} … {finding}", need.name());
        match finding {
            Finding::Found { .. } | Finding::Elsewhere { .. } => {}
            Finding::Missing { .. } => missing.push(need),
            Finding::Mistake(_) => mistaken.push(need.name()),
        }
    }
    if mistaken.is_empty() {
        return Ok(missing);
    }
    bail!(
        "a setting is wrong, see above: {}; nothing was installed",
        mistaken.join(", ")
    )
}
