//! Docker Engine's API, and Podman's, which speaks it too.
//!
//! A connection is made for each request: containers appear rarely, and nothing is to be repaired
//! after the engine restarts. An answer is read up to a limit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::UnixStream;

use super::engine_security::SecuritySettings;
use super::oci_spec::sysctl_names;
use super::{ANSWER_LIMIT, Answer, RuntimeClient, RuntimeError};
use crate::container::Runtime;
use crate::container::metadata::{
    ContainerMetadata, HostNamespaces, Image, Labels, Mount, PodMetadata, text,
};
use crate::container::security::SecurityState;

/// A client of one engine.
pub(super) struct Engine {
    socket: PathBuf,
    runtime: Runtime,
}

/// `GET /containers/ID/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Inspected {
    name: String,
    image: String,
    app_armor_profile: String,
    config: Option<Config>,
    host_config: Option<HostConfig>,
    mounts: Option<Vec<InspectedMount>>,
    state: Option<State>,
    network_settings: Option<NetworkSettings>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Config {
    image: String,
    labels: Option<BTreeMap<String, String>>,
    user: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct HostConfig {
    readonly_rootfs: bool,
    pid_mode: String,
    ipc_mode: String,
    network_mode: String,
    /// Ports of the container, each with those of the host.
    port_bindings: Option<serde_json::Map<String, serde_json::Value>>,
    publish_all_ports: bool,
    sysctls: Option<BTreeMap<String, String>>,
    #[serde(flatten)]
    security: SecuritySettings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct InspectedMount {
    source: String,
    destination: String,
    mode: String,
    #[serde(rename = "RW")]
    writable: bool,
    propagation: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct State {
    pid: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NetworkSettings {
    #[serde(rename = "IPAddress")]
    address: String,
    #[serde(rename = "Networks")]
    networks: Option<BTreeMap<String, Network>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Network {
    #[serde(rename = "IPAddress")]
    address: String,
}

/// `GET /images/ID/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct InspectedImage {
    repo_digests: Option<Vec<String>>,
    repo_tags: Option<Vec<String>>,
}

/// An entry of `GET /containers/json`. The engine takes it from a copy, so that it also answers while it
/// starts the container, for which `GET /containers/ID/json` has to wait.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Listed {
    id: String,
    names: Vec<String>,
    image: String,
    #[serde(rename = "ImageID")]
    image_id: String,
    labels: Option<BTreeMap<String, String>>,
    mounts: Option<Vec<InspectedMount>>,
}

impl Engine {
    pub(super) fn docker(socket: PathBuf) -> Self {
        Self {
            socket,
            runtime: Runtime::Docker,
        }
    }

    pub(super) fn podman(socket: PathBuf) -> Self {
        Self {
            socket,
            runtime: Runtime::Podman,
        }
    }

    async fn container(&self, id: &str) -> Result<Option<ContainerMetadata>, RuntimeError> {
        let Some(found) = self
            .get::<Inspected>(&format!("/containers/{id}/json"), b'{')
            .await?
        else {
            return Ok(None);
        };
        let image = self.image(&found.image).await?;
        Ok(Some(found.describe(self.runtime, image)))
    }

    /// The image with this id. It may have been removed: a container's name for it is known all the same.
    async fn image(&self, id: &str) -> Result<InspectedImage, RuntimeError> {
        if !is_plain(id) {
            return Ok(InspectedImage::default());
        }
        let found = self.get(&format!("/images/{id}/json"), b'{').await?;
        Ok(found.unwrap_or_default())
    }

    async fn listed(&self, id: &str) -> Result<Option<ContainerMetadata>, RuntimeError> {
        // {"id":["ID"]}, as it may stand in a path.
        let path = format!("/containers/json?all=1&filters=%7B%22id%22%3A%5B%22{id}%22%5D%7D");
        let listed: Option<Vec<Listed>> = self.get(&path, b'[').await?;
        let Some(found) = listed
            .into_iter()
            .flatten()
            .find(|container| container.id == id)
        else {
            return Ok(None);
        };
        let image = self.image(&found.image_id).await?;
        Ok(Some(Inspected::from(found).describe(self.runtime, image)))
    }

    /// The JSON at this path of the API, which starts with this byte; `None` if it says that there is
    /// none.
    async fn get<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        start: u8,
    ) -> Result<Option<T>, RuntimeError> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(RuntimeError::Connect)?;
        let protocol = |error: &dyn std::fmt::Display| RuntimeError::Protocol(error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| protocol(&error))?;
        let request = Request::get(path)
            .header("host", "localhost")
            .header("connection", "close")
            .body(Empty::<Bytes>::new())
            .map_err(|error| protocol(&error))?;
        let exchange = async {
            let response = sender
                .send_request(request)
                .await
                .map_err(|error| protocol(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_LIMIT)
                .collect()
                .await
                .map_err(|error| protocol(&error))?;
            Ok((status, body.to_bytes()))
        };
        // The connection has to be driven until the answer is there, and not a moment longer.
        tokio::pin!(exchange, connection);
        let mut open = true;
        let (status, body) = loop {
            tokio::select! {
                answer = &mut exchange => break answer?,
                _ = &mut connection, if open => open = false,
            }
        };
        match status {
            // serde would take a list for the object's members.
            StatusCode::OK if body.trim_ascii_start().first() != Some(&start) => {
                Err(protocol(&"expected other JSON"))
            }
            StatusCode::OK => serde_json::from_slice(&body)
                .map(Some)
                .map_err(|error| protocol(&error)),
            StatusCode::NOT_FOUND => Ok(None),
            other => Err(RuntimeError::Refused(other.to_string())),
        }
    }
}

impl RuntimeClient for Engine {
    fn describe<'c>(&'c self, id: &'c str) -> Answer<'c> {
        Box::pin(async move {
            // An engine also takes the start of an id, and names: only its own ids are asked for.
            if is_generated(id) {
                self.container(id).await
            } else {
                Ok(None)
            }
        })
    }

    fn glimpse<'c>(&'c self, id: &'c str) -> Answer<'c> {
        Box::pin(async move {
            if is_generated(id) {
                self.listed(id).await
            } else {
                Ok(None)
            }
        })
    }

    fn is_likely(&self, runtime: Runtime) -> bool {
        self.runtime == runtime
    }

    fn socket(&self) -> &Path {
        &self.socket
    }
}

fn is_generated(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An image's id as it may stand in a path.
fn is_plain(id: &str) -> bool {
    is_generated(id.strip_prefix("sha256:").unwrap_or(id))
}

impl From<Listed> for Inspected {
    fn from(listed: Listed) -> Self {
        Self {
            name: listed.names.into_iter().next().unwrap_or_default(),
            image: listed.image_id,
            config: Some(Config {
                image: listed.image,
                labels: listed.labels,
                ..Config::default()
            }),
            mounts: listed.mounts,
            ..Self::default()
        }
    }
}

impl InspectedMount {
    fn shown(&self) -> Mount<'_> {
        Mount {
            source: &self.source,
            destination: &self.destination,
            mode: &self.mode,
            writable: self.writable,
            propagation: &self.propagation,
        }
    }
}

impl Inspected {
    fn describe(self, engine: Runtime, image: InspectedImage) -> ContainerMetadata {
        let config = self.config.unwrap_or_default();
        let host = self.host_config;
        let of_host = |says: fn(&HostConfig) -> bool| host.as_ref().map(says);
        let security = host.as_ref().map(|host| {
            let ports = host.port_bindings.as_ref();
            let sysctls = host.sysctls.as_ref().map(sysctl_names);
            SecurityState {
                host_ports: Some(
                    host.publish_all_ports || ports.is_some_and(|ports| !ports.is_empty()),
                ),
                sysctls: Some(sysctls.unwrap_or_default()),
                ..host
                    .security
                    .state(engine, &config.user, &self.app_armor_profile)
            }
        });
        let labels = config.labels.unwrap_or_default();
        let network = self.network_settings.unwrap_or_default();
        let digests = image.repo_digests.unwrap_or_default();
        // Started by the image's id: one of its names says more.
        let named = super::super::image::ImageReference::parse(&config.image).is_some();
        let tag = image.repo_tags.unwrap_or_default().into_iter().next();
        let reference = match tag {
            Some(tag) if !named => tag,
            _ => config.image,
        };
        let address = std::iter::once(network.address)
            .chain(
                network
                    .networks
                    .unwrap_or_default()
                    .into_values()
                    .map(|one| one.address),
            )
            .find(|address| !address.is_empty());
        let pod_label = |key: &str| labels.get(key).map(String::as_str).and_then(text);
        let pod = pod_label("io.kubernetes.pod.name").map(|name| {
            Box::new(PodMetadata {
                name: Some(name),
                namespace: pod_label("io.kubernetes.pod.namespace"),
                uid: pod_label("io.kubernetes.pod.uid"),
                sandbox_id: pod_label("io.kubernetes.sandbox.id"),
                ..PodMetadata::default()
            })
        });
        let mut described = ContainerMetadata {
            name: text(self.name.strip_prefix('/').unwrap_or(&self.name)),
            image: Image::new(&reference, &self.image, &digests),
            privileged: of_host(|host| host.security.privileged),
            read_only_root: of_host(|host| host.readonly_rootfs),
            user: text(&config.user),
            ip: address.as_deref().and_then(text),
            host_namespaces: HostNamespaces {
                pid: of_host(|host| host.pid_mode == "host"),
                network: of_host(|host| host.network_mode == "host"),
                ipc: of_host(|host| host.ipc_mode == "host"),
                user: None,
            },
            security: security.unwrap_or_default(),
            init_pid: self.state.map(|state| state.pid).filter(|pid| *pid != 0),
            pod,
            ..ContainerMetadata::default()
        };
        let mounts = self.mounts.unwrap_or_default();
        described.mounts = mounts.iter().map(InspectedMount::shown).collect();
        described.labels = Labels::new(labels);
        described
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    const ID: &str = "3f1c0a5be2d94c7786a1b0c9d8e7f60514233241506f7e8d9cabbac9d8e7f601";

    /// An engine that answers each request by what `answer` makes of its first line.
    fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> (tempfile::TempDir, Engine) {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let count = stream.read(&mut request).await.unwrap_or(0);
                let line = String::from_utf8_lossy(&request[..count]).into_owned();
                let reply = answer(line.lines().next().unwrap_or(""));
                // A client that read enough may have closed.
                let _ = stream.write_all(&reply).await;
            }
        });
        (directory, Engine::docker(socket))
    }

    fn reply(status: &str, body: &str) -> Vec<u8> {
        format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    #[tokio::test]
    async fn a_container_and_its_image() {
        let (_directory, engine) = serve(|line| {
            if line.contains("/images/") {
                return reply(
                    "200 OK",
                    r#"{"RepoDigests": ["app@sha256:aa"], "RepoTags": null}"#,
                );
            }
            let body = format!(
                r#"{{"Name": "/web", "Image": "sha256:{ID}", "State": {{"Pid": 9}},
                "Config": {{"Image": "app:2", "Labels": {{"tier": "front"}}, "User": "1000"}},
                "HostConfig": {{"Privileged": true, "NetworkMode": "host", "Unknown": 1}},
                "Mounts": [{{"Source": "/srv", "Destination": "/data", "Mode": "z", "RW": true,
                             "Propagation": "rprivate"}}],
                "NetworkSettings": {{"IPAddress": "", "Networks": {{"n": {{"IPAddress": "10.0.0.2"}}}}}}}}"#
            );
            reply("200 OK", &body)
        });
        let found = engine.describe(ID).await.unwrap().unwrap();
        assert_eq!(found.name.as_deref(), Some("web"));
        assert_eq!(found.image.repository.as_deref(), Some("app"));
        assert_eq!(found.image.digest.as_deref(), Some("sha256:aa"));
        assert_eq!(found.image.id.as_deref(), Some(ID));
        assert_eq!(found.privileged, Some(true));
        assert_eq!(found.host_namespaces.network, Some(true));
        assert_eq!(found.labels.get("tier"), Some("front"));
        assert_eq!(found.ip.as_deref(), Some("10.0.0.2"));
        assert_eq!(
            found.mounts.get(0).unwrap().to_string(),
            "/srv:/data:z:true:rprivate"
        );
        assert_eq!(found.init_pid, Some(9));
    }

    #[tokio::test]
    async fn what_a_list_tells_of_a_container() {
        let (_directory, engine) = serve(|line| {
            if line.contains("/images/") {
                return reply("404 Not Found", "{}");
            }
            let body = format!(
                r#"[{{"Id": "other"}}, {{"Id": "{ID}", "Names": ["/web"], "Image": "app:2",
                    "ImageID": "sha256:{ID}", "Labels": {{"tier": "front"}}}}]"#
            );
            reply("200 OK", &body)
        });
        let found = engine.glimpse(ID).await.unwrap().unwrap();
        assert_eq!(found.name.as_deref(), Some("web"));
        assert_eq!(found.image.repository.as_deref(), Some("app"));
        assert_eq!(found.labels.get("tier"), Some("front"));
        assert_eq!(found.privileged, None);
        let other = ID.replace('3', "4");
        assert_eq!(engine.glimpse(&other).await.unwrap(), None);
        assert_eq!(engine.glimpse("..").await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_unknown_container_and_an_id_of_another_kind() {
        let (_directory, engine) = serve(|_| reply("404 Not Found", "{}"));
        assert_eq!(engine.describe(ID).await.unwrap(), None);
        assert_eq!(engine.describe("../../etc").await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        for broken in [
            Vec::new(),
            b"garbage\r\n\r\n".to_vec(),
            reply("200 OK", "[1, 2"),
            reply("200 OK", "[]"),
            reply("500 Oh", "{}"),
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec(),
            reply("200 OK", &" ".repeat(ANSWER_LIMIT + 1)),
        ] {
            let (_directory, engine) = serve(move |_| broken.clone());
            assert!(engine.describe(ID).await.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_hangs_is_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("s");
        let _listener = UnixListener::bind(&socket).unwrap();
        let engine = Engine::docker(socket);
        let answer = super::super::describe(&engine, ID).await;
        assert!(matches!(answer, Err(RuntimeError::Timeout)));
    }

    #[tokio::test]
    async fn no_socket_is_an_error() {
        let engine = Engine::podman(PathBuf::from("/nonexistent/socket"));
        assert!(matches!(
            engine.describe(ID).await,
            Err(RuntimeError::Connect(_))
        ));
    }
}
