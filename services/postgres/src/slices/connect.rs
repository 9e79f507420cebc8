//! How the supervisor comes to a server, and what it may do there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use itest_runtime::provider::Endpoint;
use itest_runtime::service::{Lost, Sweep};
use itest_runtime::{Error, Result};
use tokio::sync::OnceCell;

use super::{Logins, PgSlices, keep};
use crate::admin::Admin;
use crate::external::SignOfLife;
use crate::grant::Address;
use crate::{PgServer, external, recycle, url};

/// How the supervisor comes to a server.
struct Way<'a> {
    address: Address,
    owner: String,
    dedicated: bool,
    database: String,
    /// Unless the address says it: name and password.
    user: Option<(&'static str, &'a str)>,
}

impl<'a> Way<'a> {
    fn to(endpoint: &'a Endpoint) -> Result<Self> {
        let (address, database, user) = if let Some(url) = &endpoint.url {
            (Address::External { url: url.clone() }, url::login(url)?.2, None)
        } else if let Some(folder) = &endpoint.folder {
            let address = Address::Native {
                sockets: folder.clone(),
                port: endpoint.port,
            };
            (address, "postgres".to_owned(), None)
        } else {
            endpoint.address()?;
            let address = Address::Docker {
                host: endpoint.host.clone(),
                port: endpoint.port,
            };
            let user = ("postgres", endpoint.password.as_str());
            (address, "postgres".to_owned(), Some(user))
        };
        Ok(Self {
            address,
            owner: endpoint.owner.clone(),
            dedicated: endpoint.dedicated,
            database,
            user,
        })
    }
}

impl PgSlices {
    pub(crate) async fn connect(server: &PgServer, endpoint: &Endpoint) -> Result<Self> {
        let Way {
            address,
            owner,
            dedicated,
            database,
            user,
        } = Way::to(endpoint)?;
        let is_ours = !matches!(address, Address::External { .. });
        let admin = Admin::connect(address.options(&database, user)?, &owner, !is_ours).await?;
        let rights = admin.rights().await?;
        if !is_ours {
            external::check(&admin, server).await?;
        }
        if let Some(place) = &endpoint.container {
            external::check_version(&admin, server, &place.image).await?;
            if rights.major >= 16 {
                cheapen_passwords(&admin).await?;
            }
        }
        if rights.major < 13 {
            return Err(Error::new(format!(
                "the server is PostgreSQL {}, and itest needs 13 or later",
                rights.major
            )));
        }
        let logins = match &address {
            Address::External { url } if !rights.superuser => {
                let (user, password, database) = url::login(url)?;
                Logins::UrlUser {
                    user,
                    password,
                    database,
                }
            }
            Address::External { .. } | Address::Docker { .. } | Address::Native { .. } => Logins::Own,
        };
        let sweep = if !is_ours && rights.create_databases {
            Sweep::begin(Arc::new(admin.clone()), &owner)
        } else {
            Sweep::none()
        };
        let is_native = matches!(address, Address::Native { .. });
        let templates = if is_native {
            keep::found(&admin).await?
        } else {
            HashMap::new()
        };
        let slices = Self {
            era: admin.era().await?,
            lost: Lost::default(),
            strategy: if is_ours && rights.major >= 15 {
                "STRATEGY file_copy"
            } else {
                ""
            },
            can_create: rights.create_databases,
            _sign_of_life: (!is_ours).then(|| SignOfLife::of(admin.clone())),
            sweep,
            templates: Mutex::new(templates),
            has_news: AtomicBool::new(false),
            base: OnceCell::new(),
            blank: OnceCell::new(),
            ended: AtomicU64::new(0),
            recycles: rights.major >= recycle::FIRST_VERSION && rights.superuser && !dedicated,
            admin,
            address,
            owner,
            logins,
            dedicated,
        };
        slices.prepare().await?;
        Ok(slices)
    }

    /// Closes a server's own databases to tests.
    async fn prepare(&self) -> Result<()> {
        if matches!(self.address, Address::External { .. }) {
            return Ok(());
        }
        let closed = "REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC".to_owned();
        self.admin
            .run("failed to close the server's own databases to tests", closed)
            .await
    }
}

/// As a native server's configuration has it: SCRAM's 4096 rounds cost a debug build 61 ms for each connection, and these
/// passwords are random and long. An image is asked for its version only when it runs.
async fn cheapen_passwords(admin: &Admin) -> Result<()> {
    for statement in [
        "ALTER SYSTEM SET password_encryption = 'scram-sha-256'",
        "ALTER SYSTEM SET scram_iterations = 1",
        "SELECT pg_reload_conf()",
    ] {
        admin
            .run("failed to set how passwords are kept", statement.to_owned())
            .await?;
    }
    Ok(())
}
