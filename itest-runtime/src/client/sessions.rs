//! All leases of one test: one session for each supervisor that its services belong to, usually one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use super::{Answer, Session};
use crate::case::Case;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::inject::{Declared, Plan, Site, build_template};
use crate::naming;
use crate::os;
use crate::service::{TestContext, Used};
use crate::spec::Request;
use crate::wire::{BUILD, ExeStamp, Open, SliceDiagnosis};

/// Sessions, each with the indices of its services.
pub(crate) struct Sessions(Vec<(Vec<usize>, Session)>);

/// The supervisor that runs all of the facade's services that its program knows. It is asked before any other.
const COMMON: &str = "common";

impl Sessions {
    /// The folder of the supervisor that is asked first, once it runs.
    pub(crate) fn folder_of_the_common_one(config: &Config, workspace: &Path) -> Option<PathBuf> {
        let home = Home::locate(config.dir.as_deref(), &naming::supervisor_key(workspace, BUILD, COMMON));
        home.ok().map(|home| home.dir())
    }

    /// Leases all slices; the grants are in the requests' order. Also tells, for each service in the order of the parts, which
    /// request is its.
    pub(crate) async fn acquire<D: Declared>(
        case: &'static Case,
        config: &Config,
        workspace: &Path,
        test: &TestContext,
        declared: &D,
    ) -> Result<(Self, Vec<Value>, Vec<usize>)> {
        let choose = |service: &str, asked| config.provision(service, asked);
        let mut plan = Plan::new(test, &choose);
        declared.plan(&mut plan)?;
        let (requests, order) = plan.finish();
        let mut all = vec![Value::Null; requests.len()];
        let mut sessions = Vec::new();
        let ask = async |whose: &str, indices: &[usize]| {
            let home = Home::locate(config.dir.as_deref(), &naming::supervisor_key(workspace, BUILD, whose))?;
            let open = Open {
                build: BUILD.to_owned(),
                exe: ExeStamp::own().clone(),
                anchor: anchor(),
                test: test.test.clone(),
                requests: indices.iter().map(|index| requests[*index].clone()).collect(),
            };
            let build = |index: usize, stage, blank| {
                build_template(declared, Site::of(indices[index], &order, test, (stage, blank)))
            };
            let progress = |text| eprintln!("itest: {text}");
            Session::acquire(case, config, &home, open, build, progress).await
        };
        // One supervisor after the other, and each process in the same order: nobody has what another waits for, and the other
        // way round.
        let (mut common, mut alone) = divide(&requests, &case.linked_identities());
        while !common.is_empty() {
            match ask(COMMON, &common).await? {
                Answer::Granted(session, grants) => {
                    take(&mut all, &common, grants);
                    sessions.push((common, session));
                    break;
                }
                Answer::Unknown(unknown) => {
                    alone.extend(unknown.iter().filter_map(|index| common.get(*index)));
                    common.retain(|index| !alone.contains(index));
                }
            }
        }
        for (identity, indices) in by_identity(&requests, &alone) {
            match ask(identity, &indices).await? {
                Answer::Granted(session, grants) => {
                    take(&mut all, &indices, grants);
                    sessions.push((indices, session));
                }
                Answer::Unknown(_) => return Err(nobody_knows(&requests[indices[0]].service)),
            }
        }
        Ok((Self(sessions), all, order))
    }

    /// What the supervisors know of the test's slices, in the requests' order.
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

    /// Ends the leases. `used` is in the requests' order; what it doesn't say is unknown.
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

/// Which requests go to the supervisor of the facade's services, and which to one of their service's own.
fn divide(requests: &[Request], linked: &[String]) -> (Vec<usize>, Vec<usize>) {
    (0..requests.len()).partition(|index| linked.contains(&requests[*index].identity))
}

/// The requests of each service, in the order of the services' identities.
fn by_identity<'a>(requests: &'a [Request], indices: &[usize]) -> BTreeMap<&'a str, Vec<usize>> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for index in indices {
        groups.entry(&requests[*index].identity).or_default().push(*index);
    }
    groups
}

fn take(all: &mut [Value], indices: &[usize], grants: Vec<Value>) {
    for (index, grant) in indices.iter().zip(grants) {
        all[*index] = grant;
    }
}

/// The supervisor of that very code was started by a program that has it.
fn nobody_knows(service: &str) -> Error {
    Error::new(format!(
        "the supervisor of the service `{service}` doesn't know this test's code of it; this is a bug in itest, please report it"
    ))
    .hint("end that supervisor, or wait until it ends, and run the tests again")
}
