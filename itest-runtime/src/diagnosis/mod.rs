//! What a person reads when a test fails.

pub(crate) mod machine;

use std::fmt::Write;
use std::time::Duration;

use crate::error::Error;
use crate::wire::SliceDiagnosis;

/// For each slice its label, and the command that opens it for a person.
pub(crate) type OpenCommands = Vec<(String, Option<String>)>;

/// Everything that is known of a failure.
#[derive(Debug, Default)]
pub(crate) struct Diagnosis {
    /// What went wrong, unless the panic hook has already said so.
    pub(crate) failure: Option<String>,
    /// How far each fixture is, and how long it took.
    pub(crate) fixtures: Vec<String>,
    pub(crate) slices: Vec<(String, SliceDiagnosis)>,
    /// Why the supervisor could not be asked.
    pub(crate) unknown: Option<Error>,
    pub(crate) hints: Vec<String>,
    /// For how long the slices stay, and how to open them.
    pub(crate) kept: Option<(Duration, OpenCommands)>,
}

/// The lines that stand under a failing test.
pub(crate) fn render(name: &str, attempt: &str, diagnosis: &Diagnosis) -> String {
    let mut text = format!("---- itest: {name} failed{attempt}\n");
    if let Some(failure) = &diagnosis.failure {
        paragraph(&mut text, failure);
    }
    list(&mut text, "its fixtures", &diagnosis.fixtures);
    for (label, slice) in &diagnosis.slices {
        if let Some(death) = &slice.death {
            paragraph(&mut text, &death.render());
        }
        list(
            &mut text,
            &format!("what {label} was still doing for this test"),
            &slice.busy_with,
        );
        list(&mut text, &format!("what {label} holds for this test"), &slice.holds);
        list(&mut text, &format!("what {label} logged for this test"), &slice.log);
    }
    if let Some(error) = &diagnosis.unknown {
        paragraph(&mut text, &error.render());
    }
    for hint in &diagnosis.hints {
        paragraph(&mut text, &format!("hint: {hint}"));
    }
    if let Some((keep, commands)) = &diagnosis.kept {
        let _ = writeln!(text, "  its data stays for {}:", humantime::format_duration(*keep));
        for (label, command) in commands {
            let _ = writeln!(
                text,
                "    {label}: {}",
                command.as_deref().unwrap_or("(no command opens it)")
            );
        }
    }
    text
}

/// No lines, no title.
fn list(text: &mut String, title: &str, lines: &[String]) {
    if !lines.is_empty() {
        let _ = writeln!(text, "  {title}:");
    }
    for line in lines {
        let _ = writeln!(text, "    {line}");
    }
}

fn paragraph(text: &mut String, paragraph: &str) {
    for line in paragraph.lines() {
        let _ = writeln!(text, "  {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_the_server_logged_and_what_to_do() {
        let diagnosis = Diagnosis {
            failure: Some("it broke".into()),
            slices: vec![(
                "db".into(),
                SliceDiagnosis {
                    log: vec!["ERROR: no".into()],
                    busy_with: vec!["`SELECT 1`".into()],
                    holds: vec!["the queue `a`: 2 messages".into()],
                    death: None,
                },
            )],
            fixtures: vec!["api: made in 3ms".into()],
            hints: vec!["do this".into()],
            ..Diagnosis::default()
        };
        assert_eq!(
            render("a::test", "", &diagnosis),
            "---- itest: a::test failed\n  it broke\n  its fixtures:\n    api: made in 3ms\n  what db was still doing for this test:\n    `SELECT 1`\n  what db holds for this test:\n    the queue `a`: 2 messages\n  what db logged for this test:\n    ERROR: no\n  hint: do this\n"
        );
    }
}
