//! What a test takes with other services than PostgreSQL, beside its floor: the same tests in one slice for all.

use std::thread::sleep;

use anyhow::Result;

use super::figures::Samples;
use super::folder::Folder;
use super::ground::{Ground, Holder};
use super::kinds::Kind;
use super::programs::Programs;
use super::suites::{SETTLE, under_cargo_test, under_nextest};

/// Of each suite.
const TESTS: u32 = 100;

const SLICES: Holder = Holder {
    target: "services",
    tells: &[
        "SERVER_VERSION",
        "NATS_URL",
        "NATS_CREDENTIALS",
        "MARIADB_URL",
        "MARIADB_SOCKET",
    ],
};

/// The suites of a service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Service {
    pub(super) name: &'static str,
    suite: &'static str,
    floor: &'static str,
    /// How many times as long as the floor a test may take under nextest.
    pub(super) aim: f64,
}

const SERVICES: [Service; 2] = [
    Service {
        name: "`nats`: a stream, three messages, a consumer",
        suite: "nats_each",
        floor: "nats_floor",
        aim: 1.3,
    },
    Service {
        name: "`mariadb`: two inserts and a count, 40 tables",
        suite: "mariadb_each",
        floor: "mariadb_floor",
        aim: 1.5,
    },
];

/// Milliseconds a test, under nextest and in one process.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) floor: [Samples; 2],
    pub(super) itest: [Samples; 2],
    /// Of one round.
    pub(super) ratio: [Samples; 2],
}

#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) versions: String,
    pub(super) of: Vec<(Service, Times)>,
}

pub(super) fn measure(programs: &Programs, folder: &Folder, runs: usize) -> Result<Figures> {
    let settings = vec![("ITEST_PROVIDER", "native".to_owned())];
    let ground = Ground::prepare(programs, folder.join("services"), settings, &SLICES)?;
    let mut figures = Figures {
        versions: ground.server_version().to_owned(),
        of: Vec::new(),
    };
    for service in SERVICES {
        println!("bench: {}", service.suite);
        let mut times = Times::default();
        // After the first round every template is there.
        for round in 0..=runs {
            let in_turn = round % 2 == 0;
            let first = measured(&ground, programs, if in_turn { service.floor } else { service.suite })?;
            let second = measured(&ground, programs, if in_turn { service.suite } else { service.floor })?;
            let (floor, itest) = if in_turn { (first, second) } else { (second, first) };
            if round == 0 {
                continue;
            }
            for runner in 0..2 {
                times.floor[runner].add(floor[runner]);
                times.itest[runner].add(itest[runner]);
                times.ratio[runner].add(itest[runner] / floor[runner]);
            }
        }
        figures.of.push((service, times));
    }
    Ok(figures)
}

/// Under nextest, then in one process.
fn measured(ground: &Ground, programs: &Programs, target: &str) -> Result<[f64; 2]> {
    let nextest = under_nextest(ground, target, (TESTS, &[]), Kind::Write)?;
    sleep(SETTLE);
    let one_process = under_cargo_test(ground, programs, target, &[], Kind::Write)?;
    sleep(SETTLE);
    Ok([nextest, one_process].map(|time| time.as_secs_f64() * 1000.0 / f64::from(TESTS)))
}
