//! The parts of an image's name.

/// An image as somebody named it: `[REGISTRY[:PORT]/]NAME[:TAG][@DIGEST]`.
///
/// Nothing is added: `busybox` stays `busybox`, and does not become `docker.io/library/busybox`,
/// for rules compare what the runtime says, as in Falco.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ImageReference<'t> {
    /// Registry and name.
    pub(super) repository: &'t str,
    /// The tag.
    pub(super) tag: Option<&'t str>,
    /// The digest with its algorithm: `sha256:...`.
    pub(super) digest: Option<&'t str>,
}

impl<'t> ImageReference<'t> {
    /// `None` for a text that names no repository: empty, or the id of an image.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest).filter(|digest| !digest.is_empty())),
            None => (text, None),
        };
        // A colon before the last slash is a registry's port.
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match name[last..].find(':') {
            Some(colon) => (&name[..last + colon], Some(&name[last + colon + 1..])),
            None => (name, None),
        };
        let is_id = repository == "sha256" || (tag.is_none() && is_hex_digest(repository));
        (!repository.is_empty() && !is_id).then_some(Self {
            repository,
            tag: tag.filter(|tag| !tag.is_empty()),
            digest,
        })
    }
}

fn is_hex_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_name() {
        let hex = "3f1c0a5be2d94c7786a1b0c9d8e7f60514233241506f7e8d9cabbac9d8e7f601";
        for (text, expected) in [
            ("busybox", Some(("busybox", None, None))),
            ("busybox:1.36", Some(("busybox", Some("1.36"), None))),
            (
                "docker.io/library/busybox:latest",
                Some(("docker.io/library/busybox", Some("latest"), None)),
            ),
            (
                "localhost:5000/team/app",
                Some(("localhost:5000/team/app", None, None)),
            ),
            (
                "localhost:5000/app:v1@sha256:aa",
                Some(("localhost:5000/app", Some("v1"), Some("sha256:aa"))),
            ),
            (
                "quay.io/app@sha256:aa",
                Some(("quay.io/app", None, Some("sha256:aa"))),
            ),
            ("app:", Some(("app", None, None))),
            ("", None),
            ("@sha256:aa", None),
            ("sha256:aa", None),
            (hex, None),
        ] {
            let found = ImageReference::parse(text)
                .map(|image| (image.repository, image.tag, image.digest));
            assert_eq!(found, expected, "{text}");
        }
    }
}
