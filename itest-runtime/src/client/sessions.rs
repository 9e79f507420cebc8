//! All leases of one test: one session for each supervisor that its services belong to, usually one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use super::Session;
use crate::case::Case;
use crate::config::Config;
use crate::error::Result;
use crate::home::Home;
use crate::inject::{Claimed, Declared};
use crate::naming;
use crate::os;
use crate::service::{TestContext, Used};
use crate::wire::{BUILD, ExeStamp, Open, SliceDiagnosis};

/// Sessions, each with the indices of its services.
pub(crate) struct Sessions(Vec<(Vec<usize>, Session)>);

impl Sessions {
    /// Leases all slices; the grants are in the services' order.
    pub(crate) async fn acquire<D: Declared>(
        case: &'static Case,
        config: &Config,
        workspace: &Path,
        test: &TestContext,
        declared: &D,
    ) -> Result<(Self, Vec<Value>)> {
        let mut claims = Vec::new();
        declared.requests(test, &|service, asked| config.provision(service, asked), &mut claims)?;
        let mut all = vec![Value::Null; claims.len()];
        let mut sessions = Vec::new();
        // One after the other, and each process in the same order: nobody has what another waits for, and the other way round.
        for (domain, indices) in by_domain(&claims) {
            let home = Home::locate(config.dir.as_deref(), &naming::supervisor_key(workspace, BUILD, domain))?;
            let open = Open {
                build: BUILD.to_owned(),
                exe: ExeStamp::own().clone(),
                anchor: anchor(),
                test: test.test.clone(),
                requests: indices.iter().map(|index| claims[*index].request.clone()).collect(),
            };
            let build = |index: usize, blank| declared.build(indices[index], test, blank);
            let progress = |text| eprintln!("itest: {text}");
            let (session, grants) = Session::acquire(case, config, &home, open, build, progress).await?;
            for (index, grant) in indices.iter().zip(grants) {
                all[*index] = grant;
            }
            sessions.push((indices, session));
        }
        Ok((Self(sessions), all))
    }

    /// What the supervisors know of the test's slices, in the services' order.
    ///
    /// # Errors
    /// When a supervisor is gone.
    pub(crate) async fn diagnose(&mut self) -> Result<Vec<(usize, SliceDiagnosis)>> {
        let mut all = Vec::new();
        for (indices, session) in &mut self.0 {
            all.extend(indices.iter().copied().zip(session.diagnose().await?));
        }
        all.sort_by_key(|(index, _)| *index);
        Ok(all)
    }

    /// A folder that only the user can read, which goes with the supervisor.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.0.first().map(|(_, session)| session.folder())
    }

    /// Ends the leases. `used` is in the services' order; what it doesn't say is unknown.
    pub(crate) async fn close(self, used: Vec<Used>, keep: Option<Duration>) {
        let used = &used;
        join_all(self.0.into_iter().map(|(indices, session)| {
            let used = indices
                .iter()
                .map(|index| used.get(*index).copied().unwrap_or(Used::Unknown))
                .collect();
            session.close(used, keep)
        }))
        .await;
    }
}

fn anchor() -> os::ProcessId {
    static ANCHOR: OnceLock<os::ProcessId> = OnceLock::new();
    *ANCHOR.get_or_init(os::anchor)
}

/// The services of each supervisor, in the order of their domains.
fn by_domain(claims: &[Claimed]) -> BTreeMap<&str, Vec<usize>> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, claim) in claims.iter().enumerate() {
        groups.entry(&claim.domain).or_default().push(index);
    }
    groups
}
