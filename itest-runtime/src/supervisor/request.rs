//! One request on its way to a slice: its server, its template, its seat.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use tokio::sync::oneshot;

use super::Supervisor;
use super::lease::{Writer, send};
use super::pool::Held;
use super::seats::{Order, Seat};
use super::server::Server;
use super::servers::Servers;
use super::template::{self, InUse};
use crate::error::{Error, Result};
use crate::os::ProcessId;
use crate::service::{Base, LeaseName, PoolSpec, TemplateId};
use crate::spec::{Fingerprint, Request, Stage};
use crate::wire::FromSupervisor;

/// On how many servers, one after the other, a slice is asked for.
const TRIES: usize = 3;

/// Templates that this test is building: where its answers go.
pub(super) type Builds = Arc<std::sync::Mutex<HashMap<usize, oneshot::Sender<Result<()>>>>>;

/// One request on its way to a slice.
pub(super) struct One {
    pub(super) index: usize,
    pub(super) supervisor: Arc<Supervisor>,
    pub(super) writer: Writer,
    pub(super) builds: Builds,
    pub(super) key: Fingerprint,
    pub(super) order: Arc<Order>,
    pub(super) anchor: ProcessId,
    pub(super) test: String,
    /// No other slice of this supervisor has it.
    pub(super) number: u64,
}

impl One {
    pub(super) async fn acquire(&self, request: &Request) -> Result<Granted> {
        let dedicated = request.dedicated.then(|| Dedicated {
            supervisor: self.supervisor.clone(),
            key: self.key.clone(),
        });
        if !self.supervisor.servers.is_up(&self.key) {
            self.say(format!("waiting for {} to start", request.label)).await;
        }
        let mut tries = 1;
        let granted = loop {
            let server = Servers::get(&self.supervisor, &self.key, request, self.anchor, |text| self.say(text)).await?;
            let outcome = tokio::select! {
                outcome = self.acquire_on(&server, request) => outcome,
                death = server.died() => Err(death),
            };
            match outcome {
                // Its successor has no less for this test, which has seen nothing of the one that is lost.
                Err(error) if tries < TRIES && server.is_given_up().await => {
                    tracing::info!(%error, "a test gets another server");
                    tries += 1;
                }
                outcome => break outcome,
            }
        };
        granted.map(|granted| Granted {
            _dedicated: dedicated,
            ..granted
        })
    }

    async fn acquire_on(&self, server: &Arc<Server>, request: &Request) -> Result<Granted> {
        let pool = server.slices.pool(&request.slice)?;
        let Some(template) = &pool.template else {
            return self.lease(server, request, (&request.slice, &pool)).await;
        };
        // What is there needs nothing to be there first.
        if let Some(_stays) = template::claim(server, &template.fingerprint, self.anchor) {
            return self.lease(server, request, (&request.slice, &pool)).await;
        }
        let base = server.slices.base(&request.slice)?;
        if let Some(base) = base.as_ref().filter(|base| base.may_replay)
            && server.templates.is_cheaper_to_replay(&template.fingerprint)
            && let Some(granted) = self.replay(server, request, base, template).await?
        {
            return Ok(granted);
        }
        let _stays = self.template(server, request, base, template).await?;
        self.lease(server, request, (&request.slice, &pool)).await
    }

    /// A slice of the base, to which the test has added what the template would have had; none if that failed.
    async fn replay(
        &self,
        server: &Arc<Server>,
        request: &Request,
        base: &Base<Value>,
        template: &TemplateId,
    ) -> Result<Option<Granted>> {
        let build = |blank| self.build(Stage::Base, blank);
        let _stays = template::ensure(server, &base.template, &base.spec, self.anchor, build).await?;
        let pool = server.slices.pool(&base.spec)?;
        let mut granted = self.lease(server, request, (&base.spec, &pool)).await?;
        let began = Instant::now();
        let replayed = self.build(Stage::Replay, granted.grant.clone()).await;
        server
            .templates
            .note_replay(&template.fingerprint, replayed.is_ok().then(|| began.elapsed()));
        granted.log_offset = server.instance.log_length();
        Ok(replayed.is_ok().then_some(granted))
    }

    async fn lease(
        &self,
        server: &Arc<Server>,
        request: &Request,
        (spec, pool): (&Value, &PoolSpec),
    ) -> Result<Granted> {
        let seat = self
            .order
            .seat(server, &self.key, &self.test, |text| self.say(text))
            .await?;
        let log_offset = server.instance.log_length();
        let lease = LeaseName {
            test: self.test.clone(),
            unique: format!("{}-{}", server.owner, self.number),
        };
        let (mut held, grant) = server
            .pool(spec, pool)
            .lease(spec, &lease)
            .await
            .map_err(|error| death_or(server, error))?;
        held.last = request.dedicated;
        Ok(Granted {
            held,
            grant,
            _seat: seat,
            log_offset,
            _dedicated: None,
        })
    }

    /// Returns when the template is there; it stays as long as the answer lives.
    async fn template(
        &self,
        server: &Arc<Server>,
        request: &Request,
        base: Option<Base<Value>>,
        template: &TemplateId,
    ) -> Result<InUse> {
        if server.templates.is_being_built(&template.fingerprint) {
            self.say(format!(
                "waiting for another test to build the template of {}",
                request.label
            ))
            .await;
        }
        let Some(base) = base else {
            let build = |blank| self.build(Stage::Whole, blank);
            return template::ensure(server, template, &request.slice, self.anchor, build).await;
        };
        let build = |blank| self.build(Stage::Base, blank);
        let _base_stays = template::ensure(server, &base.template, &base.spec, self.anchor, build).await?;
        let build = |slice| self.build(Stage::Layers, slice);
        template::ensure(server, template, &request.slice, self.anchor, build).await
    }

    async fn say(&self, progress: String) {
        send(&self.writer, &FromSupervisor::Progress(progress)).await;
    }

    /// Has the test build a template, and waits for its answer.
    async fn build(&self, stage: Stage, grant: Value) -> Result<()> {
        let (tell, told) = oneshot::channel();
        self.builds.lock().expect("no holder panics").insert(self.index, tell);
        send(
            &self.writer,
            &FromSupervisor::Build {
                index: self.index,
                stage,
                grant,
            },
        )
        .await;
        told.await
            .unwrap_or_else(|_| Err(Error::new("the test that built the template is gone")))
    }
}

/// A server's death explains whatever else went wrong on it.
fn death_or(server: &Server, error: Error) -> Error {
    server.death().cloned().unwrap_or(error)
}

/// A slice that this lease holds.
pub(super) struct Granted {
    pub(super) held: Held,
    pub(super) grant: Value,
    _seat: Option<Arc<Seat>>,
    /// Where the server's log stood when the lease began.
    pub(super) log_offset: u64,
    _dedicated: Option<Dedicated>,
}

/// A server for this lease alone: it goes when the lease does.
struct Dedicated {
    supervisor: Arc<Supervisor>,
    key: Fingerprint,
}

impl Drop for Dedicated {
    fn drop(&mut self) {
        let (supervisor, key) = (self.supervisor.clone(), self.key.clone());
        tokio::spawn(async move { supervisor.servers.retire(&key).await });
    }
}
