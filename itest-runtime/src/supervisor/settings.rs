//! What a client tells the supervisor it starts.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Access;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::{Context, Error, Result};
use crate::home::Home;
use crate::os;
use crate::wire::ExeStamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    base: PathBuf,
    key: String,
    pub(super) linger: Duration,
    pub(super) start_timeout: Duration,
    pub(super) server_user: Option<String>,
    cache_dir: Option<PathBuf>,
    pub(super) keep_templates: Duration,
    /// The program as the client knows it: its file may have been replaced since that was started.
    pub(super) exe: ExeStamp,
}

impl Settings {
    /// # Errors
    /// When a path is not valid Unicode: it couldn't be handed over.
    pub(crate) fn new(home: &Home, config: &Config) -> Result<Self> {
        if let Some(path) = [Some(home.base()), config.cache_dir.as_deref()]
            .into_iter()
            .flatten()
            .find(|path| path.to_str().is_none())
        {
            return Err(Error::new(format!("the path {} is not valid Unicode", path.display())));
        }
        if let Some(cache) = &config.cache_dir {
            check_cache(cache)?;
        }
        Ok(Self {
            base: home.base().to_owned(),
            key: home.key().to_owned(),
            linger: config.linger,
            start_timeout: config.start_timeout,
            server_user: config.server_user.clone(),
            cache_dir: config.cache_dir.clone(),
            keep_templates: config.keep_templates,
            exe: ExeStamp::own().clone(),
        })
    }

    pub(crate) fn to_variable(&self) -> String {
        serde_json::to_string(self).expect("its paths are valid Unicode")
    }

    pub(super) fn parse(variable: &OsStr) -> Result<Self> {
        let text = variable
            .to_str()
            .ok_or_else(|| Error::new("the supervisor's settings are no valid Unicode"))?;
        serde_json::from_str(text).context(|| "the supervisor's settings make no sense")
    }

    pub(super) fn home(&self) -> Home {
        Home::told(self.base.clone(), self.key.clone())
    }

    /// Where prepared data is kept: by the XDG convention.
    pub(super) fn cache_dir(&self) -> PathBuf {
        let variable = |name| os::variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        self.cache_dir
            .clone()
            .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("itest")))
            .or_else(|| variable("HOME").map(|home| home.join(".cache/itest")))
            .unwrap_or_else(|| self.base.join("cache"))
    }
}

/// What a person said is to be used, and not left out in silence.
fn check_cache(folder: &Path) -> Result<()> {
    let usable = || {
        std::fs::create_dir_all(folder)?;
        let rights = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        rustix::fs::access(folder, rights).map_err(std::io::Error::from)
    };
    usable()
        .context(|| format!("servers' data can't be kept in {}", folder.display()))
        .map_err(|error| error.hint("set ITEST_CACHE_DIR to a folder in which you may create files, or unset it"))
}
