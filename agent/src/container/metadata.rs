//! What is known of a container beside its id.

use std::cmp::Ordering;
use std::sync::Arc;

use super::image::ImageReference;
use super::packed_texts::{PackedTexts, Packer};
use super::pod_details::PodDetails;
use super::security::{SecurityState, Verdict};

/// Labels longer than this, in bytes, are left out: Falco's `label_max_len`.
const LABEL_LIMIT: usize = 100;
/// Labels and mounts of one container that are kept: a hostile image has no more.
const ITEM_LIMIT: usize = 256;
/// The longest text that is kept, in bytes: a path cannot be longer.
const TEXT_LIMIT: usize = 4096;
/// Annotations and labels that Kubernetes sets, and `container.labels` leaves out.
const KUBERNETES_LABEL: &str = "io.kubernetes.";

/// A container as its runtime describes it. What the runtime does not tell is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerMetadata {
    /// The name.
    pub name: Option<Box<str>>,
    /// The image.
    pub image: Image,
    /// Has all capabilities and devices.
    pub privileged: Option<bool>,
    /// Its root file system cannot be written to.
    pub read_only_root: Option<bool>,
    /// The user that it was configured to run as.
    pub user: Option<Box<str>>,
    /// The mounts, in the runtime's order.
    pub mounts: Mounts,
    /// The labels, sorted.
    pub labels: Labels,
    /// The first IPv4 address.
    pub ip: Option<Box<str>>,
    /// Which namespaces are the host's.
    pub host_namespaces: HostNamespaces,
    /// What confines it.
    pub security: SecurityState,
    /// Which Pod Security Standard it meets, by all of the above.
    pub verdict: Verdict,
    /// The pid of its first process, in the runtime's pid namespace.
    pub init_pid: Option<u32>,
    /// The pod that it is part of.
    pub pod: Option<Box<PodMetadata>>,
}

/// The image of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// As the runtime was told.
    pub reference: Option<Box<str>>,
    /// Registry and name.
    pub repository: Option<Box<str>>,
    /// The tag.
    pub tag: Option<Box<str>>,
    /// The registry's digest, with its algorithm.
    pub digest: Option<Box<str>>,
    /// The id: the digest of its configuration, without the algorithm.
    pub id: Option<Box<str>>,
    /// The reference names a digest.
    pub pinned: bool,
}

impl Image {
    /// From the name that the runtime was told, the image's id and the names by which registries
    /// know it (`REPOSITORY@DIGEST`).
    pub fn new(reference: &str, id: &str, repository_digests: &[String]) -> Self {
        let parsed = ImageReference::parse(reference);
        let repository = parsed.map(|image| image.repository);
        let digests = || {
            repository_digests
                .iter()
                .filter_map(|name| name.split_once('@'))
        };
        let known = digests()
            .find(|(name, _)| Some(*name) == repository)
            .or_else(|| digests().next())
            .map(|(_, digest)| digest);
        let named = parsed.and_then(|image| image.digest);
        let tag = match parsed {
            // A name without either means the tag `latest`.
            Some(image) if image.digest.is_none() => Some(image.tag.unwrap_or("latest")),
            Some(image) => image.tag,
            None => None,
        };
        Self {
            reference: text(reference),
            repository: repository.and_then(text),
            tag: tag.and_then(text),
            digest: named.or(known).and_then(text),
            id: text(id.strip_prefix("sha256:").unwrap_or(id)),
            pinned: named.is_some(),
        }
    }
}

/// A part of the host's file system in a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mount<'m> {
    /// What is mounted: a path of the host, or a kind such as `tmpfs`.
    pub source: &'m str,
    /// Where.
    pub destination: &'m str,
    /// Options, as the runtime shows them.
    pub mode: &'m str,
    /// Can be written to.
    pub writable: bool,
    /// How mounts spread.
    pub propagation: &'m str,
}

impl std::fmt::Display for Mount<'_> {
    /// `SOURCE:DESTINATION:MODE:WRITABLE:PROPAGATION`, as in Falco.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{}:{}:{}:{}:{}",
            self.source, self.destination, self.mode, self.writable, self.propagation
        )
    }
}

/// The mounts of a container, in the runtime's order. What is too much is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounts(PackedTexts);

impl Mounts {
    /// Texts of one mount.
    const PARTS: usize = 5;

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len() / Self::PARTS
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The mount at this position.
    pub fn get(&self, position: usize) -> Option<Mount<'_>> {
        let first = position.checked_mul(Self::PARTS)?;
        (position < self.len()).then(|| Mount {
            source: self.0.get(first),
            destination: self.0.get(first + 1),
            mode: self.0.get(first + 2),
            propagation: self.0.get(first + 3),
            writable: !self.0.get(first + 4).is_empty(),
        })
    }

    /// All.
    pub fn iter(&self) -> impl Iterator<Item = Mount<'_>> {
        (0..self.len()).filter_map(|position| self.get(position))
    }
}

impl<'m> FromIterator<Mount<'m>> for Mounts {
    fn from_iter<I: IntoIterator<Item = Mount<'m>>>(mounts: I) -> Self {
        let mut packer = Packer::default();
        for mount in mounts.into_iter().take(ITEM_LIMIT) {
            let writable = if mount.writable { "w" } else { "" };
            let Mount {
                source,
                destination,
                mode,
                propagation,
                ..
            } = mount;
            packer.push(&[source, destination, mode, propagation, writable]);
        }
        Self(packer.finish())
    }
}

/// Which namespaces a container shares with the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostNamespaces {
    /// Processes.
    pub pid: Option<bool>,
    /// Network.
    pub network: Option<bool>,
    /// IPC.
    pub ipc: Option<bool>,
    /// Users and groups.
    pub user: Option<bool>,
}

/// The Kubernetes pod of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodMetadata {
    /// Name.
    pub name: Option<Box<str>>,
    /// Namespace.
    pub namespace: Option<Box<str>>,
    /// Uid.
    pub uid: Option<Box<str>>,
    /// The id of its sandbox.
    pub sandbox_id: Option<Box<str>>,
    /// Its own labels.
    pub labels: Labels,
    /// Its first IPv4 address.
    pub ip: Option<Box<str>>,
    /// What set up its network said, in JSON.
    pub network_json: Option<Box<str>>,
    /// What the Kubernetes API says of it.
    pub details: Option<Arc<PodDetails>>,
}

/// Labels, sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(PackedTexts);

impl Labels {
    /// From pairs in any order; what is too long or too much is left out.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self::within(LABEL_LIMIT, pairs)
    }

    /// The same, of keys and values that have at most `limit` bytes.
    pub(super) fn within(limit: usize, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut labels: Vec<(String, String)> = pairs
            .into_iter()
            .filter(|(key, value)| key.len() <= limit && value.len() <= limit)
            .collect();
        labels.sort_unstable();
        let mut packer = Packer::default();
        for (key, value) in labels.iter().take(ITEM_LIMIT) {
            packer.push(&[key, value]);
        }
        Self(packer.finish())
    }

    /// The value of a label.
    pub fn get(&self, key: &str) -> Option<&str> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.0.get(2 * middle).cmp(key) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Some(self.0.get(2 * middle + 1)),
            }
        }
        None
    }

    /// All, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        (0..self.len()).map(|position| (self.0.get(2 * position), self.0.get(2 * position + 1)))
    }

    fn len(&self) -> usize {
        self.0.len() / 2
    }

    /// `KEY:VALUE, KEY:VALUE` of all that Kubernetes did not set itself; `None` if there is none.
    pub fn shown(&self) -> Option<String> {
        let shown: Vec<String> = self
            .iter()
            .filter(|(key, _)| {
                !key.starts_with(KUBERNETES_LABEL) && !key.starts_with("annotation.")
            })
            .map(|(key, value)| format!("{key}:{value}"))
            .collect();
        (!shown.is_empty()).then(|| shown.join(", "))
    }
}

impl ContainerMetadata {
    /// Whether a runtime or a bundle told of the container, and not only its process.
    pub(super) fn is_described(&self) -> bool {
        self.name.is_some() || self.user.is_some() || self.image.reference.is_some()
    }

    /// Fills what is missing here from another description of the same container.
    pub(super) fn complete_from(&mut self, other: Self) {
        fn fill<T>(slot: &mut Option<T>, other: Option<T>) {
            if slot.is_none() {
                *slot = other;
            }
        }
        fill(&mut self.name, other.name);
        if self.image.repository.is_none() {
            self.image = other.image;
        }
        fill(&mut self.privileged, other.privileged);
        fill(&mut self.read_only_root, other.read_only_root);
        fill(&mut self.user, other.user);
        if self.mounts.is_empty() {
            self.mounts = other.mounts;
        }
        if self.labels == Labels::default() {
            self.labels = other.labels;
        }
        fill(&mut self.ip, other.ip);
        let theirs = other.host_namespaces;
        fill(&mut self.host_namespaces.pid, theirs.pid);
        fill(&mut self.host_namespaces.network, theirs.network);
        fill(&mut self.host_namespaces.ipc, theirs.ipc);
        fill(&mut self.host_namespaces.user, theirs.user);
        self.security.complete_from(other.security);
        fill(&mut self.init_pid, other.init_pid);
        fill(&mut self.pod, other.pod);
    }
}

/// A text worth keeping: not empty, and no longer than any name is.
pub(super) fn text(text: &str) -> Option<Box<str>> {
    (!text.is_empty() && text.len() <= TEXT_LIMIT).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_by_name_id_and_digests() {
        let digests = ["other@sha256:bb".to_owned(), "app@sha256:aa".to_owned()];
        for (reference, tag, digest, pinned) in [
            ("app", Some("latest"), Some("sha256:aa"), false),
            ("app:1", Some("1"), Some("sha256:aa"), false),
            ("app@sha256:cc", None, Some("sha256:cc"), true),
            ("app:1@sha256:cc", Some("1"), Some("sha256:cc"), true),
            ("unknown:2", Some("2"), Some("sha256:bb"), false),
        ] {
            let image = Image::new(reference, "sha256:1234", &digests);
            assert_eq!(image.tag.as_deref(), tag, "{reference}");
            assert_eq!(image.digest.as_deref(), digest, "{reference}");
            assert_eq!(image.pinned, pinned, "{reference}");
            assert_eq!(image.id.as_deref(), Some("1234"), "{reference}");
        }
        let nameless = Image::new("sha256:12", "sha256:12", &[]);
        assert_eq!((nameless.repository, nameless.tag), (None, None));
    }

    #[test]
    fn labels_are_found_shown_and_bounded() {
        let long = "x".repeat(LABEL_LIMIT + 1);
        let labels = Labels::new([
            ("tier".to_owned(), "web".to_owned()),
            ("app".to_owned(), "shop".to_owned()),
            ("io.kubernetes.pod.name".to_owned(), "p".to_owned()),
            ("annotation.a".to_owned(), "b".to_owned()),
            ("long".to_owned(), long),
        ]);
        assert_eq!(labels.get("io.kubernetes.pod.name"), Some("p"));
        assert_eq!(labels.get("long"), None);
        assert_eq!(labels.shown().as_deref(), Some("app:shop, tier:web"));
        assert_eq!(Labels::default().shown(), None);
        let many = (0..=ITEM_LIMIT).map(|number| (format!("k{number:04}"), number.to_string()));
        let many = Labels::new(many);
        assert_eq!((many.len(), many.get("k0255")), (ITEM_LIMIT, Some("255")));
        assert_eq!(many.get("k0256"), None);
    }

    #[test]
    fn a_second_description_only_fills_gaps() {
        let mut first = ContainerMetadata {
            name: text("mine"),
            ..ContainerMetadata::default()
        };
        first.complete_from(ContainerMetadata {
            name: text("other"),
            user: text("1000"),
            ..ContainerMetadata::default()
        });
        assert_eq!(first.name.as_deref(), Some("mine"));
        assert_eq!(first.user.as_deref(), Some("1000"));
    }
}
