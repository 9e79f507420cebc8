//! Which processes run: what only the operating system tells.

/// A process, known by when it started, too: its number may be given to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pid: u32,
    name: String,
    started: String,
}

impl Process {
    /// Whether it runs.
    pub fn is_there(&self) -> bool {
        all().iter().any(|(process, _)| process == self)
    }
}

/// The descendants of these processes.
pub(crate) fn below(ancestors: &[u32]) -> Vec<Process> {
    let all = all();
    let mut found: Vec<Process> = Vec::new();
    loop {
        let is_known = |pid: u32| ancestors.contains(&pid) || found.iter().any(|process| process.pid == pid);
        let more: Vec<Process> = all
            .iter()
            .filter(|(process, parent)| is_known(*parent) && !found.contains(process))
            .map(|(process, _)| process.clone())
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// Each with its parent. One that has ended and that nobody has asked for its end isn't there.
#[cfg(target_os = "linux")]
fn all() -> Vec<(Process, u32)> {
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (name, rest) = stat.split_once(" (")?.1.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let process = Process {
            pid,
            name: name.to_owned(),
            started: (*fields.get(19)?).to_owned(),
        };
        (fields.first() != Some(&"Z")).then_some((process, fields.get(1)?.parse().ok()?))
    })
    .collect()
}

#[cfg(not(target_os = "linux"))]
fn all() -> Vec<(Process, u32)> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_there_until_it_has_ended() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("it starts");
        let found = below(&[std::process::id()]);
        let sleeps: Vec<_> = found.iter().filter(|process| process.pid == child.id()).collect();
        if cfg!(target_os = "linux") {
            assert_eq!(sleeps.len(), 1, "{found:?}");
        }
        child.kill().expect("it runs");
        child.wait().expect("it has ended");
        assert!(sleeps.iter().all(|process| !process.is_there()));
    }
}
