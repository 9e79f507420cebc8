//! The floor: all tests in one account of the very server that the tests with itest use, where each takes a name of its own.
//!
//! It logs in as itest's client does, with ring: what `async-nats` makes of a file of credentials takes 20 ms in a debug build.

#[path = "support/orders.rs"]
mod orders;
mod support;

use anyhow::Context;
use async_nats::{Client, ConnectOptions};
use ring::signature::Ed25519KeyPair;

macro_rules! each {
    ($($name:ident)*) => { $(
        #[tokio::test]
        async fn $name() -> anyhow::Result<()> {
            let name = format!("{}-{}", stringify!($name), std::process::id());
            orders::three_messages(&async_nats::jetstream::new(connect().await?), &name).await
        }
    )* };
}

support::tests!(100, each);

async fn connect() -> anyhow::Result<Client> {
    let credentials = std::fs::read_to_string(std::env::var("NATS_CREDENTIALS")?)?;
    let mut words = credentials
        .lines()
        .filter(|line| !line.starts_with('-') && !line.is_empty());
    let (token, seed) = (words.next().context("a token")?, words.next().context("a key")?);
    let seed = data_encoding::BASE32_NOPAD.decode(seed.as_bytes())?;
    let key = Ed25519KeyPair::from_seed_unchecked(seed.get(2..34).context("32 bytes")?);
    let key = std::sync::Arc::new(key.map_err(|refused| anyhow::anyhow!("{refused}"))?);
    let sign = move |nonce: Vec<u8>| {
        let key = key.clone();
        async move { Ok(key.sign(&nonce).as_ref().to_vec()) }
    };
    let options = ConnectOptions::with_jwt(token.to_owned(), sign);
    Ok(options.connect(std::env::var("NATS_URL")?).await?)
}
