//! The features that a package declares.

/// The names in the `[features]` table of a manifest, but for `default`.
///
/// Reads what our own manifests look like, not all of TOML: one key at the start of a line, arrays of strings.
pub(crate) fn parse(manifest: &str) -> Vec<String> {
    let mut features = Vec::new();
    let mut inside = false;
    let mut depth = 0_usize;
    for line in manifest
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
    {
        if depth == 0 && line.starts_with('[') {
            inside = line == "[features]";
            continue;
        }
        if !inside {
            continue;
        }
        if depth == 0
            && let Some((key, _)) = line.split_once('=')
        {
            features.push(key.trim().trim_matches('"').to_owned());
        }
        depth = (depth + line.matches('[').count()).saturating_sub(line.matches(']').count());
    }
    features.retain(|feature| feature != "default");
    features
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_read_in_order_without_the_default() {
        let manifest = r#"
[package]
name = "x" # [features]

[features]
default = ["postgres", "redis"]
## PostgreSQL, through sqlx.
postgres = ["dep:sqlx", "x/a=b"]
redis = [
    "dep:redis", # a = b
    "x/y",
]
"native" = []

[dependencies]
sqlx = "0.9"
"#;
        assert_eq!(parse(manifest), ["postgres", "redis", "native"]);
    }

    #[test]
    fn a_package_may_have_none() {
        assert_eq!(parse("[package]\nname = \"x\"\n"), [""; 0]);
    }

    #[test]
    fn our_own_manifests_are_read() {
        let facade = include_str!("../../Cargo.toml");
        assert!(
            parse(facade).iter().any(|feature| feature == "postgres"),
            "{:?}",
            parse(facade)
        );
    }
}
