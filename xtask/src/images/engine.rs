//! Whether a container engine answers, without waiting for one that never will.

use std::io::{ErrorKind, Read};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::line::Line;

const BOUND: Duration = Duration::from_secs(5);

/// The engine's version, or why there is none.
pub(crate) fn engine() -> Result<String, String> {
    let line = Line::new("docker", ["version", "--format", "{{.Server.Version}}"]);
    ask(&line, BOUND)
}

fn ask(line: &Line, bound: Duration) -> Result<String, String> {
    let mut command = line.command();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!(
            "there is no `{}` in PATH; install it: https://docs.docker.com/engine/install",
            command.get_program().display()
        ),
        _ => format!("failed to start `{line}`: {error}"),
    })?;
    let result = wait(&mut child, bound);
    match result {
        Ok(true) => Ok(text(child.stdout.take())),
        Ok(false) => Err(format!("`{line}` fails: {}", text(child.stderr.take()))),
        Err(why) => {
            // It may have ended just now; then there is nothing left to do.
            let _ = child.kill();
            let _ = child.wait();
            Err(format!("`{line}` {why}"))
        }
    }
}

/// Whether it succeeds. Its few lines fit into the pipes, so they can be read when it has ended.
fn wait(child: &mut Child, bound: Duration) -> Result<bool, String> {
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if started.elapsed() < bound => thread::sleep(Duration::from_millis(5)),
            Ok(None) => return Err(format!("has not answered within {} s", bound.as_secs_f32())),
            Err(error) => return Err(format!("can't be waited for: {error}")),
        }
    }
}

fn text(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What could be read before an error is all there is to tell.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(script: &str) -> Result<String, String> {
        ask(&Line::new("sh", ["-c", script]), Duration::from_millis(300))
    }

    #[test]
    fn an_engine_that_answers_tells_its_version() {
        assert_eq!(asked("echo 28.2.2"), Ok("28.2.2".to_owned()));
    }

    #[test]
    fn one_that_cannot_be_reached_is_told_with_what_the_client_says() {
        let why = asked("echo 'no daemon' >&2; exit 1").expect_err("fails");
        assert!(why.ends_with("fails: no daemon"), "{why}");
    }

    #[test]
    fn one_that_never_answers_is_not_waited_for() {
        let why = asked("exec sleep 60").expect_err("takes too long");
        assert!(why.contains("has not answered within 0.3 s"), "{why}");
    }

    #[test]
    fn without_a_client_it_says_where_to_get_one() {
        let why = ask(&Line::new("itest-no-such-program", [""; 0]), BOUND).expect_err("no program");
        assert!(
            why.contains("no `itest-no-such-program` in PATH") && why.contains("https://"),
            "{why}"
        );
    }
}
