//! A machine to log in to: an ssh server of this machine's own, with keys that nobody else has.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Where sshd is: it wants to be started by its full path.
const SSHD: &str = "/usr/sbin/sshd";

/// The name under which it is known to the `ssh` of [`Sshd::path`].
pub(crate) const NAME: &str = "engine";

/// An ssh server on loopback, until it is dropped.
pub(crate) struct Sshd {
    folder: TempDir,
    server: Child,
}

impl Sshd {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("sshd-").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for key in ["host", "user"] {
            generate(&folder.path().join(key)).await;
        }
        fs::copy(folder.path().join("user.pub"), folder.path().join("authorized")).unwrap();
        let root = rustix::process::geteuid().is_root();
        if root {
            // Debian's package leaves that to the service, which needn't run here.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let path = folder.path().display();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {path}/host\nAuthorizedKeysFile {path}/authorized\n\
             StrictModes no\nPidFile none\nUsePAM {}\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\n",
            if root { "yes" } else { "no" }
        );
        fs::write(folder.path().join("sshd_config"), config).unwrap();
        let key = fs::read_to_string(folder.path().join("host.pub")).unwrap();
        fs::write(folder.path().join("known"), format!("[127.0.0.1]:{port} {key}")).unwrap();
        let config = format!(
            "Host {NAME}\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {path}/user\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile {path}/known\n  GlobalKnownHostsFile none\n  ControlPersist 10m\n"
        );
        fs::write(folder.path().join("ssh_config"), config).unwrap();
        write_ssh(&folder);
        let server = Command::new(SSHD)
            .args(["-D", "-e", "-f"])
            .arg(folder.path().join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .kill_on_drop(true)
            .spawn()
            .expect("sshd starts");
        super::wait_for("sshd listens", || async {
            anyhow::Ok(TcpStream::connect(("127.0.0.1", port)).await?)
        })
        .await;
        Self { folder, server }
    }

    /// The value of `PATH` with which `ssh` knows it, as it does who has it in `~/.ssh/config`.
    pub(crate) fn path(&self) -> String {
        let path = std::env::var("PATH").unwrap();
        format!("{}:{path}", self.folder.path().join("bin").display())
    }

    /// Cuts off all who are logged in.
    pub(crate) async fn cut_off(&self) {
        let server = self.server.id().expect("it runs").to_string();
        let killed = Command::new("pkill").args(["-KILL", "-P", &server]).status().await;
        assert!(killed.unwrap().success(), "somebody is logged in");
    }

    /// Whether somebody is logged in.
    pub(crate) async fn has_guests(&self) -> bool {
        let server = self.server.id().expect("it runs").to_string();
        let found = Command::new("pgrep")
            .args(["-P", &server])
            .stdout(Stdio::null())
            .status();
        found.await.unwrap().success()
    }
}

async fn generate(key: &Path) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key);
    assert!(command.status().await.unwrap().success());
}

/// An `ssh` that reads our settings instead of the user's: it takes no notice of `HOME`.
fn write_ssh(folder: &TempDir) {
    let real = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|folder| folder.join("ssh"))
        .find(|ssh| ssh.is_file())
        .unwrap_or_else(|| PathBuf::from("/usr/bin/ssh"));
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\nexec {} -F {}/ssh_config \"$@\"\n",
        real.display(),
        folder.path().display()
    );
    fs::write(bin.join("ssh"), script).unwrap();
    fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
}
