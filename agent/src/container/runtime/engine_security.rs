//! What an engine's settings of a container say of its confinement, without its bundle.

use serde::Deserialize;

use crate::capability::{ALL, set_of};
use crate::container::security::{SeccompMode, SecurityState};
use crate::container::{Runtime, metadata::text};

/// The parts of an engine's `HostConfig` that are about it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct SecuritySettings {
    /// All capabilities and devices.
    pub(super) privileged: bool,
    cap_add: Option<Vec<String>>,
    cap_drop: Option<Vec<String>>,
    security_opt: Option<Vec<String>>,
    masked_paths: Option<Vec<String>>,
}

/// What Docker gives to every container.
const DOCKER: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// What Podman gives to every container.
const PODMAN: [&str; 11] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

impl SecuritySettings {
    /// What is to confine a container of this engine that runs as this user.
    pub(super) fn state(&self, engine: Runtime, user: &str, apparmor: &str) -> SecurityState {
        let options = self.security_opt.as_deref().unwrap_or_default();
        // `NAME=VALUE`, and of old `NAME:VALUE`.
        let option = |name: &str| {
            options.iter().find_map(|option| {
                let value = option.strip_prefix(name)?;
                Some(value.trim_start_matches(['=', ':']))
            })
        };
        let bounding = self.bounding(engine);
        let runs_as_root = runs_as_root(user);
        let filter = !self.privileged && option("seccomp") != Some("unconfined");
        SecurityState {
            effective: (runs_as_root == Some(true)).then_some(bounding),
            bounding: Some(bounding),
            no_new_privileges: Some(option("no-new-privileges").is_some_and(|on| on != "false")),
            seccomp: Some(if filter {
                SeccompMode::Filter
            } else {
                SeccompMode::Disabled
            }),
            apparmor: text(apparmor),
            runs_as_root,
            proc_masked: self.masked_paths.as_ref().map(|paths| !paths.is_empty()),
            ..SecurityState::default()
        }
    }

    fn bounding(&self, engine: Runtime) -> u64 {
        if self.privileged {
            return ALL;
        }
        let usual = match engine {
            Runtime::Podman => set_of(PODMAN),
            _ => set_of(DOCKER),
        };
        // `ALL` comes first, whichever way: `--cap-drop ALL --cap-add CHOWN` leaves one.
        let names = |list: &Option<Vec<String>>| {
            let list = list.as_deref().unwrap_or_default();
            let all = list.iter().any(|name| name.eq_ignore_ascii_case("all"));
            (all, set_of(list.iter().map(String::as_str)))
        };
        let (all_dropped, dropped) = names(&self.cap_drop);
        let (all_added, added) = names(&self.cap_add);
        let base = match (all_added, all_dropped) {
            (true, _) => ALL,
            (false, true) => 0,
            (false, false) => usual,
        };
        base & !dropped | added
    }
}

/// `USER[:GROUP]`, by number or by name, or nothing for root. What a name stands for is in the image.
fn runs_as_root(user: &str) -> Option<bool> {
    match user.split(':').next() {
        None | Some("" | "root") => Some(true),
        Some(user) => user.parse::<u32>().ok().map(|user| user == 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_by_what_is_added_and_dropped() {
        let usual = set_of(DOCKER);
        for (settings, expected) in [
            ("{}", usual),
            (
                r#"{"CapAdd": null, "CapDrop": ["NET_RAW"]}"#,
                usual & !(1 << 13),
            ),
            (r#"{"CapAdd": ["CAP_SYS_ADMIN"]}"#, usual | 1 << 21),
            (r#"{"CapDrop": ["ALL"], "CapAdd": ["CHOWN"]}"#, 1),
            (r#"{"CapAdd": ["all"], "CapDrop": ["CHOWN"]}"#, ALL & !1),
            (r#"{"Privileged": true, "CapDrop": ["ALL"]}"#, ALL),
        ] {
            let settings: SecuritySettings = serde_json::from_str(settings).unwrap();
            assert_eq!(settings.bounding(Runtime::Docker), expected, "{settings:?}");
        }
        let podman = SecuritySettings::default().bounding(Runtime::Podman);
        assert_eq!(podman.count_ones(), 11);
    }

    #[test]
    fn the_other_settings() {
        let of = |settings: &str, user: &str| {
            let settings: SecuritySettings = serde_json::from_str(settings).unwrap();
            settings.state(Runtime::Docker, user, "docker-default")
        };
        let plain = of(r#"{"MaskedPaths": ["/proc/kcore"]}"#, "");
        assert_eq!(plain.seccomp, Some(SeccompMode::Filter));
        assert_eq!(plain.no_new_privileges, Some(false));
        assert_eq!(plain.proc_masked, Some(true));
        assert_eq!(plain.apparmor.as_deref(), Some("docker-default"));
        assert_eq!(
            (plain.runs_as_root, plain.effective),
            (Some(true), plain.bounding)
        );
        let open = of(
            r#"{"SecurityOpt": ["no-new-privileges", "seccomp=unconfined"], "MaskedPaths": []}"#,
            "1000:0",
        );
        assert_eq!(open.seccomp, Some(SeccompMode::Disabled));
        assert_eq!(open.no_new_privileges, Some(true));
        assert_eq!(open.proc_masked, Some(false));
        assert_eq!((open.runs_as_root, open.effective), (Some(false), None));
        assert_eq!(
            of(r#"{"Privileged": true}"#, "0").seccomp,
            Some(SeccompMode::Disabled)
        );
        let old = of(
            r#"{"SecurityOpt": ["no-new-privileges:false", "seccomp:unconfined"]}"#,
            "app",
        );
        assert_eq!(old.no_new_privileges, Some(false));
        assert_eq!(old.seccomp, Some(SeccompMode::Disabled));
        assert_eq!((old.runs_as_root, old.proc_masked), (None, None));
    }
}
