//! The values that a test can have of a lease.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_nats::{Client, ConnectOptions, jetstream};
use itest_runtime::{Context, Error, Inject, Lease, Result};

use super::key::{Key, Kind};
use super::{Nats, NatsGrant};

/// A file with the user's token and key, from which clients of all languages log in: `--creds FILE`. It goes when the lease
/// ends.
#[derive(Debug, Clone)]
pub struct Credentials(PathBuf);

impl Credentials {
    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for Credentials {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Inject<Nats> for Credentials {
    type Service = Nats;

    async fn inject(lease: &Lease<Nats>) -> Result<Self> {
        Ok(Self(lease.grant().credentials.clone()))
    }
}

/// What whoever runs the server has: the operator's key, and credentials of a user of the system account. Only on a server of the
/// test's own, `nats(dedicated)`.
#[derive(Debug, Clone)]
pub struct Operator {
    seed: PathBuf,
    system: PathBuf,
}

impl Operator {
    /// A file with the operator's seed.
    pub fn seed(&self) -> &Path {
        &self.seed
    }

    /// A file with the credentials of a user of the system account.
    pub fn system(&self) -> &Path {
        &self.system
    }
}

impl Inject<Nats> for Operator {
    type Service = Nats;

    async fn inject(lease: &Lease<Nats>) -> Result<Self> {
        let files = lease.grant().operator.clone();
        let (seed, system) = files.ok_or_else(|| {
            Error::new("only on a server of its own does a test have the operator's key")
                .hint("write `nats(dedicated)`")
        })?;
        Ok(Self { seed, system })
    }
}

impl NatsGrant {
    async fn client(&self) -> Result<Client> {
        connect(
            &self.server,
            &self.token,
            Key::read(Kind::User, &self.seed)?,
            &self.name,
        )
        .await
    }
}

/// Connects as the user of a token.
pub(super) async fn connect(server: &str, token: &str, key: Key, name: &str) -> Result<Client> {
    let key = Arc::new(key);
    let sign = move |nonce: Vec<u8>| {
        let key = key.clone();
        async move { Ok(key.sign(&nonce)) }
    };
    let options = ConnectOptions::with_jwt(token.to_owned(), sign).name(name);
    options.connect(server).await.context(|| "failed to connect")
}

impl Inject<Nats> for Client {
    type Service = Nats;

    async fn inject(lease: &Lease<Nats>) -> Result<Self> {
        lease.grant().client().await
    }
}

impl Inject<Nats> for jetstream::Context {
    type Service = Nats;

    async fn inject(lease: &Lease<Nats>) -> Result<Self> {
        Ok(jetstream::new(lease.grant().client().await?))
    }
}
