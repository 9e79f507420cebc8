//! What a lease's user may do on a shared server.

use redis::aio::MultiplexedConnection;
use redis::cmd;

/// Commands that reach beyond one logical database: other tests' data, clients or settings, or the server itself. `COPY` and
/// `MOVE` can name another database; `SELECT` is given back for one. Search and time series have one index for all databases,
/// which anybody's `FLUSHDB` empties.
const REFUSED: &[&str] = &[
    "@search",
    "@timeseries",
    "acl",
    "bgrewriteaof",
    "bgsave",
    "client",
    "cluster",
    "commandlog",
    "config",
    "copy",
    "debug",
    "failover",
    "flushall",
    "function",
    "hotkeys",
    "latency",
    "migrate",
    "module",
    "monitor",
    "move",
    "pfdebug",
    "pfselftest",
    "psync",
    "replconf",
    "replicaof",
    "restore-asking",
    "role",
    "save",
    "script",
    "select",
    "shutdown",
    "slaveof",
    "slowlog",
    "swapdb",
    "sync",
];

/// What of the refused commands concerns nobody else. Version 6 can only add subcommands, not take them away. `CLIENT TRACKING`
/// isn't among them: keys are tracked without their database, so that it tells of everybody's, and of everybody's `FLUSHDB`.
const ALLOWED: &[&str] = &[
    "acl|whoami",
    "client|getname",
    "client|getredir",
    "client|id",
    "client|info",
    "client|reply",
    "client|setinfo",
    "client|setname",
    "client|trackinginfo",
    "function|list",
    "script|exists",
    "script|load",
    "slowlog|len",
];

/// A user that exists only to find out which rules a server knows.
const PROBE: &str = "itest-probe";

/// The rules of `ACL SETUSER` that this server understands, but for the database.
#[derive(Debug, Clone)]
pub(super) struct Rules(Vec<String>);

impl Rules {
    /// Tries each rule: servers differ in their commands, and one that isn't known makes the whole user fail.
    ///
    /// # Errors
    /// When the server lets us make no users.
    pub(super) async fn find(connection: &mut MultiplexedConnection) -> redis::RedisResult<Self> {
        set_user(PROBE, &["reset".to_owned()])
            .query_async::<()>(connection)
            .await?;
        let wanted = REFUSED
            .iter()
            .map(|command| format!("-{command}"))
            .chain(ALLOWED.iter().map(|rule| format!("+{rule}")));
        let mut rules = vec!["~*".to_owned(), "&*".to_owned(), "+@all".to_owned()];
        for rule in wanted {
            let tried = set_user(PROBE, std::slice::from_ref(&rule))
                .query_async::<()>(connection)
                .await;
            rules.extend(tried.is_ok().then_some(rule));
        }
        // Channel patterns came with 6.2.
        if set_user(PROBE, &["&*".to_owned()])
            .query_async::<()>(connection)
            .await
            .is_err()
        {
            rules.retain(|rule| rule != "&*");
        }
        cmd("ACL")
            .arg("DELUSER")
            .arg(PROBE)
            .query_async::<()>(connection)
            .await?;
        Ok(Self(rules))
    }

    /// The rules for one logical database.
    pub(super) fn within(&self, database: u32) -> Vec<String> {
        self.0.iter().cloned().chain([format!("+select|{database}")]).collect()
    }

    /// The rules for a server of one's own.
    pub(super) fn everything() -> Vec<String> {
        ["~*", "&*", "+@all"].map(str::to_owned).to_vec()
    }
}

pub(super) fn set_user(name: &str, rules: &[String]) -> redis::Cmd {
    let mut command = cmd("ACL");
    command.arg("SETUSER").arg(name).arg(rules);
    command
}
