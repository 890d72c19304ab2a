//! Where the members of kernel structures are, resolved by the agent from the running kernel's BTF.

/// What the agent does when the kernel has no such member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Without it nothing works: an error at start.
    Required,
    /// Without it one field has no value: a warning, and the offset is [`ABSENT`].
    Optional,
    /// Without it operations of `io_uring` are not seen; the offset is [`ABSENT`].
    IoUring,
    /// Without it those of them that are about sockets are not seen, connects apart; the offset is [`ABSENT`].
    IoUringNetwork,
    /// Some kernels have it and others do not, and the programs know both; the offset is [`ABSENT`].
    Alternative,
}

/// The offset of a member that this kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// One member to look up.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The kernel's structure.
    pub structure: &'static str,
    /// Names the member has had, newest kernels first; a dot descends into a nested structure.
    pub names: &'static [&'static str],
    /// What its absence means.
    pub need: Need,
}

macro_rules! offsets {
    ($($field:ident: $structure:literal [$($name:literal),+] $need:ident;)+) => {
        /// Offsets in bytes from the start of the structure. The programs read them as a read-only
        /// global, so the verifier sees constants.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is named after its structure and member in MEMBERS")]
        pub struct Offsets { $(pub $field: u32,)+ }

        /// What the absence of each member means, for the programs: known when they are compiled.
        #[expect(missing_docs, non_upper_case_globals, reason = "named as the fields of Offsets are")]
        pub mod needs {
            use super::Need;
            $(pub const $field: Need = Need::$need;)+
        }

        impl Offsets {
            /// What each offset stands for, in the order of the structure's fields.
            pub const MEMBERS: &'static [Member] = &[
                $(Member { structure: $structure, names: &[$($name),+], need: Need::$need },)+
            ];

            /// How many there are.
            pub const COUNT: usize = Self::MEMBERS.len();

            /// The values in the order of [`Self::MEMBERS`].
            #[must_use]
            pub const fn to_array(self) -> [u32; Self::COUNT] {
                [$(self.$field),+]
            }

            /// From the values in the order of [`Self::MEMBERS`].
            #[must_use]
            pub const fn from_array(values: [u32; Self::COUNT]) -> Self {
                let mut next = 0;
                $(
                    let $field = values[next];
                    next += 1;
                )+
                let _count = next;
                Self { $($field,)+ }
            }
        }
    };
}

offsets! {
    task_pid: "task_struct" ["pid"] Required;
    task_tgid: "task_struct" ["tgid"] Required;
    task_comm: "task_struct" ["comm"] Required;
    task_group_leader: "task_struct" ["group_leader"] Required;
    task_real_parent: "task_struct" ["real_parent"] Required;
    task_start_boottime: "task_struct" ["start_boottime"] Required;
    task_cred: "task_struct" ["cred"] Required;
    task_signal: "task_struct" ["signal"] Required;
    task_thread_pid: "task_struct" ["thread_pid"] Required;
    task_exec_id: "task_struct" ["self_exec_id"] Required;
    task_major_faults: "task_struct" ["maj_flt"] Optional;
    task_minor_faults: "task_struct" ["min_flt"] Optional;
    task_fs: "task_struct" ["fs"] Required;
    task_files: "task_struct" ["files"] Required;
    task_mm: "task_struct" ["mm"] Required;
    task_exit_code: "task_struct" ["exit_code"] Required;
    task_loginuid: "task_struct" ["loginuid"] Optional;
    task_cgroups: "task_struct" ["cgroups"] Required;
    task_status: "task_struct" ["thread_info.status"] Optional;
    task_stack: "task_struct" ["stack"] Required;
    cred_euid: "cred" ["euid"] Required;
    cred_egid: "cred" ["egid"] Required;
    cred_permitted: "cred" ["cap_permitted"] Required;
    cred_effective: "cred" ["cap_effective"] Required;
    cred_inheritable: "cred" ["cap_inheritable"] Required;
    cred_user_namespace: "cred" ["user_ns"] Optional;
    user_namespace_level: "user_namespace" ["level"] Optional;
    upid_namespace: "upid" ["ns"] Optional;
    pid_namespace_init: "pid_namespace" ["child_reaper"] Optional;
    signal_pids: "signal_struct" ["pids"] Required;
    signal_tty: "signal_struct" ["tty"] Optional;
    signal_live: "signal_struct" ["live"] Required;
    signal_flags: "signal_struct" ["flags"] Required;
    signal_group_exit_code: "signal_struct" ["group_exit_code"] Required;
    pid_level: "pid" ["level"] Required;
    pid_numbers: "pid" ["numbers"] Required;
    tty_driver: "tty_struct" ["driver"] Optional;
    tty_index: "tty_struct" ["index"] Optional;
    tty_driver_major: "tty_driver" ["major"] Optional;
    tty_driver_minor_start: "tty_driver" ["minor_start"] Optional;
    css_set_dfl_cgrp: "css_set" ["dfl_cgrp"] Required;
    css_set_subsys: "css_set" ["subsys"] Required;
    css_cgroup: "cgroup_subsys_state" ["cgroup"] Required;
    cgroup_kn: "cgroup" ["kn"] Required;
    cgroup_level: "cgroup" ["level"] Required;
    cgroup_root: "cgroup" ["root"] Required;
    cgroup_subsys: "cgroup" ["subsys"] Required;
    cgroup_root_hierarchy: "cgroup_root" ["hierarchy_id"] Required;
    kernfs_parent: "kernfs_node" ["__parent", "parent"] Required;
    kernfs_name: "kernfs_node" ["name"] Required;
    kernfs_id: "kernfs_node" ["id"] Required;
    mm_arg_start: "mm_struct" ["arg_start"] Required;
    mm_arg_end: "mm_struct" ["arg_end"] Required;
    mm_env_start: "mm_struct" ["env_start"] Required;
    mm_env_end: "mm_struct" ["env_end"] Required;
    bprm_file: "linux_binprm" ["file"] Required;
    bprm_interpreter: "linux_binprm" ["interp"] Required;
    bprm_filename: "linux_binprm" ["filename"] Required;
    fs_root: "fs_struct" ["root"] Required;
    fs_pwd: "fs_struct" ["pwd"] Required;
    path_mnt: "path" ["mnt"] Required;
    path_dentry: "path" ["dentry"] Required;
    files_fdt: "files_struct" ["fdt"] Required;
    fdtable_max_fds: "fdtable" ["max_fds"] Required;
    fdtable_fd: "fdtable" ["fd"] Required;
    file_path: "file" ["f_path"] Required;
    file_inode: "file" ["f_inode"] Required;
    file_flags: "file" ["f_flags"] Required;
    file_mode: "file" ["f_mode"] Required;
    file_private_data: "file" ["private_data"] Required;
    dentry_inode: "dentry" ["d_inode"] Required;
    dentry_parent: "dentry" ["d_parent"] Required;
    dentry_name_len: "dentry" ["d_name.len"] Required;
    dentry_name: "dentry" ["d_name.name"] Required;
    dentry_short_name: "dentry" ["d_shortname", "d_iname"] Optional;
    vfsmount_root: "vfsmount" ["mnt_root"] Required;
    mount_vfsmount: "mount" ["mnt"] Required;
    mount_parent: "mount" ["mnt_parent"] Required;
    mount_mountpoint: "mount" ["mnt_mountpoint"] Required;
    mount_namespace: "mount" ["mnt_ns"] Required;
    inode_mode: "inode" ["i_mode"] Required;
    inode_number: "inode" ["i_ino"] Required;
    inode_superblock: "inode" ["i_sb"] Required;
    inode_uid: "inode" ["i_uid"] Required;
    inode_gid: "inode" ["i_gid"] Required;
    inode_flags: "inode" ["i_flags"] Required;
    inode_ctime_seconds: "inode" ["i_ctime_sec", "__i_ctime.tv_sec", "i_ctime.tv_sec"] Optional;
    inode_ctime_nanoseconds: "inode" ["i_ctime_nsec", "__i_ctime.tv_nsec", "i_ctime.tv_nsec"] Optional;
    inode_mtime_seconds: "inode" ["i_mtime_sec", "__i_mtime.tv_sec", "i_mtime.tv_sec"] Optional;
    inode_mtime_nanoseconds: "inode" ["i_mtime_nsec", "__i_mtime.tv_nsec", "i_mtime.tv_nsec"] Optional;
    superblock_magic: "super_block" ["s_magic"] Required;
    superblock_flags: "super_block" ["s_flags"] Required;
    superblock_device: "super_block" ["s_dev"] Required;
    socket_sock: "socket" ["sk"] Required;
    sock_type: "sock" ["sk_type"] Required;
    sock_protocol: "sock" ["sk_protocol"] Required;
    sock_family: "sock" ["__sk_common.skc_family"] Required;
    sock_dport: "sock" ["__sk_common.skc_dport"] Required;
    sock_num: "sock" ["__sk_common.skc_num"] Required;
    sock_daddr: "sock" ["__sk_common.skc_daddr"] Required;
    sock_rcv_saddr: "sock" ["__sk_common.skc_rcv_saddr"] Required;
    sock_v6_daddr: "sock" ["__sk_common.skc_v6_daddr"] Optional;
    sock_v6_rcv_saddr: "sock" ["__sk_common.skc_v6_rcv_saddr"] Optional;
    sock_state: "sock" ["__sk_common.skc_state"] Required;
    sock_queue_length: "sock" ["sk_ack_backlog"] Optional;
    sock_queue_limit: "sock" ["sk_max_ack_backlog"] Optional;
    unix_sock_addr: "unix_sock" ["addr"] Required;
    unix_sock_peer: "unix_sock" ["peer"] Required;
    unix_address_len: "unix_address" ["len"] Required;
    unix_address_name: "unix_address" ["name"] Required;
    regs_arg0: "pt_regs" ["di"] Required;
    regs_arg1: "pt_regs" ["si"] Required;
    regs_arg2: "pt_regs" ["dx"] Required;
    regs_arg3: "pt_regs" ["r10"] Required;
    regs_arg4: "pt_regs" ["r8"] Required;
    regs_arg5: "pt_regs" ["r9"] Required;
    regs_bx: "pt_regs" ["bx"] Required;
    regs_cx: "pt_regs" ["cx"] Required;
    regs_bp: "pt_regs" ["bp"] Required;
    regs_ip: "pt_regs" ["ip"] Required;
    regs_syscall: "pt_regs" ["orig_ax"] Required;
    filename_name: "filename" ["name"] IoUring;
    request_command: "io_kiocb" ["cmd"] IoUring;
    request_file: "io_kiocb" ["file"] IoUring;
    request_opcode: "io_kiocb" ["opcode"] IoUring;
    request_flags: "io_kiocb" ["flags"] IoUring;
    request_result: "io_kiocb" ["cqe.res"] IoUring;
    request_descriptor: "io_kiocb" ["cqe.fd"] IoUring;
    io_open_directory: "io_open" ["dfd"] IoUring;
    io_open_name: "io_open" ["filename"] IoUring;
    io_open_slot: "io_open" ["file_slot"] IoUring;
    io_open_how: "io_open" ["how"] IoUring;
    io_unlink_directory: "io_unlink" ["dfd"] IoUring;
    io_unlink_flags: "io_unlink" ["flags"] IoUring;
    io_unlink_name: "io_unlink" ["filename"] IoUring;
    io_rename_old_directory: "io_rename" ["old_dfd"] IoUring;
    io_rename_new_directory: "io_rename" ["new_dfd"] IoUring;
    io_rename_old_name: "io_rename" ["oldpath"] IoUring;
    io_rename_new_name: "io_rename" ["newpath"] IoUring;
    io_rename_flags: "io_rename" ["flags"] IoUring;
    io_mkdir_directory: "io_mkdir" ["dfd"] IoUring;
    io_mkdir_mode: "io_mkdir" ["mode"] IoUring;
    io_mkdir_name: "io_mkdir" ["filename"] IoUring;
    io_link_old_directory: "io_link" ["old_dfd"] IoUring;
    io_link_new_directory: "io_link" ["new_dfd"] IoUring;
    io_link_old_name: "io_link" ["oldpath"] IoUring;
    io_link_new_name: "io_link" ["newpath"] IoUring;
    io_link_flags: "io_link" ["flags"] IoUring;
    io_connect_address: "io_connect" ["addr"] IoUring;
    io_connect_length: "io_connect" ["addr_len"] IoUring;
    io_connect_in_progress: "io_connect" ["in_progress"] IoUring;
    io_socket_domain: "io_socket" ["domain"] IoUring;
    io_socket_type: "io_socket" ["type"] IoUring;
    io_socket_protocol: "io_socket" ["protocol"] IoUring;
    io_rw_position: "io_rw" ["kiocb.ki_pos"] IoUring;
    io_rw_address: "io_rw" ["addr"] IoUring;
    io_rw_length: "io_rw" ["len"] IoUring;
    async_rw_done: "io_async_rw" ["bytes_done"] Alternative;
    async_rw_iterator: "io_async_rw" ["iter", "s.iter"] Alternative;
    kiocb_dio_complete: "kiocb" ["dio_complete"] Alternative;
    io_xattr_path: "io_xattr" ["filename"] IoUring;
    io_xattr_name: "io_xattr" ["ctx.kname"] IoUring;
    io_xattr_size: "io_xattr" ["ctx.size"] IoUring;
    io_xattr_flags: "io_xattr" ["ctx.flags"] IoUring;
    io_sync_flags: "io_sync" ["flags"] IoUring;
    io_splice_source: "io_splice" ["splice_fd_in"] IoUring;
    io_splice_length: "io_splice" ["len"] IoUring;
    io_splice_flags: "io_splice" ["flags"] IoUring;
    io_shutdown_how: "io_shutdown" ["how"] IoUring;
    request_ring: "io_kiocb" ["ctx"] IoUringNetwork;
    request_user_data: "io_kiocb" ["cqe.user_data"] IoUringNetwork;
    request_async_data: "io_kiocb" ["async_data"] IoUringNetwork;
    io_message_buffer: "io_sr_msg" ["buf"] IoUringNetwork;
    io_message_length: "io_sr_msg" ["len"] IoUringNetwork;
    io_message_done: "io_sr_msg" ["done_io"] IoUringNetwork;
    io_message_flags: "io_sr_msg" ["msg_flags"] IoUringNetwork;
    io_message_own_flags: "io_sr_msg" ["flags"] IoUringNetwork;
    buffer_selection: "io_br_sel" ["addr"] Alternative;
    io_message_address: "io_sr_msg" ["addr"] Alternative;
    io_message_address_length: "io_sr_msg" ["addr_len"] Alternative;
    message_name: "msghdr" ["msg_name"] Alternative;
    message_name_length: "msghdr" ["msg_namelen"] Alternative;
    async_message_name: "io_async_msghdr" ["msg.msg_name"] IoUringNetwork;
    async_message_name_length: "io_async_msghdr" ["msg.msg_namelen"] IoUringNetwork;
    async_message_iterator: "io_async_msghdr" ["msg.msg_iter"] IoUringNetwork;
    async_message_address: "io_async_msghdr" ["addr"] IoUringNetwork;
    iterator_type: "iov_iter" ["iter_type"] IoUringNetwork;
    iterator_vectors: "iov_iter" ["__iov", "iov"] IoUringNetwork;
    iterator_count: "iov_iter" ["count"] IoUringNetwork;
    iterator_segments: "iov_iter" ["nr_segs"] IoUringNetwork;
    io_accept_address: "io_accept" ["addr"] IoUringNetwork;
    io_accept_address_length: "io_accept" ["addr_len"] IoUringNetwork;
    io_accept_flags: "io_accept" ["flags"] IoUringNetwork;
    io_accept_slot: "io_accept" ["file_slot"] IoUringNetwork;
    io_bind_length: "io_bind" ["addr_len"] Alternative;
    io_listen_backlog: "io_listen" ["backlog"] Alternative;
}

/// Everything else that the programs are told before they are loaded: a read-only global too.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The agent's own process id in the initial pid namespace: what it does is not recorded.
    pub agent_pid: u32,
    /// 1: the kernel has `bpf_get_current_task_btf` (5.11+), and structures are read by plain loads,
    /// which the verifier checks against BTF. 0: by `bpf_probe_read_kernel`, some five times slower.
    pub direct_loads: u32,
    /// 1: the kernel has `bpf_task_pt_regs` (5.15+), which is used with `direct_loads`. 0: the
    /// registers are found on the stack, and read by `bpf_probe_read_kernel`.
    pub has_task_pt_regs: u32,
    /// Bytes of a kernel stack, for `has_task_pt_regs` = 0.
    pub stack_size: u32,
    /// Bytes of `struct pt_regs`, for `has_task_pt_regs` = 0.
    pub regs_size: u32,
    /// Index into `css_set.subsys` of the v1 controller whose cgroup stands for a task when the v2
    /// hierarchy has no group for it; [`ABSENT`] if there is none.
    pub cgroup_v1_subsystem: u32,
    /// Which opens are recorded: a set of [`OPEN_READ`], [`OPEN_WRITE`], [`OPEN_FAILED`].
    pub open_classes: u32,
    /// Whether failed connects are recorded (0 or 1).
    pub connect_failed: u32,
    /// Whether the inode's number and device are recorded with an open (0 or 1): two more reads,
    /// for the few rules that ask.
    pub open_inode: u32,
    /// Where in `struct file` the [`FILE_SPAN`] bytes start that hold what an open wants to know.
    pub file_span: u32,
    /// Number of the system call open; [`ABSENT`] where there is none.
    pub syscall_open: u32,
    /// Number of creat.
    pub syscall_creat: u32,
    /// Number of openat2.
    pub syscall_openat2: u32,
    /// Bytes of moved data that are recorded, below [`MAX_DATA`].
    pub data_bytes: u32,
    /// Bytes of `struct inode`: behind it, overlayfs keeps the upper layer's entry.
    pub inode_size: u32,
    /// 1: `pid.numbers` is an array without a length (since 6.5), of which direct loads may read any
    /// element; 0: the verifier takes it for an array of one.
    pub pid_numbers_flexible: u32,
    /// CPUs of the machine, which have the first scratch buffers.
    pub cpus: u32,
    /// Buffers behind them, for programs that can be preempted.
    pub shared_buffers: u32,
    /// The operations of `io_uring` that are recorded at their tracepoints, a bit each: those with numbers below 32.
    pub operations_low: u32,
    /// Those with numbers from 32 to 63.
    pub operations_high: u32,
    /// 1: the tracepoint of a completion carries the completion; 0: its parts.
    pub completion_is_entry: u32,
    /// The flag of a request of `io_uring` that is never tried again (`REQ_F_NOWAIT`).
    pub request_nowait: u32,
    /// The flag of one that completes many times (`REQ_F_APOLL_MULTISHOT`).
    pub request_multishot: u32,
    /// The flag of a request that reads or writes at the file's own position (`REQ_F_CUR_POS`).
    pub request_own_position: u32,
    /// `ITER_UBUF` of `enum iter_type`: a plain buffer in user memory.
    pub iterator_plain: u32,
    /// `ITER_IOVEC`: an array of `struct iovec`.
    pub iterator_vector: u32,
}

impl Settings {
    /// The fields in their order: what the global's bytes are made of.
    #[must_use]
    pub const fn to_array(self) -> [u32; 26] {
        [
            self.agent_pid,
            self.direct_loads,
            self.has_task_pt_regs,
            self.stack_size,
            self.regs_size,
            self.cgroup_v1_subsystem,
            self.open_classes,
            self.connect_failed,
            self.open_inode,
            self.file_span,
            self.syscall_open,
            self.syscall_creat,
            self.syscall_openat2,
            self.data_bytes,
            self.inode_size,
            self.pid_numbers_flexible,
            self.cpus,
            self.shared_buffers,
            self.operations_low,
            self.operations_high,
            self.completion_is_entry,
            self.request_nowait,
            self.request_multishot,
            self.request_own_position,
            self.iterator_plain,
            self.iterator_vector,
        ]
    }
}

const _: () = assert!(size_of::<Settings>() == 26 * 4);

/// More bytes of moved data are never recorded (a power of two).
pub const MAX_DATA: u32 = 4096;

/// Bytes of `struct file` that are read at once.
pub const FILE_SPAN: u32 = 128;

/// A successful open that cannot write.
pub const OPEN_READ: u32 = 1;
/// A successful open that can write.
pub const OPEN_WRITE: u32 = 2;
/// An open that failed.
pub const OPEN_FAILED: u32 = 4;
