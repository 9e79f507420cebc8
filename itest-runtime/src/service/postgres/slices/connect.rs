//! How the supervisor comes to a server, and what it may do there.

use std::sync::Mutex;

use super::{Logins, PgSlices, next_name};
use crate::error::{Context, Error, Result};
use crate::provider::Endpoint;
use crate::service::postgres::admin::{Admin, ident};
use crate::service::postgres::grant::Address;
use crate::service::postgres::{PgServer, external};

impl PgSlices {
    pub(in crate::service::postgres) async fn connect(server: &PgServer, endpoint: &Endpoint) -> Result<Self> {
        let (address, owner, dedicated, database) = match endpoint {
            Endpoint::Native {
                place,
                owner,
                dedicated,
            } => {
                let address = Address::Native {
                    sockets: place.dir.clone(),
                    port: place.port,
                };
                (address, owner.clone(), *dedicated, "postgres".to_owned())
            }
            Endpoint::External { url, owner } => (
                Address::External { url: url.clone() },
                owner.clone(),
                false,
                database_of(url)?,
            ),
        };
        let admin = Admin::connect(address.options(&database, None)?, &owner).await?;
        let rights = admin.rights().await?;
        if matches!(address, Address::External { .. }) {
            external::check(&admin, server).await?;
        }
        if rights.major < 13 {
            return Err(Error::new(format!(
                "the server is PostgreSQL {}, and itest needs 13 or later",
                rights.major
            )));
        }
        let is_native = matches!(address, Address::Native { .. });
        let logins = match &address {
            Address::External { url } if !rights.superuser => {
                let url = url::Url::parse(url).context(|| "ITEST_POSTGRES_URL is no URL")?;
                let decode = |text: &str| percent_decode(text);
                Logins::UrlUser {
                    user: decode(url.username()),
                    password: decode(url.password().unwrap_or_default()),
                    database,
                }
            }
            Address::External { .. } | Address::Native { .. } => Logins::Own,
        };
        // Dropping a database may take a while there, and no test has to wait for it.
        let harvest = (!is_native && rights.create_databases).then(|| {
            let (admin, owner) = (admin.clone(), owner.clone());
            tokio::spawn(async move {
                if let Err(error) = external::harvest(&admin, &owner).await {
                    tracing::warn!(%error, "what dead supervisors left stays on an external server");
                }
            })
        });
        let slices = Self {
            strategy: if is_native && rights.major >= 15 {
                "STRATEGY file_copy"
            } else {
                ""
            },
            can_create: rights.create_databases,
            harvest: Mutex::new(harvest),
            templates: Mutex::default(),
            admin,
            address,
            owner_role: next_name(&owner, "o"),
            owner,
            logins,
            dedicated,
        };
        if is_native {
            let closed = "REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC".to_owned();
            slices
                .admin
                .run("failed to close the server's own databases to tests", closed)
                .await?;
        }
        if matches!(slices.logins, Logins::Own) {
            // On a server of its own, migrations may need what only a superuser can do: most extensions, roles.
            let rights = if dedicated { "SUPERUSER" } else { "" };
            let role = format!("CREATE ROLE {} NOLOGIN {rights}", ident(&slices.owner_role));
            slices
                .admin
                .run("failed to make the role that owns templates", role)
                .await?;
        }
        Ok(slices)
    }
}

/// The database in a URL; by default it has the user's name.
fn database_of(url: &str) -> Result<String> {
    let url = url::Url::parse(url).context(|| "ITEST_POSTGRES_URL is no URL")?;
    let path = url.path().trim_start_matches('/');
    Ok(percent_decode(if path.is_empty() { url.username() } else { path }))
}

fn percent_decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}
