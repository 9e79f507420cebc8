//! What itest adds to a build, and what of that is its feature `docker`: small packages that are alike but for these, each in
//! a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Samples;
use super::args::Pace;
use super::folder::Folder;
use crate::line::{Line, root};

#[derive(Default)]
pub(super) struct Builds {
    pub(super) plain: Build,
    pub(super) without_docker: Build,
    pub(super) with_docker: Build,
}

#[derive(Default)]
pub(super) struct Build {
    /// In seconds.
    pub(super) clean: Samples,
    /// In seconds.
    pub(super) relink: Samples,
    /// The size of the test binary in megabytes.
    pub(super) megabytes: f64,
}

pub(super) fn measure(folder: &Folder, pace: Pace) -> Result<Builds> {
    let (clean, relink) = match pace {
        Pace::Quick => (1, 1),
        Pace::Full => (2, 5),
    };
    let mut builds = Builds::default();
    let create = |name: &str, test, dependency: &str| Package::create(folder.join(name), test, dependency);
    let itest = |features| format!("itest = {{ path = '{}'{features} }}\n", root().display());
    let mut all = [
        (create("build-plain", PLAIN_TEST, "")?, &mut builds.plain),
        (
            create("build-without-docker", ITEST_TEST, &itest(WITHOUT_DOCKER))?,
            &mut builds.without_docker,
        ),
        (
            create("build-with-docker", ITEST_TEST, &itest(""))?,
            &mut builds.with_docker,
        ),
    ];
    for round in 1..=clean {
        println!("bench: clean builds, {round} of {clean}");
        for (package, build) in &mut all {
            package.clean()?;
            build.clean.add(package.build()?.as_secs_f64());
        }
    }
    for _ in 0..relink {
        for (package, build) in &mut all {
            package.change_test()?;
            build.relink.add(package.build()?.as_secs_f64());
        }
    }
    for (package, build) in &mut all {
        build.megabytes = package.test_binary_megabytes()?;
    }
    Ok(builds)
}

/// The default features but for one, as the README tells those who never want containers.
const WITHOUT_DOCKER: &str = ", default-features = false, features = ['postgres', 'redis', 'native']";

const PLAIN_TEST: &str = r#"
#[tokio::test]
async fn one() -> sqlx::Result<()> {
    let db = sqlx::PgPool::connect("postgres://localhost").await?;
    sqlx::query("SELECT 1").execute(&db).await.map(drop)
}
"#;

const ITEST_TEST: &str = r#"
#[itest::integration(postgres)]
async fn one(db: sqlx::PgPool) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(&db).await.map(drop)
}
"#;

struct Package {
    dir: PathBuf,
    test: &'static str,
}

impl Package {
    fn create(dir: PathBuf, test: &'static str, dependency: &str) -> Result<Self> {
        let lock = fs::read_to_string(root().join("Cargo.lock")).context("failed to read Cargo.lock")?;
        let version = |name: &str| {
            let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
            rest.split('"').next()
        };
        let sqlx = version("sqlx").context("Cargo.lock has no sqlx")?;
        let tokio = version("tokio").context("Cargo.lock has no tokio")?;
        let manifest = format!(
            "[package]\nname = \"measured\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [workspace]\n\n[dependencies]\n\
             sqlx = {{ version = \"={sqlx}\", default-features = false, features = [\"postgres\", \"runtime-tokio\", \"migrate\", \"macros\"] }}\n\
             tokio = {{ version = \"={tokio}\", features = [\"macros\", \"rt-multi-thread\"] }}\n\n\
             [dev-dependencies]\n{dependency}",
        );
        let package = Self { dir, test };
        package.write("Cargo.toml", &manifest)?;
        // The same versions as here, all of which are there already.
        package.write("Cargo.lock", &lock)?;
        package.write("src/lib.rs", "")?;
        package.write("tests/one.rs", test)?;
        Ok(package)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.dir.join(name);
        let folder = path.parent().unwrap_or(&self.dir);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .with_context(|| format!("failed to write {}", path.display()))
    }

    fn target(&self) -> PathBuf {
        self.dir.join("target")
    }

    fn clean(&self) -> Result<()> {
        if self.target().exists() {
            fs::remove_dir_all(self.target()).context("failed to remove a target folder")?;
        }
        Ok(())
    }

    fn change_test(&self) -> Result<()> {
        self.write("tests/one.rs", self.test)
    }

    fn build(&self) -> Result<Duration> {
        let mut command = Line::cargo(["build", "--tests", "--offline", "--quiet"]).command();
        command.current_dir(&self.dir).env("CARGO_TARGET_DIR", self.target());
        let began = Instant::now();
        let output = command.stdin(Stdio::null()).output().context("failed to start cargo")?;
        if !output.status.success() {
            bail!(
                "a package that is measured can't be built:\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(began.elapsed())
    }

    #[expect(clippy::cast_precision_loss, reason = "a binary's size is far below 2^52 bytes")]
    fn test_binary_megabytes(&self) -> Result<f64> {
        let folder = self.target().join("debug/deps");
        let entries = fs::read_dir(&folder).with_context(|| format!("failed to read {}", folder.display()))?;
        let is_test = |path: &Path| {
            path.extension().is_none()
                && path
                    .file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with("one-"))
        };
        let binary = entries.flatten().map(|entry| entry.path()).find(|path| is_test(path));
        let size = fs::metadata(binary.context("cargo built no test binary")?)?.len();
        Ok(size as f64 / 1e6)
    }
}
