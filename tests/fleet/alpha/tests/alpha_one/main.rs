//! Tests of the fleet: many that are all alike, and some that misbehave when they are asked to.

mod misbehaving;

fleet_probe::guests!((migrations = "./migrations") with 10 rooms: first second third fourth fifth sixth);

/// No test: what a test leaves behind.
#[tokio::test]
#[ignore = "a misbehaving test starts it"]
async fn intruder() -> anyhow::Result<()> {
    fleet_probe::intrude().await
}
