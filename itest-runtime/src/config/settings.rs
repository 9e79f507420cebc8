//! One setting: a key, a value, and where a person wrote it.

use std::path::PathBuf;
use std::time::Duration;

use super::{Config, Secret};
use crate::error::{Error, Result};
use crate::spec::Provider;

const KEYS: &[&str] = &[
    "provider",
    "linger",
    "keep",
    "timeout",
    "start_timeout",
    "dir",
    "data_dir",
    "cache_dir",
    "keep_templates",
    "server_user",
    "image_prefix",
];
const SERVICE_KEYS: &[&str] = &["provider", "url", "bin", "image"];

/// The longest duration.
const MOST: Duration = Duration::from_hours(24_000);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// The service that the setting is about, or all.
    pub(super) service: Option<String>,
    pub(super) key: String,
    pub(super) value: String,
    /// How a person finds it: a variable's name, or a file and a key.
    pub(super) origin: String,
}

impl Setting {
    /// Reads a variable whose name begins with `ITEST_`.
    pub(super) fn parse_variable(name: &str, value: &str) -> Result<Self> {
        let rest = name.strip_prefix("ITEST_").unwrap_or(name).to_lowercase();
        let setting = |service: Option<&str>, key: &str| Self {
            service: service.map(str::to_owned),
            key: key.to_owned(),
            value: value.to_owned(),
            origin: name.to_owned(),
        };
        if KEYS.contains(&rest.as_str()) {
            return Ok(setting(None, &rest));
        }
        for key in SERVICE_KEYS {
            if let Some(service) = rest
                .strip_suffix(&format!("_{key}"))
                .filter(|service| !service.is_empty())
            {
                return Ok(setting(Some(service), key));
            }
        }
        Err(
            Error::new(format!("the environment variable {name} is not a setting of itest")).hint(format!(
                "the variables are {}, and for each service {}; unset {name} or give it another prefix",
                KEYS.iter()
                    .map(|key| format!("ITEST_{}", key.to_uppercase()))
                    .collect::<Vec<_>>()
                    .join(", "),
                SERVICE_KEYS
                    .iter()
                    .map(|key| format!("ITEST_<SERVICE>_{}", key.to_uppercase()))
                    .collect::<Vec<_>>()
                    .join(", "),
            )),
        )
    }

    /// Checks that a key of a file is known.
    pub(super) fn check_key(&self) -> Result<()> {
        let known = if self.service.is_some() { SERVICE_KEYS } else { KEYS };
        if known.contains(&self.key.as_str()) {
            return Ok(());
        }
        let place = match &self.service {
            Some(service) => format!("the keys under [{service}] are"),
            None => "the keys are".to_owned(),
        };
        let known: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
        let more = if self.service.is_some() {
            ""
        } else {
            ", and a table for each service, such as [postgres]"
        };
        Err(Error::new(format!("unknown key `{}` in {}", self.key, self.origin))
            .hint(format!("{place} {}{more}", known.join(", "))))
    }

    pub(super) fn apply(&self, config: &mut Config) -> Result<()> {
        let Some(service) = &self.service else {
            return self.apply_to_all(config);
        };
        let service = config.services.entry(service.clone()).or_default();
        match self.key.as_str() {
            "provider" => service.provider = Some(self.provider()?),
            "url" => service.url = Some(self.url()?),
            "bin" => service.bin = Some(self.path()?),
            "image" => service.image = Some(self.image()?),
            _ => return self.check_key(),
        }
        Ok(())
    }

    fn apply_to_all(&self, config: &mut Config) -> Result<()> {
        match self.key.as_str() {
            "provider" => config.provider = self.provider()?,
            "linger" => config.linger = self.duration()?,
            "keep" => config.keep = Some(self.duration()?).filter(|keep| !keep.is_zero()),
            "timeout" => config.timeout = Some(self.duration()?).filter(|timeout| !timeout.is_zero()),
            "start_timeout" => config.start_timeout = self.duration()?,
            "dir" => config.dir = Some(self.path()?),
            "data_dir" => config.data_dir = Some(self.path()?),
            "cache_dir" => config.cache_dir = Some(self.path()?),
            "keep_templates" => config.keep_templates = self.duration()?,
            "server_user" => config.server_user = Some(self.value.clone()),
            // An empty one says that there is none: a person's variable over a project's file.
            "image_prefix" if self.value.is_empty() => config.image_prefix = None,
            "image_prefix" => config.image_prefix = Some(self.image()?),
            _ => return self.check_key(),
        }
        Ok(())
    }

    fn bad(&self, allowed: &str) -> Error {
        Error::new(format!("bad value `{}` for {}", self.value, self.origin)).hint(format!("allowed is {allowed}"))
    }

    fn provider(&self) -> Result<Provider> {
        self.value
            .parse()
            .map_err(|()| self.bad(&format!("one of {}", Provider::NAMES)))
    }

    fn duration(&self) -> Result<Duration> {
        if self.value == "0" {
            return Ok(Duration::ZERO);
        }
        let bad = || self.bad("a duration such as `30s`, `500ms`, `2m`, or `0`, up to a thousand days");
        let duration = humantime::parse_duration(&self.value).map_err(|_| bad())?;
        // A time that far away can't be added to the present one everywhere.
        if duration > MOST { Err(bad()) } else { Ok(duration) }
    }

    fn path(&self) -> Result<PathBuf> {
        let path = PathBuf::from(&self.value);
        if path.is_absolute() {
            Ok(path)
        } else {
            Err(self.bad("an absolute path"))
        }
    }

    fn image(&self) -> Result<String> {
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/:@".contains(&byte);
        if !self.value.is_empty() && self.value.bytes().all(usual) {
            Ok(self.value.clone())
        } else {
            Err(self.bad("the name of an image, such as `postgres:16` or `registry.example.com/mirror/`"))
        }
    }

    /// A URL may hold a password: the message doesn't repeat it.
    fn url(&self) -> Result<Secret> {
        let service = self.service.as_deref().unwrap_or("postgres");
        let bad = |why: &str| {
            Error::new(format!("the value of {} is not a URL of a server: {why}", self.origin)).hint(format!(
                "allowed is a URL such as `{service}://user:password@host:port`"
            ))
        };
        match url::Url::parse(&self.value) {
            Ok(url) if url.cannot_be_a_base() => Err(bad("it has no `//`")),
            Ok(_) => Ok(Secret(self.value.clone())),
            Err(error) => Err(bad(&error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_of_any_service_is_understood() {
        let setting = Setting::parse_variable("ITEST_MEMCACHED_BIN", "/usr/bin/memcached").expect("known");
        assert_eq!(
            (setting.service.as_deref(), setting.key.as_str()),
            (Some("memcached"), "bin")
        );
    }

    #[test]
    fn an_unknown_variable_is_named_with_those_that_exist() {
        let error = Setting::parse_variable("ITEST_LINGERS", "1s")
            .expect_err("unknown")
            .render();
        assert!(
            error.contains("ITEST_LINGERS") && error.contains("ITEST_LINGER,"),
            "{error}"
        );
    }

    #[test]
    fn a_bad_url_is_not_repeated() {
        let setting = Setting::parse_variable("ITEST_POSTGRES_URL", "not a url: secret").expect("known");
        let error = setting.url().expect_err("bad").render();
        assert!(
            error.contains("ITEST_POSTGRES_URL") && !error.contains("secret"),
            "{error}"
        );
        let setting = Setting::parse_variable("ITEST_SEARCH_URL", "127.0.0.1:1").expect("known");
        let error = setting.url().expect_err("no scheme").render();
        assert!(error.contains("`search://user:password@host:port`"), "{error}");
    }
}
