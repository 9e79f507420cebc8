//! A server that someone else runs, by URL.

use super::{Endpoint, Instance};
use crate::error::{Error, Result};

pub(super) fn find(name: &str, url: &str, dedicated: bool, owner: &str) -> Result<(Instance, Endpoint)> {
    if dedicated {
        return Err(Error::new(format!(
            "`{name}(dedicated)` needs a server of its own, but the provider is external"
        ))
        .hint(format!(
            "write `{name}(dedicated, docker)` or `{name}(dedicated, native)` for this test, or unset ITEST_{}_URL",
            name.to_uppercase()
        )));
    }
    Ok((Instance::External, Endpoint::external(url, owner)?))
}
