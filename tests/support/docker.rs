//! The container engine as a person sees it: through its own command.

use std::process::Stdio;

use tokio::process::Command;

/// What the command prints; it must succeed.
pub(crate) async fn docker(args: &[&str]) -> String {
    let output = Command::new("docker")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("docker runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {args:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The ids of all containers, running or not, that a filter finds.
pub(crate) async fn containers(filter: &str) -> Vec<String> {
    let listed = docker(&["ps", "-aq", "--no-trunc", "--filter", filter]).await;
    listed.lines().map(str::to_owned).collect()
}

/// Waits until the engine has this container no more.
pub(crate) async fn gone(id: &str) {
    super::wait_for("the container goes", || async {
        let found = containers(&format!("id={id}")).await;
        anyhow::ensure!(found.is_empty(), "{id} is there");
        Ok(())
    })
    .await;
}

/// Waits until the engine has nothing any more that a filter finds: no container, network or volume.
pub(crate) async fn nothing_of(filter: &str) {
    super::wait_for("nothing is left on the engine", || async {
        let mut left = containers(filter).await;
        for kind in ["network", "volume"] {
            left.extend(
                docker(&[kind, "ls", "-q", "--filter", filter])
                    .await
                    .lines()
                    .map(str::to_owned),
            );
        }
        anyhow::ensure!(left.is_empty(), "{left:?} are there");
        Ok(())
    })
    .await;
}
