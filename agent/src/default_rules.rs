//! The default rules, part of the binary so that it works without any other file.

macro_rules! embedded {
    ($name:literal) => {
        (
            concat!("rules/", $name),
            include_str!(concat!("../../rules/", $name)),
        )
    };
}

/// The name and the text of each file in `rules/`, in the order in which they are loaded.
pub const FILES: &[(&str, &str)] = &[
    embedded!("shells.yaml"),
    embedded!("files.yaml"),
    embedded!("network.yaml"),
    embedded!("processes.yaml"),
    embedded!("containers.yaml"),
];
