//! A compose file as its tool resolves it, and what it takes to run it beside others: labels, no fixed names or ports, and
//! nothing that outlives the tests.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::image;

/// What becomes of every file.
pub(super) struct Terms<'a> {
    pub(super) labels: &'a BTreeMap<String, String>,
    /// The host's address that ports are bound to; all addresses if it is empty.
    pub(super) bind: &'a str,
    /// What goes in front of the names of images that name no registry.
    pub(super) prefix: Option<&'a str>,
    /// The first part of the names of images that are built here: the same in every run, so that they are built once.
    pub(super) built: &'a str,
}

/// What is run instead of the user's file.
#[derive(Debug, PartialEq)]
pub(super) struct Rewritten {
    pub(super) model: Value,
    /// The images that have to be there.
    pub(super) images: Vec<String>,
    /// Whether an image has to be built.
    pub(super) builds: bool,
}

pub(super) fn rewrite(mut model: Value, terms: &Terms<'_>) -> Rewritten {
    let mut rewritten = Rewritten {
        model: Value::Null,
        images: Vec::new(),
        builds: false,
    };
    let mut wants_default_network = false;
    for (name, service) in entries(&mut model, "services") {
        let Some(service) = service.as_object_mut() else {
            continue;
        };
        match rewrite_service(name, service, terms) {
            Image::Built => rewritten.builds = true,
            Image::Pulled(image) => rewritten.images.push(image),
            Image::None => {}
        }
        wants_default_network |= !service.contains_key("networks") && !service.contains_key("network_mode");
    }
    if wants_default_network && let Some(model) = model.as_object_mut() {
        let networks = model.entry("networks").or_insert_with(|| json!({}));
        if let Some(networks) = networks.as_object_mut() {
            networks.entry("default").or_insert(Value::Null);
        }
    }
    for kind in ["networks", "volumes"] {
        for (_, one) in entries(&mut model, kind) {
            rewrite_shared(one, terms);
        }
    }
    if let Some(model) = model.as_object_mut() {
        // It is said on the command line.
        model.remove("name");
    }
    rewritten.model = model;
    rewritten
}

fn entries<'a>(model: &'a mut Value, kind: &str) -> impl Iterator<Item = (&'a String, &'a mut Value)> {
    model.get_mut(kind).and_then(Value::as_object_mut).into_iter().flatten()
}

/// Where a service's image is from.
enum Image {
    Built,
    Pulled(String),
    None,
}

fn rewrite_service(name: &str, service: &mut Map<String, Value>, terms: &Terms<'_>) -> Image {
    // Two runs can't both have it.
    service.remove("container_name");
    // The engine would start it again when its owner is long dead.
    service.remove("restart");
    add_labels(service, terms.labels);
    if !service.contains_key("network_mode") {
        let ports = published(service, terms.bind);
        if !ports.is_empty() {
            service.insert("ports".to_owned(), Value::Array(ports));
        }
    }
    if service.contains_key("build") {
        let built = || json!(format!("{}-{}:latest", terms.built, name.to_lowercase()));
        service.entry("image").or_insert_with(built);
        return Image::Built;
    }
    let Some(Value::String(image)) = service.get_mut("image") else {
        return Image::None;
    };
    *image = image::full_name(image, terms.prefix);
    Image::Pulled(image.clone())
}

/// A network or a volume. What is `external` is somebody else's.
fn rewrite_shared(one: &mut Value, terms: &Terms<'_>) {
    if one.is_null() {
        *one = json!({});
    }
    let Some(one) = one.as_object_mut() else { return };
    if one.get("external").is_some_and(|external| *external != json!(false)) {
        return;
    }
    // The tool puts the project's name in front of its own.
    one.remove("name");
    add_labels(one, terms.labels);
}

fn add_labels(to: &mut Map<String, Value>, labels: &BTreeMap<String, String>) {
    let mut all = match to.remove("labels") {
        Some(Value::Object(map)) => map,
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .map(|label| label.split_once('=').unwrap_or((label, "")))
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect(),
        _ => Map::new(),
    };
    all.extend(labels.iter().map(|(name, value)| (name.clone(), json!(value))));
    to.insert("labels".to_owned(), Value::Object(all));
}

/// Everything that the service publishes or exposes, each on a port of the host's that is free.
fn published(service: &Map<String, Value>, bind: &str) -> Vec<Value> {
    let mut targets: Vec<String> = ["ports", "expose"]
        .iter()
        .filter_map(|key| service.get(*key)?.as_array())
        .flatten()
        .flat_map(targets)
        .collect();
    targets.sort();
    targets.dedup();
    targets
        .into_iter()
        .map(|target| {
            if bind.is_empty() {
                json!(target)
            } else if bind.contains(':') {
                json!(format!("[{bind}]::{target}"))
            } else {
                json!(format!("{bind}::{target}"))
            }
        })
        .collect()
}

/// The container's ports that one entry names, such as `80` or `53/udp`.
fn targets(entry: &Value) -> Vec<String> {
    match entry {
        Value::Number(number) => vec![number.to_string()],
        Value::String(text) => in_short_form(text),
        Value::Object(long) => {
            let protocol = long.get("protocol").and_then(Value::as_str);
            let target = long.get("target").map(targets).unwrap_or_default();
            target.into_iter().map(|port| with_protocol(port, protocol)).collect()
        }
        _ => Vec::new(),
    }
}

/// `[[address:]host:]container[/protocol]`, where `container` may be a range.
fn in_short_form(text: &str) -> Vec<String> {
    let (ports, protocol) = match text.split_once('/') {
        Some((ports, protocol)) => (ports, Some(protocol)),
        None => (text, None),
    };
    let container = ports.rsplit(':').next().unwrap_or(ports);
    let (first, last) = container.split_once('-').unwrap_or((container, container));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) => (first..=last)
            .map(|port| with_protocol(port.to_string(), protocol))
            .collect(),
        _ => Vec::new(),
    }
}

fn with_protocol(port: String, protocol: Option<&str>) -> String {
    match protocol {
        Some(protocol) if protocol != "tcp" => format!("{port}/{protocol}"),
        _ => port,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(model: Value) -> Rewritten {
        let labels = BTreeMap::from([("itest.run".to_owned(), "1".to_owned())]);
        let terms = Terms {
            labels: &labels,
            bind: "127.0.0.1",
            prefix: Some("mirror.example.com"),
            built: "itest-0a1b",
        };
        rewrite(model, &terms)
    }

    #[test]
    fn nothing_that_two_runs_could_fight_over_is_left() {
        let model = json!({
            "name": "shop",
            "services": {"web": {
                "image": "nginx:1", "container_name": "web", "restart": "always", "labels": ["a=b"],
                "ports": ["8080:80", {"target": 53, "published": 53, "protocol": "udp"}, 443], "expose": ["9000-9001"],
                "networks": {"back": null},
            }},
            "networks": {"back": {"name": "shop_back"}},
            "volumes": {"data": null, "theirs": {"external": true, "name": "theirs"}},
        });
        let labels = json!({"itest.run": "1"});
        let expected = json!({
            "services": {"web": {
                "image": "mirror.example.com/nginx:1", "labels": {"a": "b", "itest.run": "1"},
                "ports": ["127.0.0.1::443", "127.0.0.1::53/udp", "127.0.0.1::80", "127.0.0.1::9000", "127.0.0.1::9001"],
                "expose": ["9000-9001"], "networks": {"back": null},
            }},
            "networks": {"back": {"labels": labels}},
            "volumes": {"data": {"labels": labels}, "theirs": {"external": true, "name": "theirs"}},
        });
        assert_eq!(rewritten(model).model, expected);
    }

    #[test]
    fn an_image_that_is_built_has_the_same_name_in_every_run() {
        let Rewritten { model, images, builds } =
            rewritten(json!({"services": {"App": {"build": {"context": "/app"}}, "b": {"image": "b"}}}));
        assert!(builds);
        assert_eq!(images, ["mirror.example.com/b:latest"]);
        assert_eq!(model["services"]["App"]["image"], "itest-0a1b-app:latest");
    }

    #[test]
    fn the_network_that_nobody_wrote_is_labelled_too() {
        let model = rewritten(json!({"services": {"a": {"image": "a:1"}}})).model;
        assert_eq!(model["networks"]["default"]["labels"]["itest.run"], "1");
        let model = rewritten(json!({"services": {"a": {"image": "a:1", "network_mode": "host"}}})).model;
        assert_eq!(model.get("networks"), None);
    }
}
