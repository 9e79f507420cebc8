//! The machine: what kind it is, and by what means programs come onto it.

use std::env::consts::OS;
use std::fs;

use crate::line::Line;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) family: Family,
    pub(crate) means: Means,
}

/// Systems whose packages have the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Debian,
    Fedora,
    Suse,
    Arch,
    Alpine,
    MacOs,
    Other,
}

/// Whether we may install system packages ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    AptAsRoot,
    /// Through `sudo -n`, which never asks.
    AptWithSudo,
    Brew,
    /// We can't, or would have to ask: say what to do.
    ByHand,
}

impl Host {
    pub(crate) fn look() -> Self {
        let family = family(OS, &release());
        let succeeds = |program, args: &[&str]| Line::new(program, args).said().is_some();
        let is_root = || Line::new("id", ["-u"]).said().as_deref() == Some("0");
        let means = match family {
            Family::Debian if !succeeds("apt-get", &["--version"]) => Means::ByHand,
            Family::Debian if is_root() => Means::AptAsRoot,
            Family::Debian if succeeds("sudo", &["-n", "true"]) => Means::AptWithSudo,
            Family::MacOs if succeeds("brew", &["--version"]) => Means::Brew,
            _ => Means::ByHand,
        };
        Self { family, means }
    }
}

/// The release of Debian that this host runs, such as `bookworm`. A system that is only like Debian runs none.
pub(crate) fn debian_release() -> Option<String> {
    debian_codename(&release())
}

fn debian_codename(release: &str) -> Option<String> {
    value(release, "VERSION_CODENAME").filter(|_| value(release, "ID").as_deref() == Some("debian"))
}

/// The text of the os-release file.
fn release() -> String {
    // `/usr/lib/os-release` is for systems that have nothing to add to it: os-release(5).
    let paths = ["/etc/os-release", "/usr/lib/os-release"];
    paths
        .iter()
        .find_map(|path| fs::read_to_string(path).ok())
        .unwrap_or_default()
}

/// Judges by the operating system's name and the text of its os-release file.
fn family(os: &str, release: &str) -> Family {
    if os == "macos" {
        return Family::MacOs;
    }
    let like = value(release, "ID_LIKE").unwrap_or_default();
    let ids = value(release, "ID")
        .into_iter()
        .chain(like.split_whitespace().map(str::to_owned));
    let known = |id: String| match id.as_str() {
        "debian" | "ubuntu" => Some(Family::Debian),
        "fedora" | "rhel" | "centos" => Some(Family::Fedora),
        "suse" | "opensuse" => Some(Family::Suse),
        "arch" => Some(Family::Arch),
        "alpine" => Some(Family::Alpine),
        _ => None,
    };
    ids.filter(|_| os == "linux").find_map(known).unwrap_or(Family::Other)
}

/// One value of an os-release file; it may be quoted.
fn value(release: &str, key: &str) -> Option<String> {
    let value = release
        .lines()
        .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_known_by_id_or_by_likeness() {
        for (release, expected) in [
            (
                "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n",
                Family::Debian,
            ),
            ("NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n", Family::Debian),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Family::Debian),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", Family::Fedora),
            ("ID=\"opensuse-leap\"\nID_LIKE='suse opensuse'\n", Family::Suse),
            ("ID=manjaro\nID_LIKE=arch", Family::Arch),
            ("ID=alpine", Family::Alpine),
            ("ID=nixos", Family::Other),
            ("", Family::Other),
        ] {
            assert_eq!(family("linux", release), expected, "{release}");
        }
    }

    #[test]
    fn other_systems_are_no_linux() {
        assert_eq!(family("macos", ""), Family::MacOs);
        assert_eq!(family("freebsd", "ID=freebsd"), Family::Other);
    }

    #[test]
    fn a_release_is_debians_own_or_none() {
        let debian = "VERSION_CODENAME=bookworm\nID=debian\n";
        assert_eq!(debian_codename(debian).as_deref(), Some("bookworm"));
        let likeness = "ID=raspbian\nID_LIKE=debian\nVERSION_CODENAME=bookworm\n";
        assert_eq!(debian_codename(likeness), None);
    }

    #[test]
    fn a_key_is_not_found_in_a_longer_one() {
        assert_eq!(value("VERSION_ID=12\nID=debian", "ID").as_deref(), Some("debian"));
        assert_eq!(value("ID_LIKE=debian", "ID"), None);
    }
}
