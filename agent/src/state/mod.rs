//! What is known between events: processes, users, and what time it is.

mod boot_clock;
mod executable_hashes;
pub mod host_names;
mod live_process;
mod memory_reader;
mod proc_reader;
mod process;
mod process_table;
mod services;
mod text_pool;
mod users;

pub use boot_clock::BootClock;
pub use executable_hashes::{ExecutableHashes, HashText, NoHash};
pub use live_process::{Descriptor, LiveProcess, PageFaults};
pub use process::{Process, ProcessIds, Program, Script, Source, Strings};
pub use process_table::{Ancestors, ProcessTable, ProcessTableStats, Subject};
pub use services::service_name;
pub use text_pool::{PooledText, Text};
pub use users::{ContainerUsersStats, Names, User, Users, UsersError};
