//! What a server's system account can ask for and order: accounts come and go by it, and it sees everything.
//!
//! The subjects are told by <https://docs.nats.io/running-a-nats-service/configuration/sys_accounts>.

use std::time::Duration;

use async_nats::{Client, ConnectOptions};
use futures_util::StreamExt;
use itest_runtime::{Context, Error, Result};
use serde_json::{Value, json};

use super::jwt::{self, Authority, Limits};
use super::key::Key;

/// How long the server may take for an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How long to wait for one more server of a cluster.
const ONE_MORE: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(super) struct System {
    client: Client,
    operator: Key,
}

impl System {
    /// On a server of ours, whose keys follow from its password.
    pub(super) async fn ours(server: &str, password: &str, name: &str) -> Result<Self> {
        let Authority { operator, system } = Authority::of(password)?;
        let (token, key) = jwt::user(&system, name)?;
        let client = super::inject::connect(server, &token, key, name).await?;
        Ok(Self { client, operator })
    }

    /// On somebody else's, with the files that the URL names.
    pub(super) async fn of_others(server: &str, operator: Key, credentials: &str, name: &str) -> Result<Self> {
        let options = ConnectOptions::with_credentials(credentials)
            .context(|| "the system account's credentials can't be read")?
            .name(name);
        let client = options.connect(server).await.context(|| "failed to connect")?;
        Ok(Self { client, operator })
    }

    /// The version of the server.
    pub(super) fn version(&self) -> String {
        self.client.server_info().version
    }

    async fn ask(&self, subject: String, body: String, wanted: &str) -> Result<Value> {
        let failed = || format!("failed to {wanted}");
        let answer = tokio::time::timeout(ANSWER, self.client.request(subject, body.into())).await;
        let answer = answer.map_err(|_| Error::new(format!("failed to {wanted}: the server doesn't answer")))?;
        let answer: Value = serde_json::from_slice(&answer.context(failed)?.payload).context(failed)?;
        match answer.get("error") {
            None => Ok(answer),
            Some(error) => Err(Error::new(format!(
                "failed to {wanted}: {}",
                error["description"].as_str().unwrap_or("the server refuses")
            ))),
        }
    }

    /// Says what an account may have from now on; it is made if it isn't there.
    pub(super) async fn limit(&self, account: &str, name: &str, limits: &Limits) -> Result<()> {
        let token = jwt::account(&self.operator, account, name, limits);
        let wanted = "set up an account";
        self.ask("$SYS.REQ.CLAIMS.UPDATE".to_owned(), token, wanted)
            .await
            .map(drop)
    }

    /// Disconnects an account's clients, and removes it with all that is in it.
    pub(super) async fn remove_account(&self, account: &str, name: &str) -> Result<()> {
        self.limit(account, name, &Limits::CLOSED).await?;
        let purge = format!("$JS.API.ACCOUNT.PURGE.{account}");
        self.ask(purge, String::new(), "remove an account's streams").await?;
        let deletion = jwt::deletion(&self.operator, account);
        let wanted = "remove an account";
        self.ask("$SYS.REQ.CLAIMS.DELETE".to_owned(), deletion, wanted)
            .await
            .map(drop)
    }

    /// The accounts that the server knows, with their names.
    pub(super) async fn accounts(&self) -> Result<Vec<(String, String)>> {
        let wanted = "list the accounts";
        let listed = self
            .ask("$SYS.REQ.CLAIMS.LIST".to_owned(), String::new(), wanted)
            .await?;
        let listed = listed["data"].as_array().cloned().unwrap_or_default();
        let mut accounts = Vec::new();
        for account in listed.iter().filter_map(Value::as_str) {
            let lookup = format!("$SYS.REQ.ACCOUNT.{account}.CLAIMS.LOOKUP");
            // It may be gone by now.
            let Ok(token) = self.client.request(lookup, "".into()).await else {
                continue;
            };
            if let Some(name) = std::str::from_utf8(&token.payload).ok().and_then(jwt::name_of) {
                accounts.push((account.to_owned(), name));
            }
        }
        Ok(accounts)
    }

    /// The names of all connections, on all servers of a cluster.
    pub(super) async fn connections(&self) -> Result<Vec<String>> {
        let wanted = || "failed to list the connections";
        let answers = self.client.new_inbox();
        let mut heard = self.client.subscribe(answers.clone()).await.context(wanted)?;
        let asked = json!({ "limit": 100_000 }).to_string();
        let asked = self
            .client
            .publish_with_reply("$SYS.REQ.SERVER.PING.CONNZ", answers, asked.into());
        asked.await.context(wanted)?;
        let mut names = Vec::new();
        let mut patience = ANSWER;
        while let Ok(Some(answer)) = tokio::time::timeout(patience, heard.next()).await {
            let answer: Value = serde_json::from_slice(&answer.payload).context(wanted)?;
            let connections = answer["data"]["connections"].as_array().cloned().unwrap_or_default();
            names.extend(
                connections
                    .iter()
                    .filter_map(|one| one["name"].as_str().map(str::to_owned)),
            );
            patience = ONE_MORE;
        }
        Ok(names)
    }

    /// The streams of an account, as the server describes them.
    pub(super) async fn streams(&self, account: &str) -> Result<Vec<Value>> {
        let asked = json!({ "account": account, "accounts": true, "streams": true, "consumer": true }).to_string();
        let wanted = "list an account's streams";
        let answer = self.ask("$SYS.REQ.SERVER.PING.JSZ".to_owned(), asked, wanted).await?;
        let accounts = answer["data"]["account_details"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let streams = accounts
            .iter()
            .filter_map(|account| account["stream_detail"].as_array().cloned());
        Ok(streams.flatten().collect())
    }
}
