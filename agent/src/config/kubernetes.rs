//! Settings of the Kubernetes API.

use std::path::PathBuf;

use super::section::Section;
use crate::container::KubernetesApi;

/// How the API is asked; `None` if it is not. `of_environment` is the node's name there.
pub(super) fn read(
    mut section: Section<'_>,
    of_environment: Option<String>,
) -> Option<KubernetesApi> {
    let enabled = section.switch("enabled", false);
    let kubeconfig = section.value_with("kubeconfig", |path| Ok(PathBuf::from(path)));
    let named = section.value_with("node_name", |name| {
        // What the API takes as a node's name; nothing else may get into a query.
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        if !name.is_empty() && name.bytes().all(is_part) {
            Ok(name.to_owned())
        } else {
            Err("expected the name of a node, of letters, digits, '-' and '.'".to_owned())
        }
    });
    let node = named.or(of_environment);
    if enabled && node.is_none() {
        section.report(
            "the name of this node is missing: set kubernetes.node_name, or the environment variable NODE_NAME",
        );
    }
    section.finish();
    let node = node.filter(|_| enabled)?;
    Some(KubernetesApi { node, kubeconfig })
}
