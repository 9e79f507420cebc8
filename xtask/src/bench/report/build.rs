//! What itest and its feature `docker` add to a build.

use super::table::table;
use crate::bench::build::{Build, Builds};
use crate::bench::figures::digits;

pub(super) fn table_of(builds: &Builds) -> String {
    let Builds {
        plain,
        without_docker,
        with_docker,
    } = builds;
    table(
        &[
            "`cargo build --tests`",
            "clean, s",
            "after a change of the test, s",
            "test binary, MB",
        ],
        [
            measured("sqlx and tokio", plain),
            measured("and itest, without `docker`", without_docker),
            measured("and itest", with_docker),
            added("itest adds", plain, with_docker),
            added("of that, `docker`", without_docker, with_docker),
        ],
    )
}

fn measured(name: &str, build: &Build) -> Vec<String> {
    vec![
        name.to_owned(),
        build.clean.with_range(),
        build.relink.with_range(),
        digits(build.megabytes),
    ]
}

fn added(name: &str, before: &Build, after: &Build) -> Vec<String> {
    let adds = |of: fn(&Build) -> f64| digits(of(after) - of(before));
    vec![
        name.to_owned(),
        adds(|build| build.clean.median()),
        adds(|build| build.relink.median()),
        adds(|build| build.megabytes),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_adds_is_told_apart_from_all_that_itest_adds() {
        let build = |seconds: f64| Build {
            clean: [seconds].into_iter().collect(),
            relink: [seconds / 100.0].into_iter().collect(),
            megabytes: seconds,
        };
        let told = table_of(&Builds {
            plain: build(30.0),
            without_docker: build(40.0),
            with_docker: build(52.0),
        });
        let row = |name: &str| {
            let line = told.lines().find(|line| line.contains(name)).expect(name);
            line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(row("itest adds")[2..5], ["22.0", "0.22", "22.0"]);
        assert_eq!(row("of that, `docker`")[2..5], ["12.0", "0.12", "12.0"]);
    }
}
