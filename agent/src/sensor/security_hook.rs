//! The kernel's security hooks, which tell what a call really used.
//!
//! Without them (a kernel without BPF trampolines or `CONFIG_SECURITY_PATH`), paths and destinations are what is in the
//! program's memory when the call ends.

use agent_ebpf::{
    HOOK_CHMOD, HOOK_CHOWN, HOOK_CHROOT, HOOK_LINK, HOOK_MKDIR, HOOK_MKNOD, HOOK_MOUNT, HOOK_NONE,
    HOOK_REMOVE, HOOK_RENAME, HOOK_SENDMSG, HOOK_SYMLINK, HOOK_UMOUNT,
};
use aya::Ebpf;
use tracing::{debug, info};

use super::SensorError;
use super::function;
use super::kernel::Kernel;
use super::probe::{Hook, Probe};

/// A hook.
#[derive(Debug)]
struct SecurityHook {
    /// The function of the kernel.
    function: &'static str,
    /// The program at its entry.
    program: &'static str,
    /// The number by which programs know it.
    number: u8,
    /// The events that ask it.
    events: &'static [&'static str],
}

const fn hook(
    function: &'static str,
    program: &'static str,
    number: u8,
    events: &'static [&'static str],
) -> SecurityHook {
    SecurityHook {
        function,
        program,
        number,
        events,
    }
}

#[rustfmt::skip] // One hook a line reads as the table that it is.
static HOOKS: &[SecurityHook] = &[
    hook("security_path_unlink", "used_by_unlink", HOOK_REMOVE, &["unlink", "unlinkat"]),
    hook("security_path_rmdir", "used_by_rmdir", HOOK_REMOVE, &["rmdir", "unlinkat"]),
    hook("security_path_mkdir", "used_by_mkdir", HOOK_MKDIR, &["mkdir", "mkdirat"]),
    hook("security_path_rename", "used_by_rename", HOOK_RENAME, &["rename", "renameat", "renameat2"]),
    hook("security_path_link", "used_by_link", HOOK_LINK, &["link", "linkat"]),
    hook("security_path_symlink", "used_by_symlink", HOOK_SYMLINK, &["symlink", "symlinkat"]),
    hook("security_path_mknod", "used_by_mknod", HOOK_MKNOD, &["mknod", "mknodat"]),
    hook("security_path_chmod", "used_by_chmod", HOOK_CHMOD, &["chmod", "fchmodat"]),
    hook("security_path_chown", "used_by_chown", HOOK_CHOWN, &["chown", "lchown", "fchownat"]),
    hook("security_path_chroot", "used_by_chroot", HOOK_CHROOT, &["chroot"]),
    hook("security_sb_mount", "used_by_mount", HOOK_MOUNT, &["mount"]),
    hook("security_sb_umount", "used_by_umount", HOOK_UMOUNT, &["umount2"]),
    hook("security_socket_sendmsg", "used_by_sendmsg", HOOK_SENDMSG, &["sendto", "sendmsg"]),
];

/// Threads that can be between a hook about paths and the exit of their call at the same time; 2 KiB each.
const USED_PATHS: u32 = 512;
/// The same of hooks about messages, whose sending may have to wait; 136 bytes each.
const DESTINATIONS: u32 = 4096;

impl SecurityHook {
    fn of(probe: &Probe) -> Option<&'static Self> {
        HOOKS.iter().find(|hook| hook.program == probe.program)
    }
}

/// The functions that a program may be attached to.
pub(super) fn functions() -> impl Iterator<Item = &'static str> {
    HOOKS.iter().map(|hook| hook.function)
}

/// The programs at the hooks that tell of these events.
pub(super) fn probes(is_wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = Probe> {
    HOOKS
        .iter()
        .filter(move |hook| hook.events.iter().any(|event| is_wanted(event)))
        .map(|hook| Probe {
            program: hook.program,
            hook: Hook::FunctionEntry(hook.function),
        })
}

/// How many places the tables need for what these programs note: that of paths, and that of destinations.
pub(super) fn table_sizes(probes: &[Probe]) -> [u32; 2] {
    let hooks = || probes.iter().filter_map(SecurityHook::of);
    let size = |is_needed: bool, size: u32| if is_needed { size } else { 1 };
    [
        size(hooks().any(|hook| hook.number != HOOK_SENDMSG), USED_PATHS),
        size(
            hooks().any(|hook| hook.number == HOOK_SENDMSG),
            DESTINATIONS,
        ),
    ]
}

/// The number of the hook that tells what an event's call used, if all that it may come by are attached.
pub(super) fn number_for(event: &str, probes: &[Probe]) -> u8 {
    let mut hooks = HOOKS.iter().filter(|hook| hook.events.contains(&event));
    let is_attached =
        |hook: &SecurityHook| probes.iter().any(|probe| probe.program == hook.program);
    let Some(first) = hooks.next() else {
        return HOOK_NONE;
    };
    if is_attached(first) && hooks.all(is_attached) {
        first.number
    } else {
        HOOK_NONE
    }
}

/// Leaves out the hooks that this kernel does not have.
pub(super) fn retain_existing(kernel: &Kernel, probes: &mut Vec<Probe>) {
    let has = |name| kernel.functions.iter().any(|(known, _)| *known == name);
    let is_missing =
        |probe: &mut Probe| SecurityHook::of(probe).is_some_and(|hook| !has(hook.function));
    let missing: Vec<&str> = probes
        .extract_if(.., is_missing)
        .map(|probe| probe.program)
        .collect();
    if !missing.is_empty() {
        info!(
            programs = missing.join(" "),
            "the kernel lacks security hooks (CONFIG_SECURITY_PATH, CONFIG_SECURITY_NETWORK): what calls are about that would \
             ask them is read from the programs' memory when they end"
        );
    }
}

/// Loads the programs, but for those that the kernel refuses: some attach nothing to functions, and before 6.0 nothing to
/// one that is passed a structure by value, as `security_path_chown`.
pub(super) fn load(
    programs: &mut Ebpf,
    types: &aya::Btf,
    probes: &mut Vec<Probe>,
) -> Result<(), SensorError> {
    each_that_can(probes, |probe| function::load(programs, types, &[probe]))
}

/// Attaches them, but for those that cannot be.
pub(super) fn attach(programs: &mut Ebpf, probes: &mut Vec<Probe>) -> Result<(), SensorError> {
    each_that_can(probes, |probe| function::attach(programs, &[probe]))
}

/// Leaves out the programs for which `work` is refused.
fn each_that_can(
    probes: &mut Vec<Probe>,
    mut work: impl FnMut(Probe) -> Result<(), SensorError>,
) -> Result<(), SensorError> {
    let mut refused = Vec::new();
    for probe in probes.iter().copied() {
        if SecurityHook::of(&probe).is_none() {
            continue;
        }
        match work(probe) {
            Err(error @ SensorError::Refused { .. }) => {
                debug!(%error, "refused");
                refused.push(probe.program);
            }
            outcome => outcome?,
        }
    }
    if !refused.is_empty() {
        info!(
            programs = refused.join(" "),
            "no programs can be attached to these security hooks of the kernel: what calls are about that ask them is \
             read from the programs' memory when they end"
        );
        probes.retain(|probe| !refused.contains(&probe.program));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventType;
    use crate::event::table::SeenBy;

    #[test]
    fn hooks_are_of_events_that_are_captured() {
        for event in HOOKS.iter().flat_map(|hook| hook.events) {
            let definition = EventType::from_name(event)
                .and_then(EventType::definition)
                .unwrap_or_else(|| panic!("{event}"));
            assert_eq!(definition.seen_by, SeenBy::Capture, "{event}");
        }
    }

    #[test]
    fn an_event_may_come_by_two_hooks() {
        let both: Vec<Probe> = probes(|event| event == "unlinkat").collect();
        assert_eq!(both.len(), 2);
        assert_eq!(number_for("unlinkat", &both), HOOK_REMOVE);
        assert_eq!(number_for("unlinkat", &both[..1]), HOOK_NONE);
        assert_eq!(number_for("unlink", &both[..1]), HOOK_REMOVE);
        assert_eq!(number_for("getppid", &both), HOOK_NONE);
    }
}
