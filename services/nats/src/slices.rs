//! The supervisor's end: accounts and their users.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use itest_runtime::Result;
use itest_runtime::provider::Endpoint;
use itest_runtime::service::asked::check_found;
use itest_runtime::service::{Clearing, LeaseName, Logs, Offers, Service, Slices, Sweep};
use serde_json::Value;

use super::external::{self, Outside};
use super::jwt::{self, Authority, Limits};
use super::key::{Key, Kind};
use super::recipe::ACCOUNTS;
use super::system::System;
use super::{Nats, NatsGrant, NatsServer};

/// What the streams of a test may take in memory, and in files.
pub(super) const MEMORY: i64 = 256 << 20;
pub(super) const DISK: i64 = 1 << 30;

/// The longest name of a user: NATS has no limit, people do.
const NAME_LIMIT: usize = 100;

/// Makes, grants and removes accounts on one server.
#[derive(Debug)]
pub struct NatsSlices {
    endpoint: Endpoint,
    server: String,
    system: Arc<System>,
    made: AtomicU64,
    /// The accounts that are there, by their keys. Held while one is removed, so that nobody else removes it, too.
    there: tokio::sync::Mutex<BTreeMap<String, String>>,
    /// Removes what dead supervisors left on an external server.
    sweep: Sweep,
}

/// One account.
#[derive(Debug)]
pub struct NatsSlice {
    account: Key,
    credentials: Option<PathBuf>,
}

impl NatsSlices {
    pub(crate) async fn connect(server: &NatsServer, endpoint: &Endpoint) -> Result<Self> {
        let name = external::sign_of_life(&endpoint.owner);
        let (address, system, what) = match &endpoint.url {
            Some(url) => {
                server.check_external()?;
                let outside = Outside::read(url)?;
                let system = System::of_others(&outside.server, outside.operator, &outside.credentials, &name).await?;
                (outside.server, system, "the external server")
            }
            None => {
                let address = format!("nats://{}", endpoint.address()?);
                let system = System::ours(&address, &endpoint.password, &name).await?;
                let image = endpoint.container.as_ref().map(|container| container.image.as_str());
                (address, system, image.unwrap_or("the server"))
            }
        };
        check_found(Nats::NAME, "NATS", server.version.as_deref(), what, &system.version())?;
        let system = Arc::new(system);
        let sweep = match &endpoint.url {
            Some(_) => Sweep::begin(system.clone(), &endpoint.owner),
            None => Sweep::none(),
        };
        Ok(Self {
            endpoint: endpoint.clone(),
            server: address,
            system,
            made: AtomicU64::new(0),
            there: tokio::sync::Mutex::default(),
            sweep,
        })
    }

    /// Files with what whoever runs the server has, if a test does.
    fn operator(&self) -> Result<Option<(PathBuf, PathBuf)>> {
        if !self.endpoint.dedicated {
            return Ok(None);
        }
        let Authority { operator, system } = Authority::of(&self.endpoint.password)?;
        let (token, key) = jwt::user(&system, "the test")?;
        let seed = self.endpoint.write_file("operator.nk", &operator.seed())?;
        let system = self
            .endpoint
            .write_file("system.creds", &jwt::credentials(&token, &key.seed()))?;
        Ok(Some((seed, system)))
    }

    async fn remove(&self, account: &str) {
        let mut there = self.there.lock().await;
        let Some(name) = there.get(account) else { return };
        if let Err(error) = self.system.remove_account(account, name).await {
            return tracing::warn!(%error, account = name, "an account could not be removed");
        }
        there.remove(account);
        // The server keeps what it has forgotten, under another name.
        if let Some(folder) = &self.endpoint.folder {
            let _ = std::fs::remove_file(folder.join(ACCOUNTS).join(format!("{account}.jwt.deleted")));
        }
    }
}

impl Slices<Nats> for NatsSlices {
    type Slice = NatsSlice;

    async fn make(&self, (): &()) -> Result<NatsSlice> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let slice = NatsSlice {
            account: Key::new(Kind::Account)?,
            credentials: None,
        };
        let (account, name) = (slice.account.public(), external::name(&self.endpoint.owner, number));
        self.there.lock().await.insert(account.to_owned(), name.clone());
        let limits = if self.endpoint.dedicated {
            Limits::storage(-1, -1)
        } else {
            Limits::storage(MEMORY, DISK)
        };
        let made = self.system.limit(account, &name, &limits).await;
        made.map_err(|error| match &self.endpoint.url {
            Some(_) => {
                error.hint("the server must keep accounts itself: `resolver { type: full, allow_delete: true, … }`")
            }
            None => error,
        })?;
        Ok(slice)
    }

    async fn grant(&self, slice: &mut NatsSlice, (): &(), lease: &LeaseName) -> Result<NatsGrant> {
        let name = lease.within(NAME_LIMIT);
        let (token, key) = jwt::user(&slice.account, &name)?;
        let file = format!("{}.creds", lease.unique);
        let content = jwt::credentials(&token, &key.seed());
        let credentials = self.endpoint.write_file(&file, &content)?;
        slice.credentials = Some(credentials.clone());
        Ok(NatsGrant {
            server: self.server.clone(),
            name,
            account: slice.account.public().to_owned(),
            token,
            seed: key.seed(),
            credentials,
            operator: self.operator()?,
        })
    }

    async fn destroy(&self, slice: NatsSlice) {
        if let Some(file) = &slice.credentials {
            let _ = std::fs::remove_file(file);
        }
        self.remove(slice.account.public()).await;
    }

    fn offers(&self) -> Offers<'_, Nats> {
        Offers::none().logs(self).clearing(self)
    }
}

impl Logs<Nats> for NatsSlices {
    fn owns_line(&self, grant: &NatsGrant, line: &str) -> bool {
        line.contains(&grant.name)
    }

    async fn holds(&self, grant: &NatsGrant) -> Vec<String> {
        match self.system.streams(&grant.account).await {
            Ok(streams) => streams.iter().flat_map(described).collect(),
            Err(error) => {
                tracing::debug!(%error, "the server doesn't tell what an account has");
                Vec::new()
            }
        }
    }
}

impl Clearing for NatsSlices {
    async fn clear(&self) {
        if self.endpoint.url.is_none() {
            return;
        }
        let there: Vec<String> = self.there.lock().await.keys().cloned().collect();
        for account in there {
            self.remove(&account).await;
        }
        self.sweep.end().await;
    }
}

/// A line for a stream, and one for each of its consumers.
fn described(stream: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let name = text(&stream["name"]);
    let mut lines = vec![format!(
        "the stream `{name}`: {}",
        messages(number(&stream["state"]["messages"]))
    )];
    for consumer in stream["consumer_detail"].as_array().into_iter().flatten() {
        lines.push(format!(
            "the consumer `{}` of `{name}`: {} to come, {} not acknowledged",
            text(&consumer["name"]),
            messages(number(&consumer["num_pending"])),
            number(&consumer["num_ack_pending"]),
        ));
    }
    lines
}

fn messages(count: u64) -> String {
    match count {
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    }
}
