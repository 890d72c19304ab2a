//! What the kernel used of a call, and not what the program's memory holds when the call ends.
//!
//! Once the kernel has looked up a path or copied an address, it asks its security modules
//! (`security_path_unlink(directory, entry)` and the like, of security/security.c), whether there are any or not. A
//! program at the entry of such a function notes what it is asked about, for the program at the call's exit: no other
//! thread can change that, and no link is left in it. What the kernel has at the exit does not tell it any more.
//!
//! Only calls are noted whose exit is recorded, so that each note is taken by the exit of its call.

mod destination;
mod path;

pub(crate) use destination::{destination_section, forget_destination};
pub(crate) use path::{forget_used_paths, used_path_sections};

use agent_ebpf::Capture;

use crate::call::CAPTURES;
use crate::foreign::native_number;
use crate::kernel::current_task;
use crate::task::is_agent;

/// What is to be taken down of the call that the current thread is in, if that waits for what this hook tells.
#[inline(always)]
fn awaited(hook: u8) -> Option<&'static Capture> {
    // What a kernel thread does has no number, or the one of the call that made the thread.
    let number = native_number(current_task())?;
    let capture = CAPTURES.get(number)?;
    (capture.hook == hook && !is_agent()).then_some(capture)
}
