//! The rooms of this crate know one another only as the table in CONTRIBUTING.md says, and never in a circle: a room may know
//! those alone that stand above it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each room with those it may know, in the table's order.
fn table() -> Vec<(String, BTreeSet<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../CONTRIBUTING.md");
    let text = fs::read_to_string(path).expect("it can be read");
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with("| room | may know |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let row = |row: &str| {
        let mut cells = row.trim_matches('|').split('|').map(names);
        let room = cells.next().and_then(|names| names.into_iter().next());
        (room.expect("a room"), cells.next().unwrap_or_default())
    };
    rows.map(row).collect()
}

fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Which rooms each room names, and one file in which it does.
fn known() -> BTreeMap<String, BTreeMap<String, PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rooms: BTreeSet<String> = entries(&root).iter().map(|path| room_of(path)).collect();
    let mut known: BTreeMap<String, BTreeMap<String, PathBuf>> = BTreeMap::new();
    for room in entries(&root) {
        let name = room_of(&room);
        let own = known.entry(name.clone()).or_default();
        for file in files(&room) {
            let text = fs::read_to_string(&file).expect("it can be read");
            let others = named(&text)
                .into_iter()
                .filter(|other| *other != name && rooms.contains(other));
            own.extend(others.map(|other| (other, file.clone())));
        }
    }
    // The crate's root opens every room's door.
    known.remove("lib");
    known
}

/// What stands after `crate::`, alone or in braces, outside of comments and of unit tests.
fn named(text: &str) -> BTreeSet<String> {
    let lines = text.lines().take_while(|line| !line.starts_with("mod tests {"));
    let code: Vec<&str> = lines.map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let mut named = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let paths = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![rest],
        };
        named.extend(paths.into_iter().map(|path| first_word(path.trim_start())));
    }
    named
}

fn first_word(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() {
        entries(path).iter().flat_map(|path| files(path)).collect()
    } else {
        vec![path.to_owned()]
    }
}

fn room_of(path: &Path) -> String {
    path.file_stem().expect("a name").to_string_lossy().into_owned()
}

#[test]
fn a_room_knows_those_that_the_table_names() {
    let table: BTreeMap<_, _> = table().into_iter().collect();
    let known = known();
    assert!(known.keys().eq(table.keys()), "{:?}\n{:?}", known.keys(), table.keys());
    for (room, others) in &known {
        for (other, file) in others {
            let is_allowed = table[room].contains(other);
            assert!(
                is_allowed,
                "{} names `{other}`, which `{room}` may not know",
                file.display()
            );
        }
        for other in &table[room] {
            assert!(
                others.contains_key(other),
                "`{room}` doesn't know `{other}`, and the table says that it may"
            );
        }
    }
}

#[test]
fn the_table_has_no_circle() {
    let mut above = BTreeSet::new();
    for (room, others) in table() {
        let below: Vec<_> = others.difference(&above).collect();
        assert!(
            below.is_empty(),
            "`{room}` may know {below:?}, which don't stand above it"
        );
        above.insert(room);
    }
}

#[test]
fn what_a_file_names_is_found_in_all_its_forms() {
    let text = "use crate::{error::Error, spec};\nuse crate::wire::Open;\n// crate::home\nfn f() { crate::wall::timeout() }\n#[cfg(test)]\nmod tests {\n    use crate::run;\n}\n";
    let expected = ["error", "spec", "wall", "wire"].map(str::to_owned);
    assert_eq!(named(text), BTreeSet::from(expected));
}
