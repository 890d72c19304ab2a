//! containerd's own interface, for containers that neither Kubernetes nor Docker made: those of `ctr`,
//! nerdctl and other clients. It is spoken on the socket of its Container Runtime Interface.
//!
//! As there, only what is read is declared, by the field numbers of `containerd.services.*.v1`.

use std::collections::HashMap;

use super::RuntimeError;
use super::grpc::Connection;
use super::oci_spec::OciSpec;
use crate::container::metadata::{ContainerMetadata, Image, Labels, text};

/// Namespaces whose containers somebody else describes better: the Container Runtime Interface, and
/// Docker Engine.
const OF_OTHERS: [&str; 2] = ["k8s.io", "moby"];

/// Namespaces that are asked at most.
const NAMESPACES: usize = 16;

/// `ListNamespacesRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct ListNamespaces {}

#[derive(Clone, PartialEq, prost::Message)]
struct Namespaces {
    #[prost(message, repeated, tag = "1")]
    namespaces: Vec<Namespace>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Namespace {
    #[prost(string, tag = "1")]
    name: String,
}

/// `GetContainerRequest` and `GetImageRequest`, which look alike.
#[derive(Clone, PartialEq, prost::Message)]
struct Get {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ContainerResponse {
    #[prost(message, optional, tag = "1")]
    container: Option<Container>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Container {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(map = "string, string", tag = "2")]
    labels: HashMap<String, String>,
    #[prost(string, tag = "3")]
    image: String,
    #[prost(message, optional, tag = "5")]
    spec: Option<Any>,
}

/// The runtime specification, as JSON.
#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ImageResponse {
    #[prost(message, optional, tag = "1")]
    image: Option<StoredImage>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StoredImage {
    #[prost(message, optional, tag = "3")]
    target: Option<Descriptor>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Descriptor {
    #[prost(string, tag = "2")]
    digest: String,
}

/// Describes a container of containerd's own; `None` if it has none with this id.
pub(super) async fn describe(
    connection: &Connection,
    id: &str,
) -> Result<Option<ContainerMetadata>, RuntimeError> {
    let list = "/containerd.services.namespaces.v1.Namespaces/List";
    let found: Option<Namespaces> = connection.call(list, None, ListNamespaces {}).await?;
    let names = found.into_iter().flat_map(|found| found.namespaces);
    for namespace in names
        .map(|namespace| namespace.name)
        .filter(|name| !OF_OTHERS.contains(&name.as_str()))
        .take(NAMESPACES)
    {
        let get = "/containerd.services.containers.v1.Containers/Get";
        let question = Get {
            name: id.to_owned(),
        };
        let found: Option<ContainerResponse> =
            connection.call(get, Some(&namespace), question).await?;
        if let Some(container) = found.and_then(|found| found.container) {
            let digest = digest_of(connection, &namespace, &container.image).await?;
            return Ok(Some(container.describe(digest.as_deref())));
        }
    }
    Ok(None)
}

/// Describes the sandbox of a pod that the Container Runtime Interface is still starting, and denies until
/// then; `None` for any other container. What is missing is the pod's address.
pub(super) async fn starting_sandbox(
    connection: &Connection,
    id: &str,
) -> Result<Option<ContainerMetadata>, RuntimeError> {
    let question = Get {
        name: id.to_owned(),
    };
    let get = "/containerd.services.containers.v1.Containers/Get";
    let found: Option<ContainerResponse> = connection.call(get, Some("k8s.io"), question).await?;
    Ok(found
        .and_then(|found| found.container)
        .and_then(Container::describe_sandbox))
}

/// The digest of an image by its name. It may have been removed.
async fn digest_of(
    connection: &Connection,
    namespace: &str,
    image: &str,
) -> Result<Option<String>, RuntimeError> {
    if image.is_empty() {
        return Ok(None);
    }
    let question = Get {
        name: image.to_owned(),
    };
    let get = "/containerd.services.images.v1.Images/Get";
    let found: Option<ImageResponse> = connection.call(get, Some(namespace), question).await?;
    let target = found
        .and_then(|found| found.image)
        .and_then(|image| image.target);
    Ok(target
        .map(|target| target.digest)
        .filter(|digest| !digest.is_empty()))
}

impl Container {
    fn describe_sandbox(mut self) -> Option<ContainerMetadata> {
        /// The label by which containerd tells its sandboxes apart.
        const KIND: &str = "io.cri-containerd.kind";
        if self.labels.remove(KIND)? != "sandbox" {
            return None;
        }
        let labels = Labels::new(self.labels.clone());
        let mut described = self.describe(None);
        let pod = described.pod.as_mut()?;
        pod.labels = labels;
        described.name.clone_from(&pod.name);
        Some(described)
    }

    fn describe(self, digest: Option<&str>) -> ContainerMetadata {
        let digests: Vec<String> = digest
            .map(|digest| format!("@{digest}"))
            .into_iter()
            .collect();
        let mut described = ContainerMetadata {
            // nerdctl gives names; to others the id is the name.
            name: text(self.labels.get("nerdctl/name").unwrap_or(&self.id)),
            image: Image::new(&self.image, "", &digests),
            ..ContainerMetadata::default()
        };
        described.labels = Labels::new(self.labels);
        let spec = self
            .spec
            .and_then(|spec| serde_json::from_slice::<OciSpec>(&spec.value).ok());
        if let Some(spec) = spec {
            described.complete_from(spec.describe());
        }
        described
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_is_a_pod_and_nothing_else_is() {
        let spec = r#"{"annotations": {"io.kubernetes.cri.sandbox-name": "web-0"}}"#;
        let container = |kind: &str| Container {
            id: "1".to_owned(),
            labels: [("io.cri-containerd.kind", kind), ("tier", "front")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            image: "pause:1".to_owned(),
            spec: Some(Any { value: spec.into() }),
        };
        let found = container("sandbox").describe_sandbox().unwrap();
        assert_eq!(found.name.as_deref(), Some("web-0"));
        assert_eq!(found.image.tag.as_deref(), Some("1"));
        let pod = found.pod.unwrap();
        assert_eq!(pod.labels.get("tier"), Some("front"));
        assert_eq!(pod.labels.shown().as_deref(), Some("tier:front"));
        assert_eq!(container("container").describe_sandbox(), None);
    }

    #[test]
    fn a_container_becomes_metadata() {
        let container = |labels: &[(&str, &str)], spec: &str| Container {
            id: "job".to_owned(),
            labels: labels
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            image: "reg/app:3".to_owned(),
            spec: Some(Any { value: spec.into() }),
        };
        let found = container(&[], r#"{"root": {"readonly": true}}"#).describe(Some("sha256:aa"));
        assert_eq!(found.name.as_deref(), Some("job"));
        assert_eq!(found.image.repository.as_deref(), Some("reg/app"));
        assert_eq!(found.image.tag.as_deref(), Some("3"));
        assert_eq!(found.image.digest.as_deref(), Some("sha256:aa"));
        assert_eq!(found.read_only_root, Some(true));

        let found = container(&[("nerdctl/name", "web")], "garbage").describe(None);
        assert_eq!(found.name.as_deref(), Some("web"));
        assert_eq!((found.image.digest, found.privileged), (None, None));
    }
}
