//! Where settings come from.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::settings::Setting;
use crate::error::{Context, Error, Result};
use crate::wire::SUPERVISE;

/// The settings of a file; none if there is no such file.
pub(super) fn file(path: &Path) -> Result<Vec<Setting>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).context(|| format!("failed to read {}", path.display())),
    };
    parse(&text, &path.display().to_string())
}

fn parse(text: &str, path: &str) -> Result<Vec<Setting>> {
    let table: toml::Table = text.parse().context(|| format!("{path} is not valid TOML"))?;
    let mut settings = Vec::new();
    for (key, value) in table {
        match value {
            toml::Value::Table(service) => {
                for (inner, value) in service {
                    settings.push(setting(Some(key.clone()), inner, &value, path)?);
                }
            }
            value => settings.push(setting(None, key, &value, path)?),
        }
    }
    Ok(settings)
}

fn setting(service: Option<String>, key: String, value: &toml::Value, path: &str) -> Result<Setting> {
    let place = service
        .as_deref()
        .map(|service| format!("[{service}] "))
        .unwrap_or_default();
    let origin = format!("`{place}{key}` in {path}");
    let text = value.as_str().unwrap_or_default().to_owned();
    let setting = Setting {
        service,
        key,
        value: text,
        origin,
    };
    setting.check_key()?;
    if !value.is_str() {
        return Err(Error::new(format!(
            "{} is of the type {}, and a text is wanted",
            setting.origin,
            value.type_str()
        ))
        .hint("write a text in quotes"));
    }
    Ok(setting)
}

/// The settings among the given variables.
pub(super) fn environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<Setting>> {
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, value)| name.starts_with("ITEST_") && name != SUPERVISE && !is_unset(name, value))
        .map(|(name, value)| match value.to_str() {
            Some(value) => Setting::parse_variable(&name, value),
            None => Err(Error::new(format!("the value of {name} is not valid Unicode"))),
        })
        .collect()
}

/// An empty variable counts as unset, but not one that names a folder or a program: there something else was to stand, and what
/// is taken instead would be a surprise.
fn is_unset(name: &str, value: &OsStr) -> bool {
    value.is_empty() && !name.ends_with("_DIR") && !name.ends_with("_BIN")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_the_file_and_the_known_ones() {
        let error = parse("[postgres]\nport = \"1\"", "/w/itest.toml")
            .expect_err("unknown")
            .render();
        for part in ["`port`", "/w/itest.toml", "`provider`, `url`, `bin`"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_number_where_a_text_belongs_is_an_error() {
        let error = parse("linger = 30", "itest.toml").expect_err("no text").render();
        assert!(error.contains("`linger`") && error.contains("integer"), "{error}");
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let set = environment([("ITEST_LINGER".into(), "".into())].into_iter()).expect("valid");
        assert!(set.is_empty());
        for name in ["ITEST_DIR", "ITEST_DATA_DIR", "ITEST_CACHE_DIR", "ITEST_POSTGRES_BIN"] {
            let set = environment([(name.into(), "".into())].into_iter()).expect("valid");
            assert_eq!(set.len(), 1, "{name}");
        }
    }
}
