//! Names of flags and of numbered choices, with their values in the kernel.
//!
//! The order is that in which names are looked for: a name takes its bits away, so a wider flag stands
//! before those that it is made of.

/// Names with their values.
pub type FlagTable = [(&'static str, u64)];

/// A table of constants of the C library by their names.
macro_rules! constants {
    ($(#[$meta:meta])* $name:ident: $($constant:ident)+) => {
        $(#[$meta])*
        #[expect(
            clippy::allow_attributes,
            clippy::cast_sign_loss,
            reason = "flags are bits, whatever type the C library gives them"
        )]
        #[allow(clippy::unnecessary_cast, clippy::cast_lossless, reason = "the constants have different types")]
        pub static $name: [(&str, u64); [$(stringify!($constant)),+].len()] =
            [$((stringify!($constant), libc::$constant as u64)),+];
    };
}

/// A table of values that the C library does not name.
macro_rules! values {
    ($(#[$meta:meta])* $name:ident: $($constant:ident = $value:expr),+ $(,)?) => {
        $(#[$meta])*
        pub static $name: [(&str, u64); [$(stringify!($constant)),+].len()] =
            [$((stringify!($constant), $value)),+];
    };
}

values! {
    /// Flags of open files. What the C library has as 0 or as a sum is written out.
    FILE:
    O_RDWR = 0o2, O_WRONLY = 0o1, O_RDONLY = 0, O_TMPFILE = 0o20_200_000, O_CREAT = 0o100,
    O_APPEND = 0o2000, O_SYNC = 0o4_010_000, O_DSYNC = 0o10000, O_EXCL = 0o200,
    O_NONBLOCK = 0o4000, O_TRUNC = 0o1000, O_DIRECT = 0o40000, O_DIRECTORY = 0o200_000,
    O_LARGEFILE = 0o100_000, O_CLOEXEC = 0o2_000_000,
}
values! {
    /// What is in the type of a socket besides its type.
    SOCKET: O_NONBLOCK = 0o4000, O_CLOEXEC = 0o2_000_000,
}
values! {
    /// What a creat did.
    CREAT: FD_UPPER_LAYER_CREAT = 1, FD_LOWER_LAYER_CREAT = 2,
}
values! {
    /// `openat2`'s `resolve`.
    OPENAT2_RESOLVE:
    RESOLVE_BENEATH = 0x08, RESOLVE_IN_ROOT = 0x10, RESOLVE_NO_MAGICLINKS = 0x02,
    RESOLVE_NO_SYMLINKS = 0x04, RESOLVE_NO_XDEV = 0x01, RESOLVE_CACHED = 0x20,
}
values! {
    /// What is special about an executable.
    EXECVE: EXE_WRITABLE = 1, EXE_UPPER_LAYER = 2, EXE_FROM_MEMFD = 4, EXE_LOWER_LAYER = 8,
}
constants! {
    /// What a new process or thread shares, and which namespaces are new.
    CLONE:
    CLONE_FILES CLONE_FS CLONE_IO CLONE_NEWIPC CLONE_NEWNET CLONE_NEWNS CLONE_NEWPID CLONE_NEWUTS
    CLONE_PARENT CLONE_PARENT_SETTID CLONE_PTRACE CLONE_SIGHAND CLONE_SYSVSEM CLONE_THREAD
    CLONE_UNTRACED CLONE_VM CLONE_NEWUSER CLONE_CHILD_CLEARTID CLONE_CHILD_SETTID CLONE_SETTLS
    CLONE_VFORK CLONE_NEWCGROUP CLONE_PIDFD
}
constants! {
    /// Of `unlinkat`.
    UNLINKAT: AT_REMOVEDIR
}
constants! {
    /// Of `linkat`.
    LINKAT: AT_SYMLINK_FOLLOW AT_EMPTY_PATH
}
constants! {
    /// Of `fchownat`.
    FCHOWNAT: AT_SYMLINK_NOFOLLOW AT_EMPTY_PATH
}
constants! {
    /// Of `newfstatat`.
    NEWFSTATAT: AT_EMPTY_PATH AT_NO_AUTOMOUNT AT_SYMLINK_NOFOLLOW
}
values! {
    /// Of `renameat2`.
    RENAMEAT2: RENAME_NOREPLACE = 1, RENAME_EXCHANGE = 2, RENAME_WHITEOUT = 4,
}
constants! {
    /// Of `access`.
    ACCESS: F_OK R_OK W_OK X_OK
}
constants! {
    /// Of `flock`.
    FLOCK: LOCK_SH LOCK_EX LOCK_NB LOCK_UN
}
constants! {
    /// Of `lseek`.
    LSEEK: SEEK_END SEEK_CUR SEEK_SET
}
constants! {
    /// Of `mount`.
    MOUNT:
    MS_RDONLY MS_NOSUID MS_NODEV MS_NOEXEC MS_SYNCHRONOUS MS_REMOUNT MS_MANDLOCK MS_DIRSYNC
    MS_NOATIME MS_NODIRATIME MS_BIND MS_MOVE MS_REC MS_SILENT MS_POSIXACL MS_UNBINDABLE MS_PRIVATE
    MS_SLAVE MS_SHARED MS_RELATIME MS_KERNMOUNT MS_I_VERSION MS_STRICTATIME MS_LAZYTIME
}
constants! {
    /// Of `umount2`.
    UMOUNT: MNT_FORCE MNT_DETACH MNT_EXPIRE UMOUNT_NOFOLLOW
}
values! {
    /// Commands of `fsconfig`.
    FSCONFIG:
    FSCONFIG_SET_FLAG = 0, FSCONFIG_SET_STRING = 1, FSCONFIG_SET_BINARY = 2,
    FSCONFIG_SET_PATH = 3, FSCONFIG_SET_PATH_EMPTY = 4, FSCONFIG_SET_FD = 5,
    FSCONFIG_CMD_CREATE = 6, FSCONFIG_CMD_RECONFIGURE = 7,
}
constants! {
    /// Address families.
    SOCKET_FAMILY:
    AF_NFC AF_ALG AF_CAIF AF_IEEE802154 AF_PHONET AF_ISDN AF_RXRPC AF_IUCV AF_BLUETOOTH AF_TIPC
    AF_CAN AF_LLC AF_WANPIPE AF_PPPOX AF_IRDA AF_SNA AF_RDS AF_ATMSVC AF_ECONET AF_ASH AF_PACKET
    AF_ROUTE AF_NETLINK AF_KEY AF_SECURITY AF_NETBEUI AF_DECnet AF_ROSE AF_INET6 AF_X25
    AF_ATMPVC AF_BRIDGE AF_NETROM AF_APPLETALK AF_IPX AF_AX25 AF_INET AF_LOCAL AF_UNIX AF_UNSPEC
    AF_VSOCK AF_XDP
}
constants! {
    /// Of `shutdown`.
    SHUTDOWN: SHUT_RD SHUT_WR SHUT_RDWR
}
constants! {
    /// Levels of socket options.
    SOCKET_LEVEL: SOL_SOCKET SOL_TCP
}
constants! {
    /// Socket options of `SOL_SOCKET`.
    SOCKET_OPTION:
    SO_DEBUG SO_REUSEADDR SO_TYPE SO_ERROR SO_DONTROUTE SO_BROADCAST SO_SNDBUF SO_RCVBUF
    SO_SNDBUFFORCE SO_RCVBUFFORCE SO_KEEPALIVE SO_OOBINLINE SO_NO_CHECK SO_PRIORITY SO_LINGER
    SO_BSDCOMPAT SO_REUSEPORT SO_PASSCRED SO_PEERCRED SO_RCVLOWAT SO_SNDLOWAT SO_RCVTIMEO
    SO_SNDTIMEO SO_BINDTODEVICE SO_ATTACH_FILTER SO_DETACH_FILTER SO_PEERNAME SO_TIMESTAMP
    SO_ACCEPTCONN SO_PEERSEC SO_PASSSEC SO_TIMESTAMPNS SO_MARK SO_TIMESTAMPING SO_PROTOCOL
    SO_DOMAIN SO_RXQ_OVFL SO_WIFI_STATUS SO_PEEK_OFF SO_NOFCS SO_LOCK_FILTER SO_SELECT_ERR_QUEUE
    SO_BUSY_POLL SO_MAX_PACING_RATE
}
constants! {
    /// Of `splice`.
    SPLICE: SPLICE_F_MOVE SPLICE_F_NONBLOCK SPLICE_F_MORE SPLICE_F_GIFT
}
values! {
    /// Of `close_range`.
    CLOSE_RANGE: CLOSE_RANGE_UNSHARE = 2, CLOSE_RANGE_CLOEXEC = 4,
}
values! {
    /// Commands of `fcntl`.
    FCNTL:
    F_DUPFD = 0, F_GETFD = 1, F_SETFD = 2, F_GETFL = 3, F_SETFL = 4, F_GETLK = 5, F_SETLK = 6,
    F_SETLKW = 7, F_SETOWN = 8, F_GETOWN = 9, F_SETSIG = 10, F_GETSIG = 11, F_SETLEASE = 1024,
    F_GETLEASE = 1025, F_NOTIFY = 1026, F_DUPFD_CLOEXEC = 1030, F_CANCELLK = 1029,
    F_SETPIPE_SZ = 1031, F_GETPIPE_SZ = 1032, F_ADD_SEALS = 1033, F_GET_SEALS = 1034,
    F_OFD_GETLK = 36, F_OFD_SETLK = 37, F_OFD_SETLKW = 38,
}
values! {
    /// Of `io_uring_setup`.
    IO_URING_SETUP:
    IORING_SETUP_IOPOLL = 1, IORING_SETUP_SQPOLL = 1 << 1, IORING_SQ_NEED_WAKEUP = 1 << 2,
    IORING_SETUP_SQ_AFF = 1 << 2, IORING_SETUP_CQSIZE = 1 << 3, IORING_SETUP_CLAMP = 1 << 4,
    IORING_SETUP_ATTACH_WQ = 1 << 5, IORING_SETUP_R_DISABLED = 1 << 6,
    IORING_SETUP_SUBMIT_ALL = 1 << 7, IORING_SETUP_COOP_TASKRUN = 1 << 8,
    IORING_SETUP_TASKRUN_FLAG = 1 << 9, IORING_SETUP_SQE128 = 1 << 10,
    IORING_SETUP_CQE32 = 1 << 11, IORING_SETUP_SINGLE_ISSUER = 1 << 12,
    IORING_SETUP_DEFER_TASKRUN = 1 << 13,
}
values! {
    /// What an `io_uring` can do.
    IO_URING_FEATURE:
    IORING_FEAT_SINGLE_MMAP = 1, IORING_FEAT_NODROP = 1 << 1, IORING_FEAT_SUBMIT_STABLE = 1 << 2,
    IORING_FEAT_RW_CUR_POS = 1 << 3, IORING_FEAT_CUR_PERSONALITY = 1 << 4,
    IORING_FEAT_FAST_POLL = 1 << 5, IORING_FEAT_POLL_32BITS = 1 << 6,
    IORING_FEAT_SQPOLL_NONFIXED = 1 << 7, IORING_FEAT_ENTER_EXT_ARG = 1 << 8,
    IORING_FEAT_NATIVE_WORKERS = 1 << 9, IORING_FEAT_RSRC_TAGS = 1 << 10,
    IORING_FEAT_CQE_SKIP = 1 << 11, IORING_FEAT_LINKED_FILE = 1 << 12,
    IORING_FEAT_REG_REG_RING = 1 << 13,
}
values! {
    /// Of `io_uring_enter`.
    IO_URING_ENTER:
    IORING_ENTER_GETEVENTS = 1, IORING_ENTER_SQ_WAKEUP = 2, IORING_ENTER_SQ_WAIT = 4,
    IORING_ENTER_EXT_ARG = 8, IORING_ENTER_REGISTERED_RING = 16,
}
values! {
    /// What `io_uring_register` does.
    IO_URING_REGISTER:
    IORING_REGISTER_BUFFERS = 0, IORING_UNREGISTER_BUFFERS = 1, IORING_REGISTER_FILES = 2,
    IORING_UNREGISTER_FILES = 3, IORING_REGISTER_EVENTFD = 4, IORING_UNREGISTER_EVENTFD = 5,
    IORING_REGISTER_FILES_UPDATE = 6, IORING_REGISTER_EVENTFD_ASYNC = 7,
    IORING_REGISTER_PROBE = 8, IORING_REGISTER_PERSONALITY = 9,
    IORING_UNREGISTER_PERSONALITY = 10, IORING_REGISTER_RESTRICTIONS = 11,
    IORING_REGISTER_ENABLE_RINGS = 12, IORING_REGISTER_FILES2 = 13,
    IORING_REGISTER_FILES_UPDATE2 = 14, IORING_REGISTER_BUFFERS2 = 15,
    IORING_REGISTER_BUFFERS_UPDATE = 16, IORING_REGISTER_IOWQ_AFF = 17,
    IORING_UNREGISTER_IOWQ_AFF = 18, IORING_REGISTER_IOWQ_MAX_WORKERS = 19,
    IORING_REGISTER_RING_FDS = 20, IORING_UNREGISTER_RING_FDS = 21,
}
constants! {
    /// Of `epoll_create1`.
    EPOLL_CREATE1: EPOLL_CLOEXEC
}
constants! {
    /// Of `memfd_create`.
    MEMFD_CREATE: MFD_CLOEXEC MFD_ALLOW_SEALING MFD_HUGETLB
}
values! {
    /// Of `pidfd_open`.
    PIDFD_OPEN: PIDFD_NONBLOCK = 0o4000,
}
constants! {
    /// What `ptrace` does.
    PTRACE:
    PTRACE_DETACH PTRACE_SYSCALL PTRACE_SETREGSET PTRACE_GETREGSET PTRACE_PEEKSIGINFO
    PTRACE_LISTEN PTRACE_INTERRUPT PTRACE_SEIZE PTRACE_SETSIGINFO PTRACE_GETSIGINFO
    PTRACE_GETEVENTMSG PTRACE_SETOPTIONS PTRACE_SETFPXREGS PTRACE_GETFPXREGS PTRACE_SETFPREGS
    PTRACE_GETFPREGS PTRACE_SETREGS PTRACE_GETREGS PTRACE_ATTACH PTRACE_SINGLESTEP PTRACE_KILL
    PTRACE_CONT PTRACE_POKEUSER PTRACE_POKEDATA PTRACE_POKETEXT PTRACE_PEEKUSER PTRACE_PEEKDATA
    PTRACE_PEEKTEXT PTRACE_TRACEME
}
constants! {
    /// Of `prctl`.
    PRCTL:
    PR_GET_DUMPABLE PR_SET_DUMPABLE PR_GET_KEEPCAPS PR_SET_KEEPCAPS PR_SET_NAME PR_GET_NAME
    PR_GET_SECCOMP PR_SET_SECCOMP PR_CAPBSET_READ PR_CAPBSET_DROP PR_GET_SECUREBITS
    PR_SET_SECUREBITS PR_MCE_KILL PR_SET_MM PR_SET_CHILD_SUBREAPER PR_GET_CHILD_SUBREAPER
    PR_SET_NO_NEW_PRIVS PR_GET_NO_NEW_PRIVS PR_GET_TID_ADDRESS PR_SET_THP_DISABLE
    PR_GET_THP_DISABLE PR_CAP_AMBIENT PR_SET_PDEATHSIG PR_GET_PDEATHSIG PR_SET_PTRACER
    PR_SET_TIMERSLACK PR_GET_TIMERSLACK PR_SET_TSC PR_GET_TSC PR_SET_ENDIAN PR_GET_ENDIAN
}
constants! {
    /// Resources of limits.
    RESOURCE:
    RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS RLIMIT_NPROC
    RLIMIT_NOFILE RLIMIT_MEMLOCK RLIMIT_AS RLIMIT_LOCKS RLIMIT_SIGPENDING RLIMIT_MSGQUEUE
    RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_RTTIME
}
constants! {
    /// Of `semop`.
    SEMOP: IPC_NOWAIT SEM_UNDO
}
values! {
    /// Commands of `semctl`.
    SEMCTL:
    IPC_STAT = 2, IPC_SET = 1, IPC_RMID = 0, IPC_INFO = 3, SEM_INFO = 19, SEM_STAT = 18,
    GETALL = 13, GETNCNT = 14, GETPID = 11, GETVAL = 12, GETZCNT = 15, SETALL = 17, SETVAL = 16,
}
constants! {
    /// Of `semget`.
    SEMGET: IPC_EXCL IPC_CREAT
}
values! {
    /// Operations of `futex`.
    FUTEX:
    FUTEX_CLOCK_REALTIME = 256, FUTEX_PRIVATE_FLAG = 128, FUTEX_CMP_REQUEUE_PI = 12,
    FUTEX_WAIT_REQUEUE_PI = 11, FUTEX_WAKE_BITSET = 10, FUTEX_WAIT_BITSET = 9,
    FUTEX_TRYLOCK_PI = 8, FUTEX_UNLOCK_PI = 7, FUTEX_LOCK_PI = 6, FUTEX_WAKE_OP = 5,
    FUTEX_CMP_REQUEUE = 4, FUTEX_REQUEUE = 3, FUTEX_FD = 2, FUTEX_WAKE = 1, FUTEX_WAIT = 0,
}
constants! {
    /// Of `mmap` and `mprotect`.
    PROTECTION:
    PROT_READ PROT_WRITE PROT_EXEC PROT_GROWSDOWN PROT_GROWSUP PROT_NONE
}
constants! {
    /// Of `mmap`.
    MMAP:
    MAP_SHARED MAP_PRIVATE MAP_FIXED MAP_ANONYMOUS MAP_32BIT MAP_NORESERVE MAP_POPULATE
    MAP_NONBLOCK MAP_GROWSDOWN MAP_DENYWRITE MAP_EXECUTABLE MAP_LOCKED
}
values! {
    /// Of `mlock2`.
    MLOCK2: MLOCK_ONFAULT = 1,
}
constants! {
    /// Of `mlockall`.
    MLOCKALL: MCL_CURRENT MCL_FUTURE MCL_ONFAULT
}
values! {
    /// Commands of `bpf`.
    BPF:
    BPF_MAP_CREATE = 0, BPF_MAP_LOOKUP_ELEM = 1, BPF_MAP_UPDATE_ELEM = 2, BPF_MAP_DELETE_ELEM = 3,
    BPF_MAP_GET_NEXT_KEY = 4, BPF_PROG_LOAD = 5, BPF_OBJ_PIN = 6, BPF_OBJ_GET = 7,
    BPF_PROG_ATTACH = 8, BPF_PROG_DETACH = 9, BPF_PROG_TEST_RUN = 10, BPF_PROG_RUN = 10,
    BPF_PROG_GET_NEXT_ID = 11, BPF_MAP_GET_NEXT_ID = 12, BPF_PROG_GET_FD_BY_ID = 13,
    BPF_MAP_GET_FD_BY_ID = 14, BPF_OBJ_GET_INFO_BY_FD = 15, BPF_PROG_QUERY = 16,
    BPF_RAW_TRACEPOINT_OPEN = 17, BPF_BTF_LOAD = 18, BPF_BTF_GET_FD_BY_ID = 19,
    BPF_TASK_FD_QUERY = 20, BPF_MAP_LOOKUP_AND_DELETE_ELEM = 21, BPF_MAP_FREEZE = 22,
    BPF_BTF_GET_NEXT_ID = 23, BPF_MAP_LOOKUP_BATCH = 24, BPF_MAP_LOOKUP_AND_DELETE_BATCH = 25,
    BPF_MAP_UPDATE_BATCH = 26, BPF_MAP_DELETE_BATCH = 27, BPF_LINK_CREATE = 28,
    BPF_LINK_UPDATE = 29, BPF_LINK_GET_FD_BY_ID = 30, BPF_LINK_GET_NEXT_ID = 31,
    BPF_ENABLE_STATS = 32, BPF_ITER_CREATE = 33, BPF_LINK_DETACH = 34, BPF_PROG_BIND_MAP = 35,
}
values! {
    /// Of `finit_module`.
    FINIT_MODULE:
    MODULE_INIT_IGNORE_MODVERSIONS = 1, MODULE_INIT_IGNORE_VERMAGIC = 2,
    MODULE_INIT_COMPRESSED_FILE = 4,
}
constants! {
    /// Of `delete_module`.
    DELETE_MODULE: O_NONBLOCK O_TRUNC
}
values! {
    /// Operations of `keyctl`.
    KEYCTL:
    KEYCTL_GET_KEYRING_ID = 0, KEYCTL_JOIN_SESSION_KEYRING = 1, KEYCTL_UPDATE = 2,
    KEYCTL_REVOKE = 3, KEYCTL_CHOWN = 4, KEYCTL_SETPERM = 5, KEYCTL_DESCRIBE = 6,
    KEYCTL_CLEAR = 7, KEYCTL_LINK = 8, KEYCTL_UNLINK = 9, KEYCTL_SEARCH = 10, KEYCTL_READ = 11,
    KEYCTL_INSTANTIATE = 12, KEYCTL_NEGATE = 13, KEYCTL_SET_REQKEY_KEYRING = 14,
    KEYCTL_SET_TIMEOUT = 15, KEYCTL_ASSUME_AUTHORITY = 16, KEYCTL_GET_SECURITY = 17,
    KEYCTL_SESSION_TO_PARENT = 18, KEYCTL_REJECT = 19, KEYCTL_INSTANTIATE_IOV = 20,
    KEYCTL_INVALIDATE = 21, KEYCTL_GET_PERSISTENT = 22, KEYCTL_DH_COMPUTE = 23,
    KEYCTL_PKEY_QUERY = 24, KEYCTL_PKEY_ENCRYPT = 25, KEYCTL_PKEY_DECRYPT = 26,
    KEYCTL_PKEY_SIGN = 27, KEYCTL_PKEY_VERIFY = 28, KEYCTL_RESTRICT_KEYRING = 29,
    KEYCTL_MOVE = 30, KEYCTL_CAPABILITIES = 31, KEYCTL_WATCH_KEY = 32,
}
constants! {
    /// Permission bits and the types that mknod makes.
    MODE:
    S_IXOTH S_IWOTH S_IROTH S_IXGRP S_IWGRP S_IRGRP S_IXUSR S_IWUSR S_IRUSR S_ISVTX S_ISGID S_ISUID
}

/// The names of the flags that are set, joined by `|`; the name of zero only for zero.
pub fn names(table: &FlagTable, value: u64) -> String {
    let mut rest = value;
    let mut text = String::new();
    for &(name, bits) in table {
        let is_set = if bits == 0 {
            value == 0
        } else {
            rest & bits == bits
        };
        if is_set {
            rest &= !bits;
            if !text.is_empty() {
                text.push('|');
            }
            text.push_str(name);
        }
    }
    text
}

/// The names that a number has, joined by `|`.
pub fn names_of_choice(table: &FlagTable, value: u64) -> String {
    let all: Vec<&str> = table
        .iter()
        .filter(|(_, number)| *number == value)
        .map(|(name, _)| *name)
        .collect();
    all.join("|")
}
