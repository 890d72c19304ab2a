//! The containers as a table for people.

use std::fmt::Write as _;

use super::survey::Surveyed;
use crate::container::security::{Control, PodSecurity};
use crate::escape::EscapingWriter;

/// The columns. The last one is as wide as it gets.
const HEADING: [&str; 7] = [
    "CONTAINER",
    "RUNTIME",
    "NAME",
    "IMAGE",
    "POD",
    "STANDARD",
    "BREAKS",
];
/// The widest that a column gets, in characters; what is longer is cut. `--json` shows all of it.
const WIDEST: usize = 48;
/// Stands for what is not known.
const UNKNOWN: &str = "-";

/// A heading and a line for each container.
pub(super) fn of(containers: &[Surveyed]) -> String {
    let mut rows = vec![HEADING.map(str::to_owned)];
    rows.extend(containers.iter().map(row));
    let mut widths = [0; HEADING.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            // A String takes everything.
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(container: &Surveyed) -> [String; HEADING.len()] {
    let known = &container.metadata;
    let pod = known.pod.as_ref().and_then(|pod| {
        let name = pod.name.as_deref()?;
        Some(match pod.namespace.as_deref() {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name.to_owned(),
        })
    });
    let broken: Vec<&str> = known.verdict.violations().map(Control::name).collect();
    [
        cell(Some(container.identity.id())),
        cell(Some(container.identity.runtime.name())),
        cell(known.name.as_deref()),
        cell(known.image.reference.as_deref()),
        cell(pod.as_deref()),
        cell(known.verdict.standard().map(PodSecurity::name)),
        // Names of ours, and the end of the line.
        if broken.is_empty() {
            UNKNOWN.to_owned()
        } else {
            broken.join(",")
        },
    ]
}

/// Text of anybody, fit for a line.
fn cell(text: Option<&str>) -> String {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return UNKNOWN.to_owned();
    };
    let mut shown = String::new();
    // A String takes everything.
    let _ = EscapingWriter(&mut shown).write_str(text);
    if shown.chars().count() > WIDEST {
        shown = shown.chars().take(WIDEST - 1).chain(['…']).collect();
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::container::{ContainerIdentity, ContainerMetadata, Image, PodMetadata};

    fn container(id: &str, metadata: ContainerMetadata) -> Surveyed {
        let path = format!("/default/{id}");
        Surveyed {
            identity: Arc::new(ContainerIdentity::from_cgroup_path(path.as_bytes()).unwrap()),
            pid: 7,
            metadata: Arc::new(metadata),
        }
    }

    #[test]
    fn hostile_names_stay_on_their_line_and_in_their_column() {
        let hostile = ContainerMetadata {
            name: Some("a\n\u{1b}[2Jroot".into()),
            image: Image::new(&"x".repeat(100), "", &[]),
            pod: Some(Box::new(PodMetadata {
                name: Some("web-0".into()),
                namespace: Some("shop".into()),
                ..PodMetadata::default()
            })),
            ..ContainerMetadata::default()
        };
        let text = of(&[
            container("one", hostile),
            container("two", ContainerMetadata::default()),
        ]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(
            lines[0].starts_with("CONTAINER  RUNTIME     NAME "),
            "{text}"
        );
        assert!(lines[1].contains(r"a\n\u001b[2Jroot  xxx"), "{text}");
        assert!(lines[1].contains("x…  shop/web-0  -"), "{text}");
        assert!(lines[2].starts_with("two        containerd  -  "), "{text}");
    }
}
