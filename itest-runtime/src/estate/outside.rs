//! What a server that was killed leaves outside its folder. The folder says what that may be, to whoever finds it: a later
//! supervisor need not know the service.

use std::path::Path;

use super::DATA;
use crate::os::{SegmentFile, read_no_link};

/// In a server's folder: where the number of its shared memory stands.
pub(crate) const SEGMENT: &str = "segment.json";

/// Removes the shared memory of the server whose folder this was, once it is gone.
pub(crate) fn remove_segment(dir: &Path) {
    let written = read_no_link(&dir.join(SEGMENT));
    if let Some(segment) = written.and_then(|text| serde_json::from_str::<SegmentFile>(&text).ok()) {
        segment.remove_segment(&dir.join(DATA));
    }
}
