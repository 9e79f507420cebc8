//! What tests of a broker do: a stream of their own, three messages, and back.

use async_nats::jetstream::{Context, consumer::pull, stream};
use futures_util::StreamExt;

/// In a stream of that name.
#[allow(dead_code, reason = "not every suite has a broker")]
pub(crate) async fn three_messages(jetstream: &Context, name: &str) -> anyhow::Result<()> {
    let config = stream::Config {
        name: name.to_owned(),
        subjects: vec![format!("{name}.>")],
        ..stream::Config::default()
    };
    let stream = jetstream.create_stream(config).await?;
    for _ in 0..3 {
        jetstream.publish(format!("{name}.placed"), "one".into()).await?.await?;
    }
    let consumer = stream.create_consumer(pull::Config::default()).await?;
    let heard = consumer.fetch().max_messages(3).messages().await?;
    assert_eq!(heard.count().await, 3);
    Ok(())
}
