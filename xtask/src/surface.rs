//! `cargo xtask surface`: what each crate lets others use, compared with the committed list.
//!
//! The list is of items (types, traits, functions, macros), as rustdoc shows them; what is hidden from its pages isn't in it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::line::{self, Line};

/// The crates that users and authors of services depend on.
const CRATES: [&str; 8] = [
    "itest",
    "itest_macros",
    "itest_mysql",
    "itest_nats",
    "itest_postgres",
    "itest_redis",
    "itest_runtime",
    "itest_testing",
];
/// The committed list.
const LIST: &str = "docs/public-items.txt";

/// What to do where the list and the crates differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Differing {
    Fail,
    Update,
}

pub(crate) fn run(differing: Differing) -> Result<()> {
    Line::cargo(["doc", "--quiet", "--workspace", "--no-deps"]).run()?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| line::root().join("target"), PathBuf::from);
    let pages = target.join("doc");
    let mut now = String::new();
    for name in CRATES {
        let items = items_of(&pages.join(name))?;
        now.push_str(&format!("# {name}: {} items\n", items.len()));
        now.extend(items.iter().map(|item| format!("{item}\n")));
    }
    let list = line::root().join(LIST);
    if differing == Differing::Update {
        return fs::write(&list, now).with_context(|| format!("failed to write {}", list.display()));
    }
    let committed = fs::read_to_string(&list).with_context(|| format!("failed to read {}", list.display()))?;
    match differences(&committed, &now) {
        none if none.is_empty() => Ok(()),
        some => bail!(
            "what the crates let others use is not what {LIST} says:\n{}\nif that is meant, run `cargo xtask surface --update`",
            some.join("\n")
        ),
    }
}

fn items_of(pages: &Path) -> Result<Vec<String>> {
    let path = pages.join("all.html");
    let page = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    Ok(items(&page))
}

/// The items on rustdoc's page of all items: `struct provider::Launch`.
fn items(page: &str) -> Vec<String> {
    let listed = page.split("<ul class=\"all-items\">").skip(1);
    let links = listed.flat_map(|list| {
        list.split("</ul>")
            .next()
            .unwrap_or_default()
            .split("<a href=\"")
            .skip(1)
    });
    let mut items: Vec<String> = links.filter_map(item).collect();
    items.sort();
    items
}

fn item(link: &str) -> Option<String> {
    let (address, rest) = link.split_once("\">")?;
    let kind = address.rsplit('/').next()?.split('.').next()?;
    let name = rest.split("</a>").next()?;
    Some(format!("{kind} {name}"))
}

fn differences(committed: &str, now: &str) -> Vec<String> {
    let missing = |from: &str, other: &str, sign: &str| {
        let lines = from.lines().filter(|line| !other.lines().any(|known| known == *line));
        lines.map(|line| format!("{sign} {line}")).collect::<Vec<_>>()
    };
    [missing(committed, now, "-"), missing(now, committed, "+")].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_off_rustdocs_page() {
        let page = "<h3 id=\"structs\">Structs</h3><ul class=\"all-items\"><li><a href=\"provider/struct.Launch.html\">\
                    provider::Launch</a></li></ul><h3>Macros</h3><ul class=\"all-items\"><li><a href=\"macro.code.html\">code\
                    </a></li></ul><a href=\"elsewhere.html\">no item</a>";
        assert_eq!(items(page), ["macro code", "struct provider::Launch"]);
    }

    #[test]
    fn what_came_and_what_went_is_told() {
        let told = differences("# a: 2 items\nfn one\nfn two\n", "# a: 2 items\nfn two\nfn three\n");
        assert_eq!(told, ["- fn one", "+ fn three"]);
    }
}
