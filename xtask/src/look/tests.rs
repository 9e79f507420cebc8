use super::*;

/// A folder with empty files as programs, gone with the value.
struct Bin(PathBuf);

impl Bin {
    fn with(name: &str, programs: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("itest-xtask-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a new folder");
        for program in programs {
            fs::write(folder.join(program), "").expect("a new file");
        }
        Self(folder.canonicalize().expect("it was just made"))
    }
}

impl Drop for Bin {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Looks with these variables alone, where every program says `said`.
fn find_with(need: Need, variables: &[(&str, &Path)], said: &str) -> Finding {
    let variable = |name: &str| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_os_str().to_owned())
    };
    find(need, &variable, &|_| Some(said.to_owned()))
}

#[test]
fn a_program_is_found_in_path_with_its_version() {
    let bin = Bin::with("path", &["memcached"]);
    let found = find_with(Need::Memcached, &[("PATH", &bin.0)], "memcached 1.6.18");
    assert_eq!(
        found.to_string(),
        format!("found {} (1.6.18)", bin.0.join("memcached").display())
    );
}

#[test]
fn what_is_nowhere_is_missing() {
    let found = find_with(Need::Redis, &[], "");
    assert_eq!(
        found,
        Finding::Missing {
            why: "no `redis-server` in PATH".to_owned()
        }
    );
}

#[test]
fn a_setting_wins_over_path_and_names_a_folder_or_a_program() {
    let (bin, other) = (
        Bin::with("setting", &["redis-server"]),
        Bin::with("setting-other", &["redis-server"]),
    );
    for place in [bin.0.clone(), bin.0.join("redis-server")] {
        let found = find_with(
            Need::Redis,
            &[("PATH", &other.0), ("ITEST_REDIS_BIN", &place)],
            "Redis server v=7.2.1",
        );
        assert_eq!(
            found.to_string(),
            format!("found {} (7.2.1)", bin.0.join("redis-server").display())
        );
    }
}

#[test]
fn a_setting_that_leads_nowhere_is_a_mistake() {
    let found = find_with(Need::Redis, &[("ITEST_REDIS_BIN", Path::new("/no/where"))], "");
    let Finding::Mistake(mistake) = found else {
        panic!("{found:?}")
    };
    assert!(mistake.contains("ITEST_REDIS_BIN names /no/where"), "{mistake}");
}

#[test]
fn a_server_that_runs_elsewhere_needs_no_program() {
    let url = Path::new("postgres://user:secret@host/");
    let found = find_with(Need::Postgres, &[("ITEST_POSTGRES_URL", url)], "");
    assert_eq!(
        found.to_string(),
        "not looked for: ITEST_POSTGRES_URL names a running server"
    );
}

#[test]
fn postgres_needs_initdb_beside_it_and_is_known_by_its_folder() {
    let (whole, half) = (
        Bin::with("whole", &["postgres", "initdb"]),
        Bin::with("half", &["postgres"]),
    );
    let said = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)";
    let found = find_with(Need::Postgres, &[("ITEST_POSTGRES_BIN", &whole.0)], said);
    assert_eq!(found.to_string(), format!("found {} (15.18)", whole.0.display()));
    let found = find_with(Need::Postgres, &[("ITEST_POSTGRES_BIN", &half.0)], said);
    assert!(found.to_string().contains("has no `initdb` beside it"), "{found}");
}

#[test]
fn a_version_too_old_is_told() {
    let bin = Bin::with("old", &["postgres", "initdb"]);
    let found = find_with(
        Need::Postgres,
        &[("ITEST_POSTGRES_BIN", &bin.0)],
        "postgres (PostgreSQL) 12.3",
    );
    assert!(
        found.to_string().contains("is version 12.3, needed is 13 or later"),
        "{found}"
    );
}

#[test]
fn nextest_is_also_found_in_cargos_own_folder() {
    let home = Bin::with("home", &[]);
    fs::create_dir_all(home.0.join("bin")).expect("a new folder");
    fs::write(home.0.join("bin/cargo-nextest"), "").expect("a new file");
    let found = find_with(
        Need::Nextest,
        &[("CARGO_HOME", &home.0)],
        "cargo-nextest 0.9.143 (60fa45f63 2026-08-04)",
    );
    assert!(
        matches!(&found, Finding::Found { version, .. } if version.to_string() == "0.9.143"),
        "{found}"
    );
}

#[test]
fn a_pattern_stands_for_the_folders_that_fit() {
    let root = Bin::with("pattern", &[]);
    for name in ["pgsql-15", "pgsql-16", "other"] {
        fs::create_dir_all(root.0.join(name).join("bin")).expect("a new folder");
    }
    let mut found = expand(&format!("{}/pgsql-*/bin", root.0.display()));
    found.sort();
    assert_eq!(found, [root.0.join("pgsql-15/bin"), root.0.join("pgsql-16/bin")]);
}
