//! A small client of memcached's text protocol (<https://github.com/memcached/memcached/blob/master/doc/protocol.txt>).

use std::io::{Error, Result};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A connection that puts a prefix before every key.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    prefix: String,
}

impl Client {
    pub(crate) async fn connect(address: &str, prefix: String) -> Result<Self> {
        let stream = BufReader::new(TcpStream::connect(address).await?);
        Ok(Self { stream, prefix })
    }

    pub(crate) async fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let head = format!("set {}{key} 0 0 {}", self.prefix, value.len());
        match self.ask(&format!("{head}\r\n{value}")).await?.as_str() {
            "STORED" => Ok(()),
            answer => Err(Error::other(answer.to_owned())),
        }
    }

    pub(crate) async fn get(&mut self, key: &str) -> Result<Option<String>> {
        let answer = self.ask(&format!("get {}{key}", self.prefix)).await?;
        if answer == "END" {
            return Ok(None);
        }
        // `VALUE key flags bytes`, the value, `END`.
        let length = answer.rsplit(' ').next().and_then(|bytes| bytes.parse().ok());
        let mut value = vec![0; length.ok_or_else(|| Error::other(answer.clone()))?];
        self.stream.read_exact(&mut value).await?;
        for _ in ["the value's line end", "END"] {
            self.line().await?;
        }
        String::from_utf8(value).map(Some).map_err(Error::other)
    }

    pub(crate) async fn version(&mut self) -> Result<String> {
        self.ask("version").await
    }

    /// One of the server's statistics.
    pub(crate) async fn stat(&mut self, name: &str) -> Result<String> {
        let mut line = self.ask("stats").await?;
        let mut found = None;
        while line != "END" {
            let value = line.strip_prefix("STAT ").and_then(|stat| stat.strip_prefix(name));
            found = value
                .and_then(|value| value.strip_prefix(' '))
                .map(str::to_owned)
                .or(found);
            line = self.line().await?;
        }
        found.ok_or_else(|| Error::other(format!("memcached has no statistic `{name}`")))
    }

    async fn ask(&mut self, request: &str) -> Result<String> {
        self.stream.write_all(format!("{request}\r\n").as_bytes()).await?;
        self.line().await
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        Ok(line.trim_end().to_owned())
    }
}
