//! A registry of images on the loopback interface, with one small image and several ways to refuse it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::get;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::process::Command;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// What `somebody:secret` looks like in a header.
pub(crate) const LOGIN: &str = "c29tZWJvZHk6c2VjcmV0";

/// Ends with the value.
pub(crate) struct Registry {
    pub(crate) address: String,
    image: Arc<Image>,
    server: tokio::task::JoinHandle<()>,
}

/// One image, whatever name it is asked for by.
struct Image {
    layer: Vec<u8>,
    config: Vec<u8>,
    manifest: Vec<u8>,
    wants_login: bool,
    /// How often somebody asked for a manifest, and got a layer.
    asked: AtomicUsize,
    given: AtomicUsize,
}

impl Registry {
    /// Open to everybody.
    pub(crate) async fn open() -> Self {
        Self::serve(false).await
    }

    /// For `somebody`, whose password is `secret`.
    pub(crate) async fn closed() -> Self {
        Self::serve(true).await
    }

    async fn serve(wants_login: bool) -> Self {
        let image = Arc::new(Image::new(layer().await, wants_login));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new()
            .route("/v2/", get(greet))
            .route("/v2/{name}/manifests/{reference}", get(manifest).head(manifest))
            .route("/v2/{name}/blobs/{digest}", get(blob))
            .route("/v2/lib/{name}/manifests/{reference}", get(manifest).head(manifest))
            .route("/v2/lib/{name}/blobs/{digest}", get(blob))
            .with_state(image.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, image, server }
    }

    /// How often somebody asked for an image.
    pub(crate) fn asked(&self) -> usize {
        self.image.asked.load(Ordering::Relaxed)
    }

    /// How often somebody got one.
    pub(crate) fn given(&self) -> usize {
        self.image.given.load(Ordering::Relaxed)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// busybox and its libraries, out of an image that is there.
async fn layer() -> Vec<u8> {
    let script = "tar -ch --hard-dereference -f - /bin/busybox $(ldd /bin/busybox | grep -o '/[^ ]*')";
    let made = Command::new("docker")
        .args(["run", "--rm", "localhost/itest-toolbox:1", "sh", "-c", script])
        .output()
        .await
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

impl Image {
    fn new(mut layer: Vec<u8>, wants_login: bool) -> Self {
        // Two registries of one test don't have the same layer: an engine gets none twice. (A tar file may have a tail.)
        let unique = format!("{:?}", std::time::SystemTime::now());
        layer.extend(unique.as_bytes());
        let architecture = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "amd64"
        };
        let config = json!({
            "architecture": architecture, "os": "linux",
            "config": {"Cmd": ["/bin/busybox", "sleep", "600"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": config.len(), "digest": digest(&config)},
            "layers": [{"mediaType": LAYER, "size": layer.len(), "digest": digest(&layer)}],
        });
        Self {
            manifest: manifest.to_string().into_bytes(),
            layer,
            config,
            wants_login,
            asked: AtomicUsize::new(0),
            given: AtomicUsize::new(0),
        }
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        !self.wants_login
            || headers
                .get("authorization")
                .is_some_and(|value| value == &format!("Basic {LOGIN}"))
    }
}

type Answer = Response<Body>;

fn answer(status: StatusCode, kind: &str, body: impl Into<Body>) -> Answer {
    let answer = Response::builder().status(status).header("content-type", kind);
    answer
        .header("docker-distribution-api-version", "registry/2.0")
        .header("www-authenticate", "Basic realm=\"registry\"")
        .body(body.into())
        .unwrap()
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = json!({"errors": [{"code": code, "message": message}]});
    answer(status, "application/json", body.to_string())
}

fn stranger() -> Answer {
    refusal(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required")
}

async fn greet(State(image): State<Arc<Image>>, headers: HeaderMap) -> Answer {
    if image.lets_in(&headers) {
        answer(StatusCode::OK, "application/json", "{}")
    } else {
        stranger()
    }
}

async fn manifest(
    State(image): State<Arc<Image>>,
    Path((name, reference)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    if !image.lets_in(&headers) {
        return stranger();
    }
    if !reference.starts_with("sha256:") {
        image.asked.fetch_add(1, Ordering::Relaxed);
    }
    match name.as_str() {
        "limited" => refusal(
            StatusCode::TOO_MANY_REQUESTS,
            "TOOMANYREQUESTS",
            "You have reached your pull rate limit",
        ),
        // It says nothing for longer than anybody has patience.
        "silent" => {
            tokio::time::sleep(Duration::from_mins(10)).await;
            stranger()
        }
        _ if reference == "no-such-tag" => refusal(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown"),
        _ => {
            let mut answer = answer(StatusCode::OK, MANIFEST, image.manifest.clone());
            let digest = digest(&image.manifest).parse().unwrap();
            answer.headers_mut().insert("docker-content-digest", digest);
            answer
        }
    }
}

async fn blob(
    State(image): State<Arc<Image>>,
    Path((_, wanted)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    const BYTES: &str = "application/octet-stream";
    if !image.lets_in(&headers) {
        return stranger();
    }
    if wanted == digest(&image.config) {
        return answer(StatusCode::OK, BYTES, image.config.clone());
    }
    image.given.fetch_add(1, Ordering::Relaxed);
    answer(StatusCode::OK, BYTES, image.layer.clone())
}
