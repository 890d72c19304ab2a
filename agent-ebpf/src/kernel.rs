//! Reading kernel structures by offsets that the agent resolved.

use core::mem::MaybeUninit;

use agent_ebpf::{ABSENT, Need, Offsets, Settings};
use aya_ebpf::helpers::generated::{
    bpf_get_current_task, bpf_get_current_task_btf, bpf_probe_read_kernel, bpf_task_pt_regs,
};

use crate::record_writer::RecordWriter;

#[unsafe(no_mangle)]
static OFFSETS: Offsets = Offsets::from_array([0; Offsets::COUNT]);

#[unsafe(no_mangle)]
static SETTINGS: Settings = Settings {
    agent_pid: 0,
    direct_loads: 0,
    has_task_pt_regs: 0,
    stack_size: 0,
    regs_size: 0,
    cgroup_v1_subsystem: 0,
    open_classes: 0,
    connect_failed: 0,
    open_inode: 0,
    file_span: 0,
    syscall_open: 0,
    syscall_creat: 0,
    syscall_openat2: 0,
    data_bytes: 0,
    inode_size: 0,
    pid_numbers_flexible: 0,
    cpus: 0,
    shared_buffers: 0,
    operations_low: 0,
    operations_high: 0,
    completion_is_entry: 0,
    request_nowait: 0,
    request_multishot: 0,
    request_own_position: 0,
    iterator_plain: 0,
    iterator_vector: 0,
};

/// The value of a member of [`Offsets`], as the agent set it before loading.
///
/// The read is volatile: the compiler must not take the zeros of this file for the values. To the
/// verifier they are constants, since the map behind them is frozen and read-only.
macro_rules! offset {
    ($member:ident) => {
        $crate::kernel::present(
            agent_ebpf::needs::$member,
            $crate::kernel::constant(|offsets, _| &offsets.$member),
        )
    };
}

/// The value of a member of [`Settings`].
macro_rules! setting {
    ($member:ident) => {
        $crate::kernel::constant(|_, settings| &settings.$member)
    };
}

pub(crate) use {offset, setting};

#[inline(always)]
pub(crate) fn constant(
    member: impl FnOnce(&'static Offsets, &'static Settings) -> &'static u32,
) -> u32 {
    // SAFETY: a reference can be read.
    unsafe { core::ptr::read_volatile(member(&OFFSETS, &SETTINGS)) }
}

/// The offset, of which the compiler is told that it is there if it must be: or a test of it would be
/// compiled into each of the hundreds of reads.
#[inline(always)]
pub(crate) fn present(need: Need, offset: u32) -> u32 {
    if need == Need::Required {
        // SAFETY: the agent does not load the programs where such a member is absent.
        unsafe { core::hint::assert_unchecked(offset != ABSENT) };
    }
    offset
}

/// A kernel structure that the verifier knows by its BTF type, so that members can be loaded
/// directly (a fault reads as zero); where the kernel cannot do that, by `bpf_probe_read_kernel`.
#[derive(Clone, Copy)]
pub(crate) struct Typed(*const u8);

impl Typed {
    #[inline(always)]
    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    #[inline(always)]
    fn member<T: Copy + Default>(self, offset: u32) -> T {
        if offset == ABSENT {
            return T::default();
        }
        // SAFETY: the pointer comes from the kernel, the offset from its BTF; the verifier checks
        // both for a direct load, and the helper checks the address for the other.
        unsafe {
            let place = self.0.add(offset as usize).cast::<T>();
            if setting!(direct_loads) == 1 {
                core::ptr::read_volatile(place)
            } else {
                Untyped(place as u64).read(0)
            }
        }
    }

    #[inline(always)]
    pub(crate) fn u32(self, offset: u32) -> u32 {
        self.member(offset)
    }

    #[inline(always)]
    pub(crate) fn u64(self, offset: u32) -> u64 {
        self.member(offset)
    }

    /// The structure that a pointer member points to.
    #[inline(always)]
    pub(crate) fn follow(self, offset: u32) -> Typed {
        if offset == ABSENT {
            return Typed(core::ptr::null());
        }
        // SAFETY: as in `member`. The load has to have the pointer's type, or the verifier would
        // take what it loads for a number.
        unsafe {
            let place = self.0.add(offset as usize).cast::<*const u8>();
            if setting!(direct_loads) == 1 {
                Typed(core::ptr::read_volatile(place))
            } else {
                Typed(Untyped(place as u64).read::<u64>(0) as *const u8)
            }
        }
    }

    /// Forgets the type: from here on by `bpf_probe_read_kernel`.
    #[inline(always)]
    pub(crate) fn untyped(self) -> Untyped {
        Untyped(self.0 as u64)
    }
}

/// An address in the kernel of which the verifier knows nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Untyped(pub(crate) u64);

impl Untyped {
    /// What is at `offset` from here; zeros if it cannot be read.
    #[inline(always)]
    pub(crate) fn read<T: Copy + Default>(self, offset: u32) -> T {
        if offset == ABSENT {
            return T::default();
        }
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: the helper writes `size_of::<T>()` bytes to `value` or, on a fault, zeros; every
        // `T` here is made of integers, for which all bytes are valid.
        unsafe {
            bpf_probe_read_kernel(
                value.as_mut_ptr().cast(),
                size_of::<T>() as u32,
                self.0.wrapping_add(u64::from(offset)) as *const _,
            );
            value.assume_init()
        }
    }

    /// The address that the pointer at `offset` holds.
    #[inline(always)]
    pub(crate) fn follow(self, offset: u32) -> Untyped {
        Untyped(self.read(offset))
    }

    #[inline(always)]
    pub(crate) fn plus(self, offset: u32) -> Untyped {
        Untyped(self.0.wrapping_add(u64::from(offset)))
    }

    #[inline(always)]
    pub(crate) fn is_null(self) -> bool {
        self.0 == 0
    }
}

/// The current task.
#[inline(always)]
pub(crate) fn current_task() -> Typed {
    // SAFETY: both helpers take nothing and always return the current task.
    unsafe {
        if setting!(direct_loads) == 1 {
            Typed(bpf_get_current_task_btf() as *const u8)
        } else {
            Typed(bpf_get_current_task() as *const u8)
        }
    }
}

/// The user's registers as a system call's entry saved them (`struct pt_regs`).
#[derive(Clone, Copy)]
pub(crate) struct Registers(Typed);

impl Registers {
    /// Whether the verifier knows their type: only `bpf_task_pt_regs` returns one, and only of a
    /// task that has its type.
    #[inline(always)]
    fn are_typed() -> bool {
        setting!(has_task_pt_regs) == 1 && setting!(direct_loads) == 1
    }

    #[inline(always)]
    pub(crate) fn u32(self, offset: u32) -> u32 {
        if Self::are_typed() {
            self.0.u32(offset)
        } else {
            self.0.untyped().read(offset)
        }
    }

    #[inline(always)]
    pub(crate) fn u64(self, offset: u32) -> u64 {
        if Self::are_typed() {
            self.0.u64(offset)
        } else {
            self.0.untyped().read(offset)
        }
    }
}

/// The ABI of a system call, which says where its arguments are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abi {
    /// That of 64-bit programs.
    Native,
    /// Another one: [`crate::foreign`] has put number and arguments into the scratch buffer.
    Foreign,
}

/// The arguments of the system call that the current task is in.
#[derive(Clone, Copy)]
pub(crate) enum Arguments {
    Saved(Registers),
    Copied(RecordWriter),
}

impl Arguments {
    /// `writer` is that of the record under construction.
    #[inline(always)]
    pub(crate) fn of(task: Typed, writer: RecordWriter, abi: Abi) -> Self {
        match abi {
            Abi::Native => Self::Saved(user_registers(task)),
            Abi::Foreign => Self::Copied(writer),
        }
    }

    /// The same where no record is under construction yet.
    #[inline(always)]
    pub(crate) fn before_record(task: Typed, abi: Abi) -> Option<Self> {
        match abi {
            Abi::Native => Some(Self::Saved(user_registers(task))),
            Abi::Foreign => RecordWriter::resume().map(Self::Copied),
        }
    }

    /// The argument at this position, from 0 to 5.
    #[inline(always)]
    pub(crate) fn get(self, position: usize) -> u64 {
        match self {
            Self::Saved(registers) => registers.u64(match position {
                0 => offset!(regs_arg0),
                1 => offset!(regs_arg1),
                2 => offset!(regs_arg2),
                3 => offset!(regs_arg3),
                4 => offset!(regs_arg4),
                _ => offset!(regs_arg5),
            }),
            Self::Copied(writer) => writer.foreign_argument(position),
        }
    }
}

/// The user registers saved at the entry of the system call that `task` (the current one) is in.
#[inline(always)]
pub(crate) fn user_registers(task: Typed) -> Registers {
    if Registers::are_typed() {
        // SAFETY: `task` is the current task as `bpf_get_current_task_btf` returned it.
        return Registers(Typed(
            unsafe { bpf_task_pt_regs(task.0 as *mut _) } as *const u8
        ));
    }
    // `task_pt_regs` of x86: the registers are at the very top of the kernel stack.
    let stack = task.untyped().follow(offset!(task_stack));
    let top = stack.plus(setting!(stack_size));
    let registers = top.0.wrapping_sub(u64::from(setting!(regs_size)));
    Registers(Typed(registers as *const u8))
}
