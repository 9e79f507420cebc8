//! What nobody uses takes no more room than it is worth: idle slices go first, then templates that nothing is made of, both
//! beginning with those that nobody has asked for the longest.

use std::sync::Arc;

use super::pool::Pool;
use super::server::Server;
use super::template::Leaving;
use crate::os::ProcessId;
use crate::spec::Fingerprint;

/// Idle slices of one server, of all pools together. A blank PostgreSQL database takes 7 MB.
const MOST_SLICES: usize = 32;
/// What templates may take that nobody uses at the moment, where there is room: 150 small databases.
const MOST_BYTES: u64 = 1 << 30;
/// The same where nobody knows how much room there is: in containers, and on somebody else's server.
const MOST_BYTES_UNSEEN: u64 = 256 << 20;
/// What a template takes whose service doesn't tell.
const USUAL_BYTES: u64 = 8 << 20;
/// If less is free where the server keeps its data, nothing idle stays.
const LEAST_BYTES: u64 = 128 << 20;

fn is_scarce(free: u64) -> bool {
    free < LEAST_BYTES
}

/// What templates that nobody uses may take: no more than a quarter of what is free beside them.
fn most_bytes(free: Option<u64>) -> u64 {
    match free {
        Some(free) if is_scarce(free) => 0,
        Some(free) => MOST_BYTES.min(free / 4),
        None => MOST_BYTES_UNSEEN,
    }
}

impl Server {
    pub(super) fn is_scarce(&self) -> bool {
        self.instance.free_bytes().is_some_and(is_scarce)
    }

    /// Removes what is idle and too much.
    pub(super) async fn make_room(self: &Arc<Self>) {
        let free = self.instance.free_bytes();
        let is_scarce = free.is_some_and(is_scarce);
        let slices = if is_scarce { 0 } else { MOST_SLICES };
        while let Some((pool, idle)) = self.most_idle_pool(slices) {
            tracing::debug!(idle, is_scarce, "idle slices are removed");
            for _ in 0..idle {
                if let Some(slice) = pool.take_idle() {
                    self.slices.destroy(slice).await;
                }
            }
        }
        for template in self.templates.of_unknown_size() {
            let bytes = self.slices.template_bytes(&template).await;
            self.templates.note_size(&template, bytes.unwrap_or(USUAL_BYTES));
        }
        let bytes = most_bytes(free);
        while let Some(template) = self.templates.claim_idle(bytes, |template| self.is_unused(template)) {
            tracing::debug!(template = %template.fingerprint(), is_scarce, "an idle template is removed");
            self.drop_template(template).await;
        }
    }

    /// Removes what was built of `source` in earlier runs, now that it is `template`.
    pub(super) async fn drop_outdated(&self, template: &Fingerprint, source: &Fingerprint, anchor: ProcessId) {
        let is_idle = |other: &Fingerprint| self.pools_of(other).iter().all(|pool| pool.is_idle());
        while let Some(outdated) = self.templates.claim_outdated(template, source, anchor, is_idle) {
            tracing::info!(template = %outdated.fingerprint(), by = %template, "a template is replaced");
            for pool in self.pools_of(outdated.fingerprint()) {
                while let Some(slice) = pool.take_idle() {
                    self.slices.destroy(slice).await;
                }
            }
            self.drop_template(outdated).await;
        }
    }

    async fn drop_template(&self, template: Leaving<'_>) {
        self.pools()
            .retain(|_, pool| pool.template() != Some(template.fingerprint()));
        self.slices.drop_template(template.fingerprint()).await;
    }

    /// The pool whose idle slices go next, and how many of them, if there are more than `most` in all.
    fn most_idle_pool(&self, most: usize) -> Option<(Arc<Pool>, usize)> {
        let pools = self.pools();
        let all: usize = pools.values().map(|pool| pool.idle().0).sum();
        let idle = pools.values().filter(|pool| pool.idle().0 > 0);
        let pool = idle.min_by_key(|pool| pool.idle().1)?;
        let too_many = all.checked_sub(most).filter(|more| *more > 0)?;
        Some((pool.clone(), too_many.min(pool.idle().0)))
    }

    /// Whether no slice of a template is there or wanted, so that nobody would miss it.
    fn is_unused(&self, template: &Fingerprint) -> bool {
        self.pools_of(template).iter().all(|pool| pool.is_deserted())
    }

    fn pools_of(&self, template: &Fingerprint) -> Vec<Arc<Pool>> {
        let pools = self.pools();
        let of_template = pools.values().filter(|pool| pool.template() == Some(template));
        of_template.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_take_a_part_of_what_is_free() {
        let gib = 1 << 30;
        for (free, most) in [
            (None, gib / 4),
            (Some(100 * gib), gib),
            (Some(gib), gib / 4),
            (Some(LEAST_BYTES), LEAST_BYTES / 4),
            (Some(LEAST_BYTES - 1), 0),
        ] {
            assert_eq!(most_bytes(free), most, "{free:?}");
        }
    }
}
