//! What the environment says about how to run.

use std::env;

use anyhow::Context;
use orders::ApiToken;

/// How to run the service.
pub(crate) struct Config {
    /// `DATABASE_URL`
    pub(crate) database_url: String,
    /// `REDIS_URL`
    pub(crate) redis_url: String,
    /// `LISTEN`; port 0 takes any free one.
    pub(crate) listen: String,
    /// `API_TOKEN`
    pub(crate) token: ApiToken,
}

impl Config {
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        Ok(Self {
            database_url: required("DATABASE_URL")?,
            redis_url: required("REDIS_URL")?,
            listen: env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned()),
            token: ApiToken::new(&required("API_TOKEN")?).context("API_TOKEN must not be empty")?,
        })
    }
}

fn required(name: &'static str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("the environment variable {name} must be set"))
}
