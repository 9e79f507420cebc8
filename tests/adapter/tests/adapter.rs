//! A test has a type of another crate as a parameter, once some crate says how it is made.

use adapter as _;
use itest::integration;
use redis::{Commands, Connection};

#[integration(redis)]
fn a_foreign_client_is_injected(mut cache: Connection) -> anyhow::Result<()> {
    cache.set::<_, _, ()>("k", "v")?;
    assert_eq!(cache.get::<_, String>("k")?, "v");
    Ok(())
}

#[integration(here = redis, there = redis)]
fn two_are_told_apart_by_their_names(here: &mut Connection, there: &mut Connection) -> anyhow::Result<()> {
    here.set::<_, _, ()>("k", "v")?;
    assert_eq!(there.get::<_, Option<String>>("k")?, None);
    Ok(())
}

#[integration(redis)]
fn it_stands_beside_what_the_service_itself_makes(mut cache: Connection, client: redis::Client) -> anyhow::Result<()> {
    cache.set::<_, _, ()>("k", "v")?;
    assert_eq!(client.get_connection()?.get::<_, String>("k")?, "v");
    Ok(())
}

#[integration(adapter::greeting)]
async fn a_fixture_of_another_crate_brings_its_services(
    greeting: &String,
    client: redis::Client,
) -> anyhow::Result<()> {
    assert_eq!(client.get_connection()?.get::<_, String>("greeting")?, *greeting);
    Ok(())
}

#[itest::fixture(adapter::greeting)]
fn twice(greeting: &String) -> String {
    format!("{greeting}, {greeting}")
}

#[integration(twice)]
fn a_fixture_is_made_of_one_of_another_crate(twice: String) {
    assert_eq!(twice, "hello, hello");
}
