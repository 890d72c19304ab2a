//! Operations of `io_uring`, which are no system calls.
//!
//! Each kind of operation is a function of the kernel (`io_unlinkat(request, flags)`, since 6.0), seen at its
//! entry and at its exit. At the entry the kernel's own copy of the names is taken down, which is gone at the exit; the
//! record is made at the exit, when the result is known.
//!
//! Where programs cannot be attached to functions, the tracepoints of a submission and of a completion take the
//! place of entry and exit. They know less: a program can ask for no completion (`IOSQE_CQE_SKIP_SUCCESS`), so such an
//! operation is recorded when it is submitted, as if it had succeeded.
//!
//! What runs an operation is the thread that submitted it, or one that the kernel made in the same process.

mod connect;
mod functions;
mod kind;
mod names;
mod network;
mod number;
mod open;
mod operation;
mod plain;
mod read_write;
mod record;
mod short_note;
mod tracepoints;
mod vectors;
