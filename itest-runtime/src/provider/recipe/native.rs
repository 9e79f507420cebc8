//! What it takes to run a service as a process of this machine.

use std::path::{Path, PathBuf};

use crate::os::SegmentFile;

/// How to run a service as a process of this machine.
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
            segment: None,
        }
    }
}

/// A program that runs a service.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// The program's name. It must tell its version when called with `--version`.
    pub name: String,
    /// Folders to look into besides `PATH`, such as `/usr/lib/postgresql/*/bin`: a component may contain one `*`.
    pub folders: Vec<String>,
    /// The version that is wanted, such as `16` or `7.2`; any if none.
    pub version: Option<String>,
    /// The oldest major version that will do; any if zero.
    pub at_least: u32,
    /// What to install, for a person.
    pub install: String,
}

/// The arguments that make a data folder there: the next are tried when the first fail.
pub type PrepareArgs = Box<dyn Fn(&Path) -> Vec<Vec<String>> + Send + Sync>;

/// Makes a data folder. The result is kept between runs, by the program's version and the arguments.
pub struct Prepare {
    /// The program's name; it lies next to the server's.
    pub program: String,
    /// How many bytes it writes at least: where fewer are free, it isn't begun.
    pub bytes: u64,
    /// Arguments for a folder, in order of preference.
    pub tries: PrepareArgs,
}

/// How to start the server in its place.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    /// The program's arguments.
    pub args: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// Files to write first, readable by the server's user alone: paths relative to the server's folder, and contents.
    pub files: Vec<(String, String)>,
}

/// A signal that ends a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
pub struct Place {
    /// The server's own folder, of mode 0700: sockets, files, log. The socket's path is short enough for the system.
    pub dir: PathBuf,
    /// Its data: `data` in that folder.
    pub data: PathBuf,
    /// A free port on the loopback interface.
    pub port: u16,
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
