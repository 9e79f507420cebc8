//! Installs what is missing, or says how to.

use anyhow::{Result, bail};

use crate::host::{Family, Host, Means};
use crate::line::Line;
use crate::need::Need;

/// Debian's packages create and start a cluster `main` for the first server of each major version. On a developer's
/// machine nobody asked for one. This file, which `createcluster.conf` includes, turns that off; it has a name of our
/// own and stays just for the installation, so that no setting of the user's is changed, neither now nor later.
/// (Redis, MariaDB, NATS and memcached may start a service on their usual port: tests use ports of their own, so leave it be.)
const NO_CLUSTER: &str = "/etc/postgresql-common/createcluster.d/itest-xtask.conf";
const NO_CLUSTER_FOLDER: &str = "/etc/postgresql-common/createcluster.d";
const NO_CLUSTER_TEXT: &str = "\
# Written by itest's `cargo xtask` while it installs PostgreSQL's programs, and removed afterwards.
create_main_cluster = false
";

/// mmdebstrap works through apt, which other systems may have in their packages, but not set up for Debian's archive.
const NO_APT: &str = "mmdebstrap, with apt and Debian's archive keyring; it is easiest on Debian or Ubuntu";

/// What is to be done, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// What only a person can do. Then nothing else is done.
    by_hand: Vec<String>,
    /// May fail: a stale or missing package list doesn't mean that a package can't be had.
    before: Vec<Line>,
    install: Option<Line>,
    /// Built from source, which takes minutes.
    build: Option<Line>,
    /// Done even if the installation failed.
    after: Vec<Line>,
}

/// Decides how the missing things come onto this host.
pub(crate) fn plan(host: Host, missing: &[Need]) -> Plan {
    let mut plan = Plan::default();
    let packages: Vec<&str> = missing
        .iter()
        .flat_map(|need| packages(host.family, *need))
        .copied()
        .collect();
    match host.means {
        Means::AptAsRoot | Means::AptWithSudo if !packages.is_empty() => {
            let as_root = |args: &[&str]| match host.means {
                Means::AptWithSudo => Line::new("sudo", [&["-n"], args].concat()),
                _ => Line::new(args[0], &args[1..]),
            };
            if missing.contains(&Need::Postgres) {
                plan.before.push(as_root(&["mkdir", "-p", NO_CLUSTER_FOLDER]));
                plan.before.push(as_root(&["tee", NO_CLUSTER]).stdin(NO_CLUSTER_TEXT));
                plan.after.push(as_root(&["rm", "-f", NO_CLUSTER]));
            }
            plan.before.push(as_root(&["apt-get", "update"]));
            // sudo doesn't pass on the environment, `env` works with it and without.
            let apt_get = [
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "install",
                "-y",
                "--no-install-recommends",
            ];
            plan.install = Some(as_root(&[&apt_get[..], &packages].concat()));
        }
        Means::Brew if !packages.is_empty() => {
            plan.install = Some(Line::new("brew", [&["install"][..], &packages].concat()));
        }
        Means::ByHand if !packages.is_empty() => plan.by_hand.push(by_hand(host.family, &packages)),
        _ => {}
    }
    if host.family == Family::MacOs && missing.contains(&Need::CCompiler) {
        plan.by_hand.push("xcode-select --install".to_owned());
    }
    if host.family != Family::Debian && missing.contains(&Need::Mmdebstrap) {
        plan.by_hand.push(NO_APT.to_owned());
    }
    if missing.contains(&Need::Nextest) {
        plan.build = Some(Line::cargo(["install", "cargo-nextest", "--locked"]));
    }
    plan
}

/// The packages that meet a need, none if it isn't met by a package.
fn packages(family: Family, need: Need) -> &'static [&'static str] {
    match (need, family) {
        // It only recommends the keyring, which Ubuntu doesn't have otherwise, and what it needs without root.
        (Need::Mmdebstrap, Family::Debian) => &["mmdebstrap", "debian-archive-keyring", "uidmap"],
        (Need::Nextest | Need::Mmdebstrap, _) | (Need::CCompiler | Need::Sshd, Family::MacOs) => &[],
        // gcc only recommends the C library's headers, and recommendations are left out.
        (Need::CCompiler, Family::Debian) => &["gcc", "libc6-dev"],
        (Need::CCompiler, Family::Alpine) => &["gcc", "musl-dev"],
        (Need::CCompiler, _) => &["gcc"],
        (Need::Postgres, Family::Fedora | Family::Suse) => &["postgresql-server"],
        (Need::Postgres, Family::MacOs) => &["postgresql@17"],
        (Need::Postgres, _) => &["postgresql"],
        (Need::Redis, Family::Debian) => &["redis-server"],
        (Need::Redis, _) => &["redis"],
        (Need::Memcached, _) => &["memcached"],
        (Need::MariaDb, Family::Suse | Family::Arch | Family::Alpine | Family::MacOs) => &["mariadb"],
        (Need::MariaDb, _) => &["mariadb-server"],
        (Need::Nats, _) => &["nats-server"],
        (Need::Compose, _) => &["docker-compose"],
        (Need::Sshd, Family::Debian | Family::Fedora) => &["openssh-server"],
        (Need::Sshd, _) => &["openssh"],
    }
}

fn by_hand(family: Family, packages: &[&str]) -> String {
    let packages = packages.join(" ");
    match family {
        Family::Debian => format!("sudo apt-get install -y --no-install-recommends {packages}"),
        Family::Fedora => format!("sudo dnf install {packages}"),
        Family::Suse => format!("sudo zypper install {packages}"),
        Family::Arch => format!("sudo pacman -S {packages}"),
        Family::Alpine => format!("apk add {packages}"),
        Family::MacOs => format!("brew install {packages}   (Homebrew itself: https://brew.sh)"),
        Family::Other => format!("with your system's package manager, the programs of: {packages}"),
    }
}

/// Does it, and says each line before it is run.
pub(crate) fn carry_out(plan: &Plan) -> Result<()> {
    if !plan.by_hand.is_empty() {
        let ours = plan.install.iter().chain(&plan.build).map(Line::to_string);
        let lines: Vec<String> = plan.by_hand.iter().cloned().chain(ours).collect();
        bail!(
            "not everything that is missing can be installed without asking; please install:\n  {}",
            lines.join("\n  ")
        );
    }
    for line in &plan.before {
        println!("preparing: {line}");
        run_or_go_on(line);
    }
    let result = install(plan);
    for line in &plan.after {
        println!("tidying: {line}");
        run_or_go_on(line);
    }
    result
}

fn install(plan: &Plan) -> Result<()> {
    if let Some(line) = &plan.install {
        println!("installing: {line}");
        line.run()?;
    }
    if let Some(line) = &plan.build {
        println!("installing: {line}   (builds it from source: this takes minutes)");
        line.run()?;
    }
    Ok(())
}

fn run_or_go_on(line: &Line) {
    if let Err(error) = line.run() {
        println!("warning: {error:#}; going on");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Need] = Need::TEST;

    fn lines<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Vec<String> {
        lines.into_iter().map(Line::to_string).collect()
    }

    fn planned(family: Family, means: Means, missing: &[Need]) -> Plan {
        plan(Host { family, means }, missing)
    }

    #[test]
    fn apt_gets_all_packages_in_one_call_after_one_update() {
        let plan = planned(Family::Debian, Means::AptAsRoot, &[Need::Redis, Need::Memcached]);
        assert_eq!(lines(&plan.before), ["apt-get update"]);
        let install =
            "env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends redis-server memcached";
        assert_eq!(lines(&plan.install), [install]);
        assert_eq!(plan.after, []);
    }

    #[test]
    fn without_root_every_apt_line_goes_through_sudo_that_never_asks() {
        let plan = planned(Family::Debian, Means::AptWithSudo, &[Need::Postgres]);
        for line in plan.before.iter().chain(&plan.install).chain(&plan.after) {
            assert!(line.to_string().starts_with("sudo -n "), "{line}");
        }
    }

    #[test]
    fn debians_main_cluster_is_turned_off_just_for_the_installation() {
        let plan = planned(Family::Debian, Means::AptAsRoot, &[Need::Postgres]);
        let before = [
            format!("mkdir -p {NO_CLUSTER_FOLDER}"),
            format!("tee {NO_CLUSTER}"),
            "apt-get update".to_owned(),
        ];
        assert_eq!(lines(&plan.before), before);
        assert_eq!(lines(&plan.after), [format!("rm -f {NO_CLUSTER}")]);
    }

    #[test]
    fn nextest_alone_needs_no_package_manager() {
        for means in [Means::AptAsRoot, Means::ByHand] {
            let plan = planned(Family::Debian, means, &[Need::Nextest]);
            assert_eq!(lines(&plan.build), ["cargo install cargo-nextest --locked"]);
            assert_eq!((plan.install, plan.before, plan.by_hand), (None, vec![], vec![]));
        }
    }

    #[test]
    fn brew_installs_the_servers_but_no_compiler() {
        let plan = planned(Family::MacOs, Means::Brew, ALL);
        assert_eq!(
            lines(&plan.install),
            ["brew install postgresql@17 redis mariadb nats-server memcached"]
        );
        assert_eq!(plan.by_hand, ["xcode-select --install"]);
    }

    #[test]
    fn mmdebstrap_comes_by_apt_alone() {
        let plan = planned(Family::Debian, Means::AptAsRoot, Need::IMAGES);
        let install = plan.install.expect("a package").to_string();
        assert!(
            install.ends_with(" mmdebstrap debian-archive-keyring uidmap"),
            "{install}"
        );
        for (family, means) in [(Family::MacOs, Means::Brew), (Family::Fedora, Means::ByHand)] {
            let plan = planned(family, means, Need::IMAGES);
            assert_eq!((plan.install, plan.by_hand), (None, vec![NO_APT.to_owned()]));
        }
    }

    #[test]
    fn what_we_cannot_install_is_told_with_the_commands_and_nothing_is_run() {
        let plan = planned(
            Family::Fedora,
            Means::ByHand,
            &[Need::Postgres, Need::Redis, Need::Nextest],
        );
        let error = carry_out(&plan).expect_err("by hand").to_string();
        for part in [
            "sudo dnf install postgresql-server redis",
            "cargo install cargo-nextest --locked",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn what_comes_after_is_done_even_if_the_installation_fails() {
        let sh = |script: &str| Line::new("sh", ["-c", script]);
        let witness = std::env::temp_dir().join(format!("itest-xtask-{}-after", std::process::id()));
        let touch = format!("touch {}", witness.display());
        let plan = Plan {
            before: vec![sh("exit 1")],
            install: Some(sh("exit 2")),
            after: vec![sh(&touch)],
            ..Plan::default()
        };
        let error = carry_out(&plan).expect_err("the installation fails").to_string();
        assert!(error.contains("exit 2"), "{error}");
        std::fs::remove_file(witness).expect("was made afterwards");
    }
}
