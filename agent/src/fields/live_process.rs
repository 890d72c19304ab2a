//! The fields of a process that only `/proc` tells: memory, threads, limits, cgroups, descriptors. No value once the
//! process has ended.

use super::{Context, Extractor, FieldArgument, Value};
use crate::state::{Descriptor, LiveProcess, PageFaults};

/// How the field of this name is computed.
pub(super) fn extractor(name: &str) -> Option<Extractor> {
    Some(match name {
        "proc.nthreads" => |context, _| status(context, "Threads").map(Value::Uint),
        "proc.nchilds" => {
            |context, _| Some(Value::Uint(status(context, "Threads")?.saturating_sub(1)))
        }
        "proc.vmsize" => |context, _| status(context, "VmSize").map(Value::Uint),
        "proc.vmrss" => |context, _| status(context, "VmRSS").map(Value::Uint),
        "proc.vmswap" => |context, _| status(context, "VmSwap").map(Value::Uint),
        "thread.vmsize" => |context, _| of_main_thread(context, "VmSize").map(Value::Uint),
        "thread.vmrss" => |context, _| of_main_thread(context, "VmRSS").map(Value::Uint),
        "thread.vmsize.b" => |context, _| bytes(of_main_thread(context, "VmSize")?),
        "thread.vmrss.b" => |context, _| bytes(of_main_thread(context, "VmRSS")?),
        "thread.pfmajor" => |context, _| Some(Value::Uint(page_faults(context)?.major)),
        "thread.pfminor" => |context, _| Some(Value::Uint(page_faults(context)?.minor)),
        "thread.cgroups" => |context, _| {
            let cgroups = live(context)?.cgroups(context.origin().tid)?;
            let shown: Vec<Vec<u8>> = cgroups
                .into_iter()
                .map(|(name, path)| [name, path].join(&b'='))
                .collect();
            Some(Value::Bytes(shown.join(&b' ').into()))
        },
        "thread.cgroup" => |context, argument| {
            let FieldArgument::Key(wanted) = argument else {
                return None;
            };
            let cgroups = live(context)?.cgroups(context.origin().tid)?;
            cgroups
                .into_iter()
                .find(|(name, _)| name == wanted.as_bytes())
                .map(|(_, path)| Value::Bytes(path.into()))
        },
        "proc.fdlimit" => |context, _| {
            let limit = live(context)?.descriptor_limit()?;
            Some(Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)))
        },
        "proc.fdopencount" => |context, _| live(context)?.open_descriptors().map(Value::Uint),
        "proc.fdusage" => |context, _| {
            let process = live(context)?;
            usage(process.open_descriptors()?, process.descriptor_limit()?)
        },
        "fd.types" => |context, argument| {
            let process = live(context)?;
            let kinds = match argument {
                FieldArgument::Index(number) => {
                    let number = u32::try_from(*number).ok()?;
                    vec![process.descriptor(number)?.kind]
                }
                _ => process.kinds_of_descriptors()?,
            };
            let kinds = kinds.into_iter().map(|kind| Value::text(kind.as_bytes()));
            Some(Value::List(kinds.collect()))
        },
        "proc.stdin.type" => |context, _| kind(context, 0),
        "proc.stdout.type" => |context, _| kind(context, 1),
        "proc.stderr.type" => |context, _| kind(context, 2),
        "proc.stdin.name" => |context, _| name_of(context, 0),
        "proc.stdout.name" => |context, _| name_of(context, 1),
        "proc.stderr.name" => |context, _| name_of(context, 2),
        _ => return None,
    })
}

fn live(context: &Context<'_>) -> Option<LiveProcess> {
    context.processes.live(context.process)
}

fn status(context: &Context<'_>, name: &str) -> Option<u64> {
    live(context)?.status(name)
}

/// As in Falco, a thread other than the main one has no memory of its own.
fn of_main_thread(context: &Context<'_>, name: &str) -> Option<u64> {
    if context.origin().tid.0 == context.origin().process.pid.0 {
        status(context, name)
    } else {
        Some(0)
    }
}

fn bytes<'c>(kilobytes: u64) -> Option<Value<'c>> {
    Some(Value::Uint(kilobytes.checked_mul(1024)?))
}

fn page_faults(context: &Context<'_>) -> Option<PageFaults> {
    live(context)?.page_faults(context.origin().tid)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "both are far below 2^53, and a share is shown"
)]
fn usage<'c>(open: u64, limit: u64) -> Option<Value<'c>> {
    (limit > 0).then(|| Value::Double(open as f64 * 100.0 / limit as f64))
}

fn descriptor(context: &Context<'_>, number: u32) -> Option<Descriptor> {
    live(context)?.descriptor(number)
}

fn kind<'c>(context: &Context<'c>, number: u32) -> Option<Value<'c>> {
    Some(Value::text(descriptor(context, number)?.kind.as_bytes()))
}

fn name_of<'c>(context: &Context<'c>, number: u32) -> Option<Value<'c>> {
    Some(Value::Bytes(descriptor(context, number)?.name?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_in_percent() {
        assert_eq!(usage(256, 1024), Some(Value::Double(25.0)));
        assert_eq!(usage(5, 0), None);
    }
}
