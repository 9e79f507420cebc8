//! What a supervisor owns outside itself, and how it goes when the supervisor does: folders with servers' data, the list of what
//! there is, the janitor that removes it, and what dead supervisors left.

mod harvest;
mod janitor;
mod outside;
mod roots;
mod state;

pub(crate) use harvest::{Leavings, in_background};
pub(crate) use janitor::Janitor;
pub(crate) use outside::{SEGMENT, remove_segment};
pub(crate) use roots::Roots;
#[cfg(feature = "docker")]
pub(crate) use roots::Spare;
pub(crate) use state::StateFile;

/// A native server's data, in its folder.
pub(crate) const DATA: &str = "data";
