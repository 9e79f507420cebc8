//! A server for those who bring none of their own: tuned like every server of itest's, and migrated.

use std::io::Read;

use itest::integration;
use sqlx::PgPool;

/// Prints the server's version and URL, and holds it until stdin ends.
#[integration(postgres(migrations = "./migrations", dedicated))]
async fn hold(db: PgPool) -> Result<(), Box<dyn std::error::Error>> {
    let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&db).await?;
    let options = db.connect_options();
    let sockets = options.get_socket().expect("a native server has a socket");
    println!("SERVER_VERSION={version}");
    println!(
        "DATABASE_URL=postgres:///{}?host={}&port={}&user={}&sslmode=disable",
        options.get_database().expect("a slice is a database"),
        sockets.display(),
        options.get_port(),
        options.get_username().replace('#', "%23"),
    );
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}
