//! What a test has, or waits for: it goes back when this is dropped, however the test ended.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Pool;
use crate::error::Result;
use crate::service::{AnySlice, Used};
use crate::supervisor::server::Server;

/// A test that waits for a slice.
pub(super) struct Waiting {
    pub(super) pool: Arc<Pool>,
    pub(super) told: oneshot::Receiver<Result<AnySlice>>,
}

impl Drop for Waiting {
    /// The test may die just when its slice has come: the next one gets it.
    fn drop(&mut self) {
        self.told.close();
        if let Ok(Ok(slice)) = self.told.try_recv() {
            let mut state = self.pool.state();
            state.held -= 1;
            state.coming += 1;
            drop(state);
            self.pool.arrive(Ok(slice));
        }
    }
}

/// A slice that a lease holds; it goes back when this is dropped, however the lease ended.
pub(crate) struct Held {
    pool: Arc<Pool>,
    pub(super) slice: Option<AnySlice>,
    pub(crate) used: Used,
    /// Nobody uses the server after this lease: there is nothing to recycle for.
    pub(crate) last: bool,
    /// Its place on the server is somebody else's now.
    is_given_back: bool,
}

impl Held {
    /// A slice that is counted as held, or a share of one.
    pub(super) fn of(pool: &Arc<Pool>, slice: Option<AnySlice>) -> Self {
        Self {
            pool: pool.clone(),
            slice,
            used: Used::Unknown,
            last: false,
            is_given_back: false,
        }
    }

    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.pool.server
    }

    /// Gives a slice back that no test has used, together with its place on the server.
    pub(crate) fn give_back(mut self) {
        self.is_given_back = true;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.slice.is_some() {
            self.pool.state().held -= 1;
        }
        // A dead server's slices are gone with it.
        if let Some(slice) = self.slice.take()
            && !self.last
            && self.pool.server.is_usable()
        {
            let server = self.pool.server.clone();
            if self.is_given_back {
                return self
                    .pool
                    .server
                    .spawn(async move { server.slices.destroy(slice).await });
            }
            self.pool.state().coming += 1;
            server.spawn(self.pool.clone().recycle(slice, self.used));
        }
    }
}
