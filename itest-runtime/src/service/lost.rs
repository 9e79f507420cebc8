//! How a service's slices say that their server, though it runs, can't be used any more: see [`super::Slices::lost`].

use tokio::sync::watch;

/// Why a server can't be used any more, once that is known.
#[derive(Debug, Default)]
pub struct Lost(watch::Sender<Option<String>>);

impl Lost {
    /// Says that it is lost, and why.
    pub fn because(&self, why: impl Into<String>) {
        self.0.send_replace(Some(why.into()));
    }

    /// Returns when it is lost, also if it was before.
    pub async fn why(&self) -> String {
        let mut lost = self.0.subscribe();
        let why = lost.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        match why {
            Some(why) => why,
            None => std::future::pending().await,
        }
    }
}
