//! A client that outlives its test.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use itest_runtime::service::Service;
use itest_runtime::{Inject, Lease};
use tokio::runtime::Runtime;

use super::{Outcome, Subject, writes};
use crate::PATIENCE;
use crate::notes::note;

/// How long a client that is locked out may take to say so.
const ANSWERS: Duration = Duration::from_secs(2);

/// A lease itself, as a parameter.
pub struct LeaseOf<S: Service>(Lease<S>);

impl<S: Service> Inject<S> for LeaseOf<S> {
    type Service = S;

    async fn inject(lease: &Lease<S>) -> itest_runtime::Result<Self> {
        Ok(Self(lease.clone()))
    }
}

/// A client of a lease, in a thread of its own, which writes once it is told to, until that is refused.
#[doc(hidden)]
pub struct Stale {
    write: mpsc::Sender<()>,
    written: JoinHandle<Result<(), String>>,
}

impl Stale {
    #[doc(hidden)]
    pub async fn of<S: Subject, Via>(lease: &LeaseOf<S::Service>) -> Outcome<Self>
    where
        S::Value: Inject<Via, Service = S::Service>,
    {
        let lease = lease.0.clone();
        let (write, told) = mpsc::channel();
        let (connected, connecting) = tokio::sync::oneshot::channel();
        let written = std::thread::spawn(move || {
            let runtime = Runtime::new().map_err(|error| error.to_string())?;
            let value = runtime.block_on(async {
                let value = S::Value::inject(&lease).await.map_err(|error| error.render())?;
                S::write(&value).await.map_err(|error| error.to_string())?;
                Ok::<_, String>(value)
            });
            let _ = connected.send(value.as_ref().map(drop).map_err(Clone::clone));
            let value = value?;
            told.recv().map_err(|_| "nobody told it to write".to_owned())?;
            runtime.block_on(until_refused::<S>(&value))
        });
        connecting.await??;
        Ok(Self { write, written })
    }
}

/// Until the slice is brought back, or another is made, nobody has it: a write that comes in between is seen by nobody.
async fn until_refused<S: Subject>(value: &S::Value) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Some clients go on trying to connect.
        match tokio::time::timeout(ANSWERS, S::write(value)).await {
            Ok(Ok(())) if Instant::now() > deadline => return Ok(()),
            Ok(Ok(())) => tokio::time::sleep(Duration::from_millis(5)).await,
            Ok(Err(refused)) => return Err(refused.to_string()),
            Err(_) => return Err("it waits for ever".to_owned()),
        }
    }
}

#[doc(hidden)]
pub async fn is_not_reached<S: Subject>(value: &S::Value, stale: Option<Stale>) -> Outcome<()> {
    let Some(Stale { write, written }) = stale else {
        return Err("the first test left no client: are they run in one process?".into());
    };
    write.send(())?;
    let written = tokio::task::spawn_blocking(move || written.join()).await?;
    let written = written.map_err(|_| "the stale client panicked")?;
    match &written {
        Ok(()) => note("stale", "never refused"),
        Err(refused) => note("stale", format!("refused: {refused}").replace('\n', " ")),
    }
    let found = S::count(value).await?;
    if found > 0 {
        return Err(format!("{found} things are there that this test didn't write").into());
    }
    writes::<S>(value).await
}
