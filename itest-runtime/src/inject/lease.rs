//! The leases of one test, whatever their services are.

use std::any::Any;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::part::BoxFuture;
use crate::error::Result;
use crate::naming::random_hex;
use crate::service::{Lease, Service, URL_FILE, Used};

/// A lease of any service.
pub(crate) trait AnyLease {
    fn as_any(&self) -> &dyn Any;

    /// Looks at the slice once more after a test that passed.
    fn finish(&self) -> BoxFuture<'_, Result<Used>>;

    /// A hint for a failure whose text reveals a limit of the slice.
    fn explain(&self, failure: &str) -> Option<String>;

    /// Its label, and the command that opens the slice for a person. A secret that the command needs goes into a file in
    /// `folder`, if there is one.
    fn open_command(&self, folder: Option<&Path>) -> (String, Option<String>);
}

impl<S: Service> AnyLease for Lease<S> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn finish(&self) -> BoxFuture<'_, Result<Used>> {
        Box::pin(S::finish(self))
    }

    fn explain(&self, failure: &str) -> Option<String> {
        self.service().explain(failure)
    }

    fn open_command(&self, folder: Option<&Path>) -> (String, Option<String>) {
        let command = S::open_command(self.grant());
        let command = match folder.zip(S::url(self.grant()).ok()) {
            Some((folder, url)) => command.and_then(|command| with_url_file(command, folder, &url)),
            None => command,
        };
        (self.label().to_owned(), command)
    }
}

/// Lets the shell read the URL out of a file: it must not stand in a log.
fn with_url_file(command: String, folder: &Path, url: &str) -> Option<String> {
    if !command.contains(URL_FILE) {
        return Some(command);
    }
    let path = folder.join(format!("url-{}", random_hex(4)));
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .ok()?;
    file.write_all(url.as_bytes()).ok()?;
    Some(command.replace(URL_FILE, &format!("\"$(cat {})\"", path.display())))
}
