//! One connection, which is one lease.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::Supervisor;
use super::request::{Builds, Granted, One};
use super::seats::Order;
use crate::error::Error;
use crate::os::ProcessId;
use crate::spec::{Fingerprint, Request};
use crate::wire::{BUILD, FrameReader, FrameWriter, FromSupervisor, Open, SliceDiagnosis, ToSupervisor};

/// How often a test that waits hears that the supervisor lives.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often a test's process is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long a test holds slices that another supervisor may wait for, while it waits for more.
const GIVE_BACK: Duration = Duration::from_secs(2);

type Reader = FrameReader<OwnedReadHalf, ToSupervisor>;
pub(super) type Writer = Arc<Mutex<FrameWriter<OwnedWriteHalf>>>;

/// Serves one test from its first message to the end of its connection.
pub(super) async fn serve(supervisor: &Arc<Supervisor>, stream: UnixStream) {
    let peer = stream.peer_cred().ok().and_then(|peer| peer.pid());
    let peer = peer.and_then(|pid| ProcessId::of(u32::try_from(pid).ok()?));
    let (reader, writer) = stream.into_split();
    let mut reader = FrameReader::new(reader);
    let writer: Writer = Arc::new(Mutex::new(FrameWriter::new(writer)));
    let open = match reader.next().await {
        Ok(Some(ToSupervisor::Open(open))) => open,
        Ok(_) => return,
        Err(error) => return tracing::warn!(%error, "a caller made no sense"),
    };
    if open.build != BUILD || supervisor.exe.is_replaced_by(&open.exe) {
        tracing::info!("a newer build asks: no new leases from here on");
        let leases = supervisor.lifetime.leases();
        supervisor.lifetime.drain();
        send(
            &writer,
            &FromSupervisor::Superseded {
                pid: std::process::id(),
                leases,
            },
        )
        .await;
        return;
    }
    let unknown: Vec<usize> = (0..open.requests.len())
        .filter(|index| supervisor.driver(&open.requests[*index]).is_none())
        .collect();
    if !unknown.is_empty() {
        return send(&writer, &FromSupervisor::Unknown { indices: unknown }).await;
    }
    let lease = Lease {
        supervisor: supervisor.clone(),
        writer,
        builds: Builds::default(),
    };
    // Too late: the caller finds the next supervisor.
    let Some(_counted) = supervisor.lifetime.begin_lease(open.anchor) else {
        return;
    };
    // A child that the test forked may hold the connection open for as long as it likes.
    tokio::select! {
        biased;
        () = lease.run(open, &mut reader) => {}
        () = gone(peer) => tracing::info!("a test is gone, and a child of its own holds its connection"),
    }
}

/// Returns some time after the test's process has ended; never if it isn't known.
async fn gone(peer: Option<ProcessId>) {
    let Some(peer) = peer else {
        return std::future::pending().await;
    };
    while peer.is_alive() {
        tokio::time::sleep(LOOK).await;
    }
    // What it said last comes first.
    tokio::time::sleep(LOOK).await;
}

pub(super) async fn send(writer: &Writer, message: &FromSupervisor) {
    // If the test is gone, the reader's end of file says so.
    let _ = writer.lock().await.send(message).await;
}

struct Lease {
    supervisor: Arc<Supervisor>,
    writer: Writer,
    builds: Builds,
}

impl Lease {
    async fn run(self, open: Open, reader: &mut Reader) {
        let Some(mut granted) = self.acquire(&open, reader).await else {
            return;
        };
        let grants = granted.iter().map(|granted| granted.grant.clone()).collect();
        send(&self.writer, &FromSupervisor::Granted(grants)).await;
        loop {
            match reader.next().await {
                Ok(Some(ToSupervisor::Diagnose)) => {
                    let diagnosis = join_all(granted.iter().map(diagnose)).await;
                    send(&self.writer, &FromSupervisor::Diagnosis(diagnosis)).await;
                }
                Ok(Some(ToSupervisor::Close { used, keep })) => {
                    for (granted, used) in granted.iter_mut().zip(used) {
                        granted.held.used = used;
                    }
                    if let Some(keep) = keep {
                        self.keep(granted, keep);
                    }
                    return;
                }
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(error) => return tracing::warn!(%error, "a test made no sense"),
            }
        }
    }

    /// Holds the slices of a failed test for a while.
    fn keep(&self, granted: Vec<Granted>, keep: Duration) {
        self.supervisor.lifetime.keep_until(Instant::now() + keep);
        tokio::spawn(async move {
            tokio::time::sleep(keep).await;
            drop(granted);
        });
    }

    /// All slices, or none: when one can't be had, the others go back. None, too, when the test dies meanwhile.
    async fn acquire(&self, open: &Open, reader: &mut Reader) -> Option<Vec<Granted>> {
        let wanted: Vec<Wanted> = open
            .requests
            .iter()
            .map(|request| {
                // A test may have two instances of one service.
                let number = self.supervisor.next_number();
                let key = request.server_key(number, open.anchor);
                Wanted {
                    number,
                    key,
                    request: request.clone(),
                }
            })
            .collect();
        let mut granted: Vec<Option<Granted>> = wanted.iter().map(|_| None).collect();
        loop {
            match self.acquire_missing(open, &wanted, &mut granted, reader).await {
                Acquired::All => return granted.into_iter().collect(),
                Acquired::Failed => return None,
                Acquired::Stuck => {
                    for one in &mut granted {
                        if one.as_ref().is_some_and(|one| one.held.server().seats.is_some())
                            && let Some(one) = one.take()
                        {
                            one.held.give_back();
                        }
                    }
                    tokio::time::sleep(some_time()).await;
                }
            }
        }
    }

    async fn acquire_missing(
        &self,
        open: &Open,
        wanted: &[Wanted],
        granted: &mut [Option<Granted>],
        reader: &mut Reader,
    ) -> Acquired {
        let missing = || (0..).zip(wanted).filter(|(index, _)| granted[*index].is_none());
        let order = Arc::new(Order::of(missing().map(|(_, wanted)| wanted.key.clone())));
        let mut coming = JoinSet::new();
        for (index, wanted) in missing() {
            let one = One {
                index,
                supervisor: self.supervisor.clone(),
                writer: self.writer.clone(),
                builds: self.builds.clone(),
                key: wanted.key.clone(),
                order: order.clone(),
                anchor: open.anchor,
                test: open.test.clone(),
                number: wanted.number,
            };
            let request = wanted.request.clone();
            coming.spawn(async move { (index, one.acquire(&request).await) });
        }
        let mut patience = std::pin::pin!(tokio::time::sleep(GIVE_BACK + some_time()));
        let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT);
        loop {
            // What the test builds just now goes on.
            let may_give_back = granted.iter().flatten().any(|one| one.held.server().is_contested())
                && self.builds.lock().expect("no holder panics").is_empty();
            tokio::select! {
                _ = heartbeat.tick() => send(&self.writer, &FromSupervisor::Alive).await,
                () = &mut patience, if may_give_back => return Acquired::Stuck,
                message = reader.next() => match message {
                    Ok(Some(ToSupervisor::Built { index, outcome })) => {
                        let build = self.builds.lock().expect("no holder panics").remove(&index);
                        if let Some(build) = build {
                            let _ = build.send(outcome);
                        }
                    }
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return Acquired::Failed,
                },
                one = coming.join_next() => match one {
                    Some(Ok((index, Ok(one)))) => granted[index] = Some(one),
                    Some(Ok((index, Err(error)))) => {
                        send(&self.writer, &FromSupervisor::Failed { index, error }).await;
                        return Acquired::Failed;
                    }
                    Some(Err(panic)) => {
                        let error = Error::new(format!(
                            "the supervisor panicked: {panic}; this is a bug in itest, please report it"
                        ));
                        send(&self.writer, &FromSupervisor::Failed { index: 0, error }).await;
                        return Acquired::Failed;
                    }
                    None => return Acquired::All,
                },
            }
        }
    }
}

/// A request, and the server that it is for.
struct Wanted {
    number: u64,
    key: Fingerprint,
    request: Request,
}

enum Acquired {
    All,
    /// One of them can't be had, or nobody wants them any more.
    Failed,
    /// Some aren't free: perhaps they are held by a test of another supervisor, which waits for what we hold.
    Stuck,
}

/// A second at most, which few tests have in common.
fn some_time() -> Duration {
    // The standard library's keys are random, and cost no system call for each lease.
    Duration::from_millis(RandomState::new().build_hasher().finish() % 1000)
}

async fn diagnose(granted: &Granted) -> SliceDiagnosis {
    let server = granted.held.server();
    server.settle().await;
    let busy_with = server.busy_with(&granted.grant).await;
    let holds = server.holds(&granted.grant).await;
    server.catch_up_with_log().await;
    SliceDiagnosis {
        busy_with,
        holds,
        log: server.log_about(&granted.grant, granted.log_offset),
        death: server.death().cloned(),
    }
}
