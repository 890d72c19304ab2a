//! Events that are neither system calls nor a change of processes.

use agent_ebpf::{PAGE_FAULT, SIGNAL_DELIVER, SWITCH};

use super::{
    Category, DECIMAL, EventDefinition, Parameter, SeenBy, field, flags, hex, number, pid, signal,
};

/// The entries.
pub(super) static EVENTS: &[EventDefinition] = &[
    at(
        "signaldeliver",
        Category::Signal,
        &[pid("spid", 1), pid("dpid", 2), signal("sig", 3)],
        SeenBy::Tracepoints(&["signal_deliver"], SIGNAL_DELIVER),
    ),
    at(
        "switch",
        Category::Scheduler,
        &[
            pid("next", 1),
            number("pgft_maj", 2),
            number("pgft_min", 3),
            field("vm_size", DECIMAL, "proc.vmsize"),
            field("vm_rss", DECIMAL, "proc.vmrss"),
            field("vm_swap", DECIMAL, "proc.vmswap"),
        ],
        SeenBy::Tracepoints(&["sched_switch"], SWITCH),
    ),
    at(
        "page_fault",
        Category::Other,
        &[
            hex("addr", 1),
            hex("ip", 2),
            flags("error", 3, &flags::PAGE_FAULT),
        ],
        SeenBy::Tracepoints(&["page_fault_user", "page_fault_kernel"], PAGE_FAULT),
    ),
];

const fn at(
    name: &'static str,
    category: Category,
    parameters: &'static [Parameter],
    seen_by: SeenBy,
) -> EventDefinition {
    EventDefinition {
        name,
        category,
        parameters,
        seen_by,
        ..EventDefinition::NEW
    }
}
