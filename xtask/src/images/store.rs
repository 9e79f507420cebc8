//! What the engine holds of ours, told by its labels.

use anyhow::{Context, Result, bail};

use super::base;
use super::fingerprint::Fingerprint;
use crate::line::Line;

/// Whether all of these names stand for images with this label.
pub(super) fn has(tags: &[String], label: &str, fingerprint: Fingerprint) -> Result<bool> {
    let filter = format!("label={label}={fingerprint}");
    let format = "{{.Repository}}:{{.Tag}}";
    let held = said(&Line::new(
        "docker",
        ["image", "ls", "--filter", &filter, "--format", format],
    ))?;
    Ok(tags.iter().all(|tag| held.lines().any(|line| line == tag)))
}

/// The images of ours that have these names now. What a user builds on ours has our labels, too, but not our names.
pub(super) fn named(tags: &[String]) -> Result<Vec<String>> {
    let filter = format!("label={}", base::LABEL);
    let format = "{{.ID}} {{.Repository}}:{{.Tag}}";
    let listed = said(&Line::new(
        "docker",
        ["image", "ls", "--no-trunc", "--filter", &filter, "--format", format],
    ))?;
    Ok(ids(&listed, tags))
}

fn ids(listed: &str, tags: &[String]) -> Vec<String> {
    let ours = listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, tag)| tags.iter().any(|known| known == tag));
    let mut ids: Vec<String> = ours.map(|(id, _)| id.to_owned()).collect();
    ids.dedup();
    ids
}

/// Removes those of these images that have lost their last name, unless somebody has built on them.
pub(super) fn remove_nameless(ids: &[String]) -> Result<()> {
    let list = ["image", "ls", "--no-trunc", "--quiet", "--filter", "dangling=true"];
    let nameless = said(&Line::new("docker", list))?;
    for id in ids.iter().filter(|id| nameless.lines().any(|line| line == *id)) {
        let line = Line::new("docker", ["image", "rm", id]);
        println!("tidying: {line}");
        if let Err(error) = said(&line) {
            println!("warning: {error:#}; going on");
        }
    }
    Ok(())
}

/// Runs a line whose output is for us; what it complains of is told if it fails.
pub(super) fn said(line: &Line) -> Result<String> {
    let output = line
        .command()
        .output()
        .with_context(|| format!("failed to start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_ours_by_its_name_and_is_told_once() {
        let listed = "sha256:1 localhost/itest-a:1\nsha256:1 localhost/itest-a:latest\nsha256:2 built-on-it:1\nsha256:3 <none>:<none>\n";
        let tags = ["localhost/itest-a:1", "localhost/itest-a:latest"].map(str::to_owned);
        assert_eq!(ids(listed, &tags), ["sha256:1"]);
    }
}
