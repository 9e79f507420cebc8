//! Services' names in settings, which may be misspelt.

use super::settings::Setting;
use crate::error::{Error, Result};

/// Whatever features this build has: a setting of theirs is none of nobody's.
const BUILT_IN: [&str; 6] = ["mariadb", "nats", "postgres", "redis", "container", "compose"];

/// Refuses the name of a service that isn't there and looks like one that is. Any other may be a service that another test binary
/// of the workspace declares.
pub(super) fn check(settings: &[Setting], declared: impl FnOnce() -> Vec<&'static str>) -> Result<()> {
    let unknown = |setting: &&Setting| {
        let service = setting.service.as_deref();
        service.is_some_and(|service| !BUILT_IN.contains(&service))
    };
    let unknown: Vec<&Setting> = settings.iter().filter(unknown).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let known = [&BUILT_IN[..], &declared()].concat();
    for setting in unknown {
        let service = setting.service.as_deref().unwrap_or_default();
        if known.contains(&service) {
            continue;
        }
        if let Some(meant) = known.iter().find(|known| looks_like(service, known)) {
            return Err(Error::new(format!(
                "{} is about a service `{service}`, and there is none of that name",
                setting.origin
            ))
            .hint(format!(
                "`{meant}` is one: ITEST_{}_{}, or `{}` under [{meant}] in itest.toml",
                meant.to_uppercase(),
                setting.key.to_uppercase(),
                setting.key
            )));
        }
    }
    Ok(())
}

/// Two typing mistakes at most, one in a short name. That `redis2` and `redis_cache` are others than `redis` is meant so.
fn looks_like(name: &str, known: &str) -> bool {
    let (short, long) = (known.len().min(name.len()), known.len().max(name.len()));
    if short < 4 || name.contains('_') || name.ends_with(|last: char| last.is_ascii_digit()) {
        return false;
    }
    let mistakes = if short < 6 { 1 } else { 2 };
    strsim::damerau_levenshtein(name, known) <= mistakes || long - short <= 3 && name.starts_with(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(variable: &str, declared: &[&'static str]) -> Result<()> {
        check(&[Setting::parse_variable(variable, "x")?], || declared.to_vec())
    }

    #[test]
    fn a_misspelt_service_is_told_from_one_that_another_binary_declares() {
        for (variable, meant) in [
            ("ITEST_POSTGRE_URL", "ITEST_POSTGRES_URL"),
            ("ITEST_POSTGRSE_BIN", "ITEST_POSTGRES_BIN"),
            ("ITEST_POSTGRESQL_IMAGE", "ITEST_POSTGRES_IMAGE"),
            ("ITEST_REDDIS_URL", "ITEST_REDIS_URL"),
            ("ITEST_MEMCACHE_BIN", "ITEST_MEMCACHED_BIN"),
        ] {
            let said = checked(variable, &["memcached"]).expect_err(variable).render();
            assert!(said.contains(variable) && said.contains(meant), "{said}");
        }
        for variable in [
            "ITEST_POSTGRES_URL",
            "ITEST_MEMCACHED_BIN",
            "ITEST_MEMCACHE_BIN",
            "ITEST_REDIS2_URL",
            "ITEST_REDIS_CACHE_URL",
            "ITEST_MONGO_URL",
        ] {
            let declared: &[_] = if variable.contains("MEMCACHE_") {
                &[]
            } else {
                &["memcached"]
            };
            checked(variable, declared).expect(variable);
        }
    }
}
