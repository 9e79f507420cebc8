//! itest's NATS: an account for each test.

#[path = "support/orders.rs"]
mod orders;
mod support;

use async_nats::jetstream::Context;
use itest::integration;

macro_rules! each {
    ($($name:ident)*) => { $(
        #[integration(nats)]
        async fn $name(jetstream: Context) -> anyhow::Result<()> {
            orders::three_messages(&jetstream, stringify!($name)).await
        }
    )* };
}

support::tests!(100, each);
