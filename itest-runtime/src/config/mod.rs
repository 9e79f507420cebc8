//! What a person set: `ITEST_*` variables over `itest.toml` at the workspace's root.

mod settings;
mod sources;
mod spelling;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::spec::{DockerWish, NativeWish, Provider, Provision};

/// The settings of one test process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// Where sockets, locks and logs of supervisors lie.
    pub(crate) dir: Option<PathBuf>,
    /// Where servers put their data.
    pub(crate) data_dir: Option<PathBuf>,
    /// Where prepared data directories are kept between runs.
    pub(crate) cache_dir: Option<PathBuf>,
    /// How long templates are kept between runs.
    pub(crate) keep_templates: Duration,
    /// How long an idle supervisor stays.
    pub(crate) linger: Duration,
    /// How long a failing test's slice is kept.
    pub(crate) keep: Option<Duration>,
    /// How long a test without a `timeout` of its own may take.
    pub(crate) timeout: Option<Duration>,
    /// How long a server may take to become ready; a test waits twice as long for a supervisor that is ending.
    pub(crate) start_timeout: Duration,
    /// The user that servers run as when the tests run as root.
    pub(crate) server_user: Option<String>,
    pub(crate) provider: Provider,
    /// What goes in front of the names of images that name no registry: a mirror's address.
    pub(crate) image_prefix: Option<String>,
    pub(crate) services: BTreeMap<String, ServiceConfig>,
}

/// The settings of one service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ServiceConfig {
    pub(crate) provider: Option<Provider>,
    pub(crate) url: Option<Secret>,
    pub(crate) bin: Option<PathBuf>,
    pub(crate) image: Option<String>,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Config {
    /// Reads the file and the environment. `declared` tells the services that this binary has besides the built-in ones.
    ///
    /// # Errors
    /// When a key is unknown or a value is none of those allowed; the message names all three. Also when a service's name is
    /// misspelt.
    pub(crate) fn load(workspace: &Path, declared: impl FnOnce() -> Vec<&'static str>) -> Result<Self> {
        let mut settings = sources::file(&workspace.join("itest.toml"))?;
        settings.extend(sources::environment(std::env::vars_os())?);
        spelling::check(&settings, declared)?;
        let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0");
        Self::of(&settings, in_ci)
    }

    fn of(settings: &[settings::Setting], in_ci: bool) -> Result<Self> {
        let mut config = Self {
            dir: None,
            data_dir: None,
            cache_dir: None,
            // What a migration took from its day, such as a partition for the month, is not forever right.
            keep_templates: Duration::from_hours(7 * 24),
            // At a desk the next run finds everything warm; in CI there is no next run.
            linger: if in_ci { Duration::ZERO } else { Duration::from_secs(30) },
            keep: None,
            timeout: None,
            start_timeout: Duration::from_secs(30),
            server_user: None,
            provider: Provider::Auto,
            image_prefix: None,
            services: BTreeMap::new(),
        };
        settings.iter().try_for_each(|setting| setting.apply(&mut config))?;
        Ok(config)
    }

    /// Chooses the provider of a service; `asked` is what the test itself says.
    ///
    /// # Errors
    /// When `external` is asked for and no URL is set.
    pub(crate) fn provision(&self, service: &str, asked: Option<Provider>) -> Result<Provision> {
        let unset = ServiceConfig::default();
        let own = self.services.get(service).unwrap_or(&unset);
        let native = NativeWish {
            bin: own.bin.clone(),
            data_dir: self.data_dir.clone(),
        };
        let docker = DockerWish {
            image: own.image.clone(),
            prefix: self.image_prefix.clone(),
        };
        let external = || own.url.as_ref().map(|url| Provision::External { url: url.0.clone() });
        match asked.or(own.provider).unwrap_or(self.provider) {
            Provider::Auto => Ok(external().unwrap_or(Provision::Auto { docker, native })),
            Provider::Docker => Ok(Provision::Docker(docker)),
            Provider::Native => Ok(Provision::Native(native)),
            Provider::External => external().ok_or_else(|| {
                let name = service.to_uppercase();
                Error::new(format!(
                    "the external provider was asked for `{service}`, but no URL is set for it"
                ))
                .hint(format!(
                    "set ITEST_{name}_URL, or `url` under [{service}] in itest.toml"
                ))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::settings::Setting;
    use super::*;

    fn config(settings: &[(&str, &str)]) -> Result<Config> {
        let settings: Vec<_> = settings
            .iter()
            .map(|(key, value)| Setting::parse_variable(key, value).expect("an ITEST_ variable"))
            .collect();
        Config::of(&settings, false)
    }

    #[test]
    fn auto_takes_a_url_where_one_is_set() {
        let config = config(&[("ITEST_POSTGRES_URL", "postgres://u@h/d")]).expect("valid");
        assert!(matches!(
            config.provision("postgres", None),
            Ok(Provision::External { .. })
        ));
        assert!(matches!(config.provision("redis", None), Ok(Provision::Auto { .. })));
    }

    #[test]
    fn the_test_wins_over_the_service_and_the_service_over_all() {
        let config = config(&[
            ("ITEST_PROVIDER", "external"),
            ("ITEST_POSTGRES_PROVIDER", "native"),
            ("ITEST_POSTGRES_URL", "postgres://u@h/d"),
        ])
        .expect("valid");
        assert!(matches!(config.provision("postgres", None), Ok(Provision::Native(_))));
        assert!(matches!(
            config.provision("postgres", Some(Provider::External)),
            Ok(Provision::External { .. })
        ));
        let error = config.provision("redis", None).expect_err("no URL is set");
        assert!(error.render().contains("ITEST_REDIS_URL"), "{}", error.render());
    }

    #[test]
    fn a_time_too_far_away_is_refused() {
        let far = u64::MAX.to_string() + "s";
        for name in [
            "ITEST_START_TIMEOUT",
            "ITEST_KEEP",
            "ITEST_TIMEOUT",
            "ITEST_LINGER",
            "ITEST_KEEP_TEMPLATES",
        ] {
            for value in [far.as_str(), "1001 days"] {
                let said = config(&[(name, value)]).expect_err("too far").render();
                assert!(said.contains(name) && said.contains("a thousand days"), "{said}");
            }
            config(&[(name, "1000 days")]).expect("far enough");
        }
    }

    #[test]
    fn a_supervisor_does_not_linger_in_ci() {
        assert_eq!(Config::of(&[], true).expect("valid").linger, Duration::ZERO);
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_allowed() {
        let error = config(&[("ITEST_PROVIDER", "podman")])
            .expect_err("unknown provider")
            .render();
        for part in ["ITEST_PROVIDER", "podman", "`auto`, `docker`, `native`, `external`"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
