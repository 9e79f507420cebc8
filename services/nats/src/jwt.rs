//! Who may do what on a server in operator mode is said by signed tokens: an operator's key vouches for accounts, and an
//! account's for its users.
//!
//! The tokens' form is told by <https://docs.nats.io/running-a-nats-service/nats_admin/security/jwt>.

use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use itest_runtime::Result;
use itest_runtime::service::random_hex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::key::{Key, Kind};

const HEADER: &str = r#"{"typ":"JWT","alg":"ed25519-nkey"}"#;

/// The keys that a server of ours is started with. They follow from its password, so that none of them is written anywhere.
pub(super) struct Authority {
    pub(super) operator: Key,
    pub(super) system: Key,
}

impl Authority {
    pub(super) fn of(password: &str) -> Result<Self> {
        let seed = |purpose: &str| Sha256::digest(format!("{purpose} {password}")).into();
        Ok(Self {
            operator: Key::of(Kind::Operator, seed("operator"))?,
            system: Key::of(Kind::Account, seed("system"))?,
        })
    }

    /// The operator's own token, for the server's configuration.
    pub(super) fn operator_token(&self) -> String {
        let claims = json!({ "type": "operator", "version": 2, "system_account": self.system.public() });
        signed(&self.operator, self.operator.public(), "itest", &claims)
    }

    /// That of the system account.
    pub(super) fn system_token(&self) -> String {
        account(&self.operator, self.system.public(), "SYS", &Limits::NONE)
    }
}

/// What an account may have. Below zero is without limit.
pub(super) struct Limits {
    connections: i64,
    memory: i64,
    disk: i64,
}

impl Limits {
    /// No JetStream.
    const NONE: Self = Self {
        connections: -1,
        memory: 0,
        disk: 0,
    };
    /// Nobody gets in.
    pub(super) const CLOSED: Self = Self {
        connections: 0,
        ..Self::NONE
    };

    pub(super) fn storage(memory: i64, disk: i64) -> Self {
        Self {
            connections: -1,
            memory,
            disk,
        }
    }
}

/// An account's token.
pub(super) fn account(operator: &Key, account: &str, name: &str, limits: &Limits) -> String {
    let has_storage = limits.memory != 0 || limits.disk != 0;
    let count = if has_storage { -1 } else { 0 };
    let claims = json!({
        "type": "account",
        "version": 2,
        "limits": {
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
            "conn": limits.connections, "leaf": limits.connections,
            "mem_storage": limits.memory, "disk_storage": limits.disk, "streams": count, "consumer": count,
        },
        "default_permissions": { "pub": {}, "sub": {} },
    });
    signed(operator, account, name, &claims)
}

/// A user's token, and the key that goes with it.
pub(super) fn user(account: &Key, name: &str) -> Result<(String, Key)> {
    let key = Key::new(Kind::User)?;
    let claims = json!({ "type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1 });
    Ok((signed(account, key.public(), name, &claims), key))
}

/// The order to forget an account.
pub(super) fn deletion(operator: &Key, account: &str) -> String {
    let claims = json!({ "type": "generic", "version": 2, "accounts": [account] });
    signed(operator, operator.public(), "deletion", &claims)
}

fn signed(issuer: &Key, subject: &str, name: &str, claims: &Value) -> String {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let body = json!({
        "jti": random_hex(26),
        "iat": since_1970.as_secs(),
        "iss": issuer.public(),
        "name": name,
        "sub": subject,
        "nats": claims,
    });
    let said = format!(
        "{}.{}",
        encoded(HEADER.as_bytes()),
        encoded(body.to_string().as_bytes())
    );
    let signature = encoded(&issuer.sign(said.as_bytes()));
    format!("{said}.{signature}")
}

/// The name in a token.
pub(super) fn name_of(token: &str) -> Option<String> {
    let body = BASE64URL_NOPAD.decode(token.split('.').nth(1)?.as_bytes()).ok()?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    Some(body["name"].as_str()?.to_owned())
}

fn encoded(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// What clients of all languages read their credentials from.
pub(super) fn credentials(token: &str, seed: &str) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}

#[cfg(test)]
mod tests {
    use nkeys::KeyPair;

    use super::*;

    #[test]
    fn a_servers_keys_follow_from_its_password() {
        let keys = |password| {
            let Authority { operator, system } = Authority::of(password).expect("keys");
            (operator.public().to_owned(), system.public().to_owned())
        };
        assert_eq!(keys("a"), keys("a"));
        assert_ne!(keys("a"), keys("b"));
        let (operator, system) = keys("a");
        assert!(
            operator.starts_with('O') && system.starts_with('A'),
            "{operator} {system}"
        );
    }

    #[test]
    fn a_token_is_signed_by_its_issuer() {
        let account = Key::new(Kind::Account).expect("a key");
        let (token, key) = user(&account, "orders::are_sent").expect("a token");
        let (said, signature) = token.rsplit_once('.').expect("three parts");
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base 64");
        let issuer = KeyPair::from_public_key(account.public()).expect("a public key");
        issuer
            .verify(said.as_bytes(), &signature)
            .expect("the account's signature");
        let (_, body) = said.split_once('.').expect("three parts");
        let body: Value =
            serde_json::from_slice(&BASE64URL_NOPAD.decode(body.as_bytes()).expect("base 64")).expect("JSON");
        assert_eq!(body["iss"], account.public());
        assert_eq!(body["sub"], key.public());
        assert_eq!(name_of(&token).as_deref(), Some("orders::are_sent"));
    }
}
