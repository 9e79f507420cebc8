//! The project's own commands: `cargo xtask demo`, `test`, `bench`, `prove`, `surface`, `images` and `ci`.
//!
//! A fresh clone needs nothing else: what the tests need of this machine is looked for, installed where that can be
//! done without asking, and told otherwise.

mod args;
mod bench;
mod ci;
mod demo;
mod features;
mod host;
mod images;
mod install;
mod line;
mod look;
mod need;
mod prove;
mod steps;
mod surface;
mod test;
mod version;

use std::process::ExitCode;

use args::{Make, Task};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let task = match args::parse(&args) {
        Ok(task) => task,
        Err(mistake) => {
            eprintln!("error: {mistake}\nhint: `cargo xtask --help` tells more");
            return ExitCode::from(2);
        }
    };
    let result = match task {
        Task::Help => {
            println!("{}", args::USAGE);
            Ok(())
        }
        Task::Demo { extra } => demo::run(&extra),
        Task::Test { extra } => test::run(&extra),
        Task::Bench { args } => bench::run(&args),
        Task::Prove { args } => prove::run(&args),
        Task::Surface(differing) => surface::run(differing),
        Task::Images(Make::Missing) => images::ensure(),
        Task::Images(Make::Anew) => images::create(),
        Task::Ci(after_failure) => ci::run(after_failure),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
