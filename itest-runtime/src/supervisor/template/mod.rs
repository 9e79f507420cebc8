//! Templates: each is built once, by the first test that needs it, while the others wait.

mod states;

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use tokio::sync::watch;

use self::states::{Claim, State};
pub(super) use self::states::{Leaving, Templates};
use super::server::Server;
use crate::error::Result;
use crate::os::ProcessId;
use crate::service::TemplateId;
use crate::spec::Fingerprint;

/// A template that is ready stays as long as the answer lives.
pub(super) fn claim(server: &Arc<Server>, template: &Fingerprint, anchor: ProcessId) -> Option<InUse> {
    let is_ready = server.templates.claim_ready(template, anchor);
    is_ready.then(|| InUse {
        server: server.clone(),
        template: template.clone(),
    })
}

/// Returns when the template of `pool` is ready; it stays as long as the answer lives. `build` has the caller's test build it
/// in a blank slice; if that test dies meanwhile, this future is dropped, and the next who waits builds it.
pub(super) async fn ensure<F>(
    server: &Arc<Server>,
    TemplateId {
        fingerprint: template,
        source,
    }: &TemplateId,
    spec: &Value,
    anchor: ProcessId,
    build: impl FnOnce(Value) -> F,
) -> Result<InUse>
where
    F: Future<Output = Result<()>>,
{
    let in_use = || InUse {
        server: server.clone(),
        template: template.clone(),
    };
    let building = loop {
        match server.templates.claim(template, anchor) {
            Claim::Ready => return Ok(in_use()),
            Claim::Failed(error) => return Err(error),
            // An error only says that the builder is done.
            Claim::Wait(mut over) => drop(over.changed().await),
            Claim::Build(building) => break building,
        }
    };
    let mut site = Site {
        server: server.clone(),
        template: template.clone(),
        spec: spec.clone(),
        building: Some(building),
    };
    let outcome = async {
        let log_offset = server.instance.log_length();
        let blank = server.slices.begin_template(spec).await?;
        if let Err(error) = build(blank.clone()).await {
            // It names the statement, which a library's error doesn't.
            server.catch_up_with_log().await;
            return Err(error.log("the server's log says of it", server.log_about(&blank, log_offset)));
        }
        server.slices.seal_template(spec).await
    }
    .await;
    match outcome {
        Ok(()) => {
            site.close(State::Ready {
                users: 1,
                last_used: Instant::now(),
                source: source.clone(),
                run: Some(anchor),
                bytes: None,
            });
            if let Some(source) = source.clone() {
                let (outdated_on, template) = (server.clone(), template.clone());
                server.spawn(async move { outdated_on.drop_outdated(&template, &source, anchor).await });
            }
            Ok(in_use())
        }
        Err(error) => {
            server.slices.abandon_template(spec).await;
            site.close(State::Failed(error.clone(), anchor));
            Err(error)
        }
    }
}

/// A template that stays as long as this lives.
pub(super) struct InUse {
    server: Arc<Server>,
    template: Fingerprint,
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(State::Ready { users, .. }) = self.server.templates.states().get_mut(&self.template) {
            *users -= 1;
        }
    }
}

/// A template under construction.
struct Site {
    server: Arc<Server>,
    template: Fingerprint,
    spec: Value,
    building: Option<watch::Sender<()>>,
}

impl Site {
    fn close(&mut self, state: State) {
        self.server.templates.states().insert(self.template.clone(), state);
        self.building = None;
    }
}

impl Drop for Site {
    /// The builder died: what it left is removed before another begins.
    fn drop(&mut self) {
        let Some(building) = self.building.take() else { return };
        let (server, template, spec) = (self.server.clone(), self.template.clone(), self.spec.clone());
        tokio::spawn(async move {
            tracing::warn!(%template, "the test that built a template is gone");
            server.slices.abandon_template(&spec).await;
            server.templates.states().remove(&template);
            drop(building);
        });
    }
}
