//! How long it takes to have a server in a container by hand: the same image, with the same settings, as a container of
//! itest's has.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use anyhow::{Context, Result};

use super::janitor::Janitor;
use super::programs::Programs;
use super::start::until_reached;
use crate::line::Line;

/// What a container was made of, as far as it makes a difference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Model {
    image: String,
    args: Vec<String>,
    /// `NAME=VALUE` each.
    env: Vec<String>,
    /// `FOLDER:OPTIONS` each.
    tmpfs: Vec<String>,
    /// The address that its port is published on, and where that can be reached.
    bind: String,
    host: String,
}

/// Makes the engine tell one thing a line, after the word that says what it is.
const TOLD: &str = "\
    image {{println .Config.Image}}\
    {{range .Config.Cmd}}arg {{println .}}{{end}}\
    {{range .Config.Env}}env {{println .}}{{end}}\
    {{range $folder, $options := .HostConfig.Tmpfs}}tmpfs {{$folder}}:{{println $options}}{{end}}\
    {{range .HostConfig.PortBindings}}{{range .}}bind {{println .HostIp}}{{end}}{{end}}";

impl Model {
    /// The container of itest's whose server has this URL.
    pub(super) fn of(url: &str) -> Result<Self> {
        let (host, port) = authority(url).context("the URL of itest's container has no host or no port")?;
        let filter = format!("publish={port}");
        let containers = said(&["ps", "--quiet", "--filter", &filter])?;
        let container = containers.lines().next().context("itest's container isn't there")?;
        let told = said(&["inspect", "--format", TOLD, container])?;
        Ok(Self::parse(&told, host))
    }

    fn parse(told: &str, host: &str) -> Self {
        let all = |word: &str| -> Vec<String> {
            let values = told
                .lines()
                .filter_map(|line| line.split_once(' '))
                .filter(|(first, _)| *first == word);
            // Spaces at the end may be meant.
            values.map(|(_, value)| value.to_owned()).collect()
        };
        let one = |word: &str| all(word).pop().unwrap_or_default();
        Self {
            image: one("image"),
            args: all("arg"),
            env: all("env"),
            tmpfs: all("tmpfs"),
            bind: one("bind"),
            host: host.to_owned(),
        }
    }

    pub(super) fn image(&self) -> &str {
        &self.image
    }

    /// From the start of a process that runs `docker run` to the answer to its first query.
    pub(super) fn start(&self, programs: &Programs, janitor: &Janitor) -> Result<Duration> {
        let port = free_port()?;
        let mut command = programs.command("by_hand");
        command
            .env("BY_HAND_RUN", self.run(port, janitor.label()).join("\n"))
            .env("BY_HAND_URL", self.url(port));
        let time = until_reached(&mut command, "by_hand");
        // Also what a failure has left.
        janitor.sweep()?;
        time
    }

    fn run(&self, port: u16, label: &str) -> Vec<String> {
        let mut line = vec!["run".to_owned(), "--detach".to_owned()];
        let mut option = |name: &str, value: String| line.extend([name.to_owned(), value]);
        option("--label", label.to_owned());
        option(
            "--publish",
            format!("{}:{port}:5432", self.bind).trim_start_matches(':').to_owned(),
        );
        self.env.iter().for_each(|value| option("--env", value.clone()));
        self.tmpfs.iter().for_each(|value| option("--tmpfs", value.clone()));
        line.push(self.image.clone());
        line.extend(self.args.iter().cloned());
        line
    }

    fn url(&self, port: u16) -> String {
        let mut env = self.env.iter();
        let password = env
            .find_map(|variable| variable.strip_prefix("POSTGRES_PASSWORD="))
            .unwrap_or_default();
        format!(
            "postgres://postgres:{password}@{}:{port}/postgres?sslmode=disable",
            self.host
        )
    }
}

/// The host and the port of a URL.
fn authority(url: &str) -> Option<(&str, u16)> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let (host, port) = authority.rsplit('@').next()?.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

/// Chosen beforehand, as a person would: to ask the engine for its choice takes time.
fn free_port() -> Result<u16> {
    let find = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr();
    Ok(find().context("failed to find a free port")?.port())
}

fn said(args: &[&str]) -> Result<String> {
    let line = Line::new("docker", args);
    line.said().with_context(|| format!("`{line}` failed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        let told = "image i:1\narg postgres\narg -c\narg log_line_prefix=%m [%p] \nenv POSTGRES_PASSWORD=x=y\n\
                    env A=b c\ntmpfs /data:rw,exec\nbind 127.0.0.1\n";
        Model::parse(told, "localhost")
    }

    #[test]
    fn a_container_is_started_as_the_other_was() {
        assert_eq!(
            model().run(5433, "a=b"),
            [
                "run",
                "--detach",
                "--label",
                "a=b",
                "--publish",
                "127.0.0.1:5433:5432",
                "--env",
                "POSTGRES_PASSWORD=x=y",
                "--env",
                "A=b c",
                "--tmpfs",
                "/data:rw,exec",
                "i:1",
                "postgres",
                "-c",
                "log_line_prefix=%m [%p] ",
            ]
        );
        assert_eq!(
            model().url(5433),
            "postgres://postgres:x=y@localhost:5433/postgres?sslmode=disable"
        );
    }

    #[test]
    fn a_url_tells_host_and_port() {
        assert_eq!(
            authority("postgres://a%23b:c@127.0.0.1:5433/db?sslmode=disable"),
            Some(("127.0.0.1", 5433))
        );
        assert_eq!(authority("postgres://u@%2Ftmp/db"), None);
    }
}
