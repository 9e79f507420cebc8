//! Builds the service anew when a migration changes: `sqlx::migrate!` can't tell cargo on its own.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
