//! A client that outlives its test.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use itest_runtime::service::Service;
use itest_runtime::{Inject, Lease};
use tokio::runtime::Runtime;

use super::{Outcome, Subject, writes};
use crate::notes::note;

/// A lease itself, as a parameter.
pub struct LeaseOf<S: Service>(Lease<S>);

impl<S: Service> Inject<S> for LeaseOf<S> {
    type Service = S;

    async fn inject(lease: &Lease<S>) -> itest_runtime::Result<Self> {
        Ok(Self(lease.clone()))
    }
}

/// A client of a lease, in a thread of its own, which writes once it is told to.
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
            runtime.block_on(async {
                // Some clients go on trying to connect.
                match tokio::time::timeout(Duration::from_secs(2), S::write(&value)).await {
                    Ok(outcome) => outcome.map_err(|error| error.to_string()),
                    Err(_) => Err("it waits for ever".to_owned()),
                }
            })
        });
        connecting.await??;
        Ok(Self { write, written })
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
        Ok(()) => note("stale", "written"),
        Err(refused) => note("stale", format!("refused: {refused}").replace('\n', " ")),
    }
    let found = S::count(value).await?;
    if found > 0 {
        return Err(format!("{found} things are there that this test didn't write").into());
    }
    writes::<S>(value).await
}
