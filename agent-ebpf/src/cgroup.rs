//! Cgroups: which one a task is in, and the path of each when it is made.
//!
//! `cgroup_mkdir` (kernel/cgroup/cgroup.c) calls `TRACE_CGROUP_PATH(mkdir, cgrp)`, after the group
//! is complete and before mkdir(2) returns: no process can be in it yet.

use agent_ebpf::{ABSENT, CGROUP_V1, CgroupPart, MAX_CGROUP_LEVELS, RecordKind, SectionTag};
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use crate::kernel::{Typed, Untyped, current_task, offset, setting};
use crate::record_writer::{RecordWriter, WalkEnd};
use crate::task::write_header;

/// `cgrp_dfl_root.hierarchy_id`: the v2 hierarchy registers itself first.
const UNIFIED_HIERARCHY: u32 = 1;

/// The kernfs node of a task's cgroup, and its id: that of the v2 hierarchy, or of a v1 controller
/// for a task that the v2 hierarchy keeps in its root.
#[inline(always)]
pub(crate) fn cgroup_of(task: Typed) -> (Untyped, u64) {
    let set = task.follow(offset!(task_cgroups));
    if set.is_null() {
        return (Untyped(0), 0);
    }
    let unified = set.follow(offset!(css_set_dfl_cgrp));
    if unified.is_null() {
        return (Untyped(0), 0);
    }
    let subsystem = setting!(cgroup_v1_subsystem);
    if subsystem != ABSENT && unified.u32(offset!(cgroup_level)) == 0 {
        let state = set.follow(offset!(css_set_subsys) + subsystem * 8);
        if !state.is_null() {
            let cgroup = state.follow(offset!(css_cgroup));
            if !cgroup.is_null() {
                let (node, id) = node_of(cgroup);
                return (node, id | CGROUP_V1);
            }
        }
    }
    node_of(unified)
}

/// The same for a task of which only the address is known: the cgroup's id.
#[inline(always)]
pub(crate) fn cgroup_id_of(task: Untyped) -> u64 {
    let set = task.follow(offset!(task_cgroups));
    let mut cgroup = set.follow(offset!(css_set_dfl_cgrp));
    let subsystem = setting!(cgroup_v1_subsystem);
    let mut hierarchy = 0;
    if subsystem != ABSENT && cgroup.read::<u32>(offset!(cgroup_level)) == 0 {
        hierarchy = CGROUP_V1;
        cgroup = set
            .follow(offset!(css_set_subsys) + subsystem * 8)
            .follow(offset!(css_cgroup));
    }
    cgroup
        .follow(offset!(cgroup_kn))
        .read::<u64>(offset!(kernfs_id))
        | hierarchy
}

#[inline(always)]
fn node_of(cgroup: Typed) -> (Untyped, u64) {
    let node = cgroup.follow(offset!(cgroup_kn));
    if node.is_null() {
        return (Untyped(0), 0);
    }
    (node.untyped(), node.u64(offset!(kernfs_id)))
}

/// A section with the components of a cgroup's path, leaf first.
#[inline(always)]
pub(crate) fn cgroup_path_section(writer: RecordWriter, node: Untyped) {
    writer.begin_section();
    let end = walk(writer, node);
    writer.end_section(SectionTag::Cgroup, end.section_flags());
}

#[inline(always)]
fn walk(writer: RecordWriter, start: Untyped) -> WalkEnd {
    let mut node = start;
    let mut level = 0;
    while level < MAX_CGROUP_LEVELS {
        level += 1;
        if node.is_null() {
            return WalkEnd::Detached;
        }
        let parent = node.follow(offset!(kernfs_parent));
        if parent.is_null() {
            return WalkEnd::AtRoot;
        }
        if !writer.has_room(256) {
            return WalkEnd::Truncated;
        }
        writer.component_string(node.follow(offset!(kernfs_name)).0);
        node = parent;
    }
    WalkEnd::Truncated
}

/// A cgroup was made; arguments: `struct cgroup *`, path.
#[raw_tracepoint(tracepoint = "cgroup_mkdir")]
pub(crate) fn cgroup_mkdir(context: RawTracePointContext) -> u32 {
    let cgroup = Untyped(context.arg::<u64>(0));
    let mut id: u64 = cgroup.follow(offset!(cgroup_kn)).read(offset!(kernfs_id));
    let hierarchy: u32 = cgroup
        .follow(offset!(cgroup_root))
        .read(offset!(cgroup_root_hierarchy));
    if hierarchy != UNIFIED_HIERARCHY {
        // Of the v1 hierarchies only the one that stands for a task counts.
        let subsystem = setting!(cgroup_v1_subsystem);
        if subsystem == ABSENT
            || cgroup
                .follow(offset!(cgroup_subsys) + subsystem * 8)
                .is_null()
        {
            return 0;
        }
        id |= CGROUP_V1;
    }
    let Some(writer) = RecordWriter::begin() else {
        return 0;
    };
    let path = context.arg::<u64>(1);
    let part = writer.fixed_part::<CgroupPart>();
    // SAFETY: the part is inside the scratch buffer, which this program owns.
    unsafe { (*part).created = id };
    write_header(writer, RecordKind::CgroupCreated, current_task(), None);
    writer.kernel_string(SectionTag::Text, path);
    writer.submit(RecordKind::CgroupCreated);
    0
}
