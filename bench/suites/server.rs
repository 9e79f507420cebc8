//! Servers for those who bring none of their own: tuned as every server of itest's is, and migrated.

#[path = "support/schema.rs"]
mod schema;

use std::io::Read;

use itest::integration;
use sqlx::{ConnectOptions, PgPool};

/// Prints the version and the URLs of two databases, and holds these until stdin ends: one on the server that tests with itest
/// use, the other on a server of its own, where more may be made.
#[integration(
    shared = postgres(migrations = schema::schema()),
    own = postgres(migrations = schema::schema(), dedicated)
)]
async fn hold(shared: PgPool, own: PgPool) -> Result<(), Box<dyn std::error::Error>> {
    let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&shared).await?;
    println!("SERVER_VERSION={version}");
    println!("FLOOR_URL={}", url(&shared));
    println!("DATABASE_URL={}", url(&own));
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

/// As itest itself connects. A lease's user has a `#` in its name, which sqlx puts into the URL as it is.
fn url(db: &PgPool) -> String {
    let options = db.connect_options();
    let user = options.get_username().replace('#', "%23");
    options.as_ref().clone().username(&user).to_url_lossy().into()
}
