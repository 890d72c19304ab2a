//! runc for a machine that is itself confined.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Leaves out a capability that nobody in such a machine can give: a privileged container would not
/// start.
const SCRIPT: &str = r#"#!/bin/sh
words="$*"
bundle=${words#*--bundle }
if [ "$bundle" != "$words" ]; then
    sed -i 's/"CAP_SYS_RESOURCE",//g' "${bundle%% *}/config.json"
fi
exec runc "$@"
"#;

/// Writes it into a folder.
pub(super) fn write(folder: &Path) {
    let path = path(folder);
    fs::write(&path, SCRIPT).expect("a script is written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is executable");
}

/// Where it is in a folder.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("confined-runc")
}
