//! What it takes to run a service as a process of this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::os::SegmentFile;

/// How to run a service as a process of this machine.
#[non_exhaustive]
pub struct NativeRecipe {
    /// Which program, and where it may be.
    pub program: Program,
    /// What makes the data folder, if the server needs one made.
    pub prepare: Option<Prepare>,
    /// Arguments and files, once it is known where the server will be.
    pub launch: Box<dyn Fn(&Place) -> Launch + Send + Sync>,
    /// Whether the server refuses to run as root: it then runs as another user.
    pub refuses_root: bool,
    /// The signal that ends the server at once and in order.
    pub death_signal: DeathSignal,
    /// The signal on which the server leaves data behind that another one can begin with; none if its data isn't worth that.
    pub keep_signal: Option<DeathSignal>,
    /// Further ports that the server listens on, by their usual numbers.
    pub ports: Vec<u16>,
    /// What leads to the System V shared memory that the server leaves if it is killed, if it has any.
    pub segment: Option<SegmentFile>,
}

impl NativeRecipe {
    /// A program that needs nothing prepared, may run as root, and ends with SIGTERM.
    pub fn new(program: Program, launch: impl Fn(&Place) -> Launch + Send + Sync + 'static) -> Self {
        Self {
            program,
            prepare: None,
            launch: Box::new(launch),
            refuses_root: false,
            death_signal: DeathSignal::Term,
            keep_signal: None,
            ports: Vec::new(),
            segment: None,
        }
    }

    /// Has a data folder made first.
    pub fn prepare(mut self, prepare: Prepare) -> Self {
        self.prepare = Some(prepare);
        self
    }

    /// Runs it as another user where itest runs as root: the server refuses root, or has no need of it.
    pub fn refuses_root(mut self) -> Self {
        self.refuses_root = true;
        self
    }

    /// Ends it with this signal.
    pub fn death_signal(mut self, signal: DeathSignal) -> Self {
        self.death_signal = signal;
        self
    }

    /// Ends it with this signal when its data is to be kept.
    pub fn keep_signal(mut self, signal: DeathSignal) -> Self {
        self.keep_signal = Some(signal);
        self
    }

    /// Has a free port for each of these, too, which are the usual numbers: [`Place::ports`], and
    /// [`Endpoint::address_of`](super::Endpoint::address_of).
    pub fn more_ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.ports.extend(ports);
        self
    }

    /// Says where the number of its System V shared memory stands.
    pub fn segment(mut self, file: SegmentFile) -> Self {
        self.segment = Some(file);
        self
    }
}

/// A program that runs a service.
///
/// ```
/// use itest::provider::Program;
///
/// let program = Program::new("redis-server")
///     .folders(["/opt/homebrew/bin"])
///     .version(Some("7.2".to_owned()))
///     .at_least("6.2")
///     .install("install it: `apt-get install redis-server`");
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Program {
    /// The program's name. It must tell its version when called with `--version`.
    pub name: String,
    /// Folders to look into besides `PATH`, such as `/usr/lib/postgresql/*/bin`: a component may contain one `*`.
    pub folders: Vec<String>,
    /// The version that is wanted, such as `16` or `7.2`; any if none.
    pub version: Option<String>,
    /// The oldest version that will do, such as `13` or `3.5`; any if none.
    pub at_least: Option<String>,
    /// What to install, for a person.
    pub install: String,
}

impl Program {
    /// A program of this name, in `PATH`, of any version.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Looks into these folders, too.
    pub fn folders<S: Into<String>>(mut self, folders: impl IntoIterator<Item = S>) -> Self {
        self.folders.extend(folders.into_iter().map(Into::into));
        self
    }

    /// Takes this version alone, if one is given.
    pub fn version(mut self, version: Option<String>) -> Self {
        self.version = version;
        self
    }

    /// Takes no older version than this one: `"13"`, or `"3.5"`.
    pub fn at_least(mut self, first: impl Into<String>) -> Self {
        self.at_least = Some(first.into());
        self
    }

    /// What a person who hasn't got it is told.
    pub fn install(mut self, install: impl Into<String>) -> Self {
        self.install = install.into();
        self
    }
}

/// The arguments that make a data folder there: the next are tried when the first fail.
pub type PrepareArgs = Box<dyn Fn(&Path) -> Vec<Vec<String>> + Send + Sync>;

/// Makes a data folder. The result is kept between runs, by the program's version and the arguments.
#[non_exhaustive]
pub struct Prepare {
    /// The program's name.
    pub program: String,
    /// Where it lies, relative to the server's folder: the first in which it is. By default next to it.
    pub folders: Vec<String>,
    /// How many bytes it writes at least: where fewer are free, it isn't begun.
    pub bytes: u64,
    /// Arguments for a folder, in order of preference.
    pub tries: PrepareArgs,
}

impl Prepare {
    /// Has `program`, which lies next to the server's, make the folder: with the first arguments that work. It writes `bytes` at least.
    pub fn new(
        program: impl Into<String>,
        bytes: u64,
        tries: impl Fn(&Path) -> Vec<Vec<String>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            program: program.into(),
            folders: vec![".".to_owned()],
            bytes,
            tries: Box::new(tries),
        }
    }

    /// It lies in the first of these folders in which it is, which are relative to the server's: `"../bin"`.
    pub fn folders<S: Into<String>>(mut self, folders: impl IntoIterator<Item = S>) -> Self {
        self.folders = folders.into_iter().map(Into::into).collect();
        self
    }
}

/// How to start the server in its place.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Launch {
    /// The program's arguments.
    pub args: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// Files to write first, readable by the server's user alone: paths relative to the server's folder, and contents.
    pub files: Vec<(String, String)>,
}

impl Launch {
    /// With these arguments.
    pub fn new<S: Into<String>>(args: impl IntoIterator<Item = S>) -> Self {
        Self {
            args: args.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// With these environment variables, besides the few that every server gets.
    pub fn env(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.env.extend(variables);
        self
    }

    /// With this file: its path relative to the server's folder, and what is in it.
    pub fn file(mut self, path: impl Into<String>, contents: impl Into<String>) -> Self {
        self.files.push((path.into(), contents.into()));
        self
    }
}

/// A signal that ends a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DeathSignal {
    /// SIGTERM.
    #[default]
    Term,
    /// SIGINT: on which a postmaster closes what it has written, without waiting for its clients.
    Int,
    /// SIGQUIT: what makes a postmaster leave at once and take its shared memory along.
    Quit,
    /// SIGKILL.
    Kill,
}

/// Where a native server lives.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The server's own folder, of mode 0700: sockets, files, log. The socket's path is short enough for the system.
    pub dir: PathBuf,
    /// Its data: `data` in that folder.
    pub data: PathBuf,
    /// A free port on the loopback interface.
    pub port: u16,
    /// One for each of [`NativeRecipe::ports`].
    pub ports: BTreeMap<u16, u16>,
    /// A random password.
    pub password: String,
    /// The program's major version.
    pub version: u32,
}

/// Never shows the password.
impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place")
            .field("dir", &self.dir)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}
