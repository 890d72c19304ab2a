//! The kernel's side of the agent: loads the eBPF programs that the rules need, attaches them, and
//! reads what they record.

mod btf;
mod called;
mod cpus;
mod foreign;
mod function;
mod io_uring;
mod kernel;
mod merge;
mod native;
mod own_process;
mod privilege;
mod probe;
mod ring;
mod security_hook;
mod skipped;
mod tracefs;

use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use agent_ebpf::{
    Capture, DROP_COUNTERS, DROP_MESSAGES, DROP_OPERATIONS, DROP_SCRATCH_BUSY, DROP_USED, MAX_DATA,
    RecordKind, Settings, names,
};
use aya::maps::{Array, MapData, PerCpuArray};
use aya::programs::{ProgramError, ProgramInfo, RawTracePoint, TracePoint};
use aya::{Ebpf, EbpfError, EbpfLoader};
use thiserror::Error;
use tracing::{debug, info, warn};

pub use btf::{Btf, BtfError};
pub use foreign::runs_other_abis;
pub use kernel::{Kernel, KernelError};
pub use own_process::own_pid;
pub use privilege::PrivilegeError;
pub use probe::{Hook, Probe, Wanted};
pub use ring::{Reader, RingUsage, StopHandle, Wake, WakeHandle};
use skipped::Attached;
pub use tracefs::TracefsError;

use called::CalledPrograms;
use native::NativePrograms;

use crate::event::Pid;
use crate::heap;
use probe::AT_EVERY_EXIT;

/// The programs, built for the BPF target by the build script.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/peregrine-ebpf"));

/// The programs for kernels without `bpf_loop`.
static BOUNDED_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/peregrine-ebpf-bounded"));

/// Why the sensor could not start.
#[derive(Debug, Error)]
pub enum SensorError {
    /// A capability is missing.
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
    /// The kernel lacks something.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The tracepoints of system calls cannot be found.
    #[error(transparent)]
    Tracefs(#[from] TracefsError),
    /// The object could not be loaded.
    #[error("cannot load the eBPF programs: {}", chain(.0))]
    Load(#[source] EbpfError),
    /// The tracepoints of `io_uring` are others than those known.
    #[error("this kernel has other tracepoints for io_uring than Linux 6.0 and newer")]
    IoUringTracepoints,
    /// The functions of the kernel could not be described to the loader.
    #[error("cannot describe the kernel's functions to the loader: {0}")]
    FunctionTypes(#[source] aya::BtfError),
    /// The kernel refused a program.
    #[error("the kernel refuses the eBPF program {program}: {}", chain(.source))]
    Refused {
        /// Its name.
        program: &'static str,
        /// Why, with the verifier's log.
        source: ProgramError,
    },
    /// A program could not be attached.
    #[error("cannot attach to {hook}: {}", chain(.source))]
    Attach {
        /// Where.
        hook: String,
        /// Why.
        source: ProgramError,
    },
    /// The object lacks a map or program: it was built from other sources than the agent.
    #[error("the eBPF object has no {0}: it does not belong to this agent")]
    Incomplete(&'static str),
    /// A map could not be used.
    #[error("cannot use the map {map}: {source}")]
    Map {
        /// Its name.
        map: &'static str,
        /// Why.
        source: aya::maps::MapError,
    },
    /// A system call that reading the rings needs failed.
    #[error("cannot set up reading of the rings: {0}")]
    Reader(#[source] io::Error),
    /// The kernel does not tell how often it left out a program.
    #[error("cannot ask the kernel about a program: {0}")]
    Skipped(#[source] io::Error),
}

/// An error with all its causes, since those of aya are where the reason stands.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

/// What the sensor can be told.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Size of the ring for exec, fork, exit and cgroups: a power of two and of pages.
    pub process_ring_bytes: u32,
    /// Size of the ring for everything else.
    pub event_ring_bytes: u32,
    /// Bytes of the data that a call moves to be recorded, for `evt.buffer`.
    pub data_bytes: u32,
    /// What the rules want.
    pub wanted: Wanted,
    /// The agent's own process, in the host's pid namespace, to be left out; `None` to watch it too.
    pub leave_out: Option<Pid>,
    /// Read kernel structures through helpers and find registers on the stack even where better
    /// ways exist: what kernels before 5.15 get, to be tested on newer ones.
    pub oldest_ways: bool,
}

/// The loaded and attached programs. Dropping it detaches them.
pub struct Sensor {
    /// Holds the links: programs are detached when it is dropped.
    _programs: Ebpf,
    _called: CalledPrograms,
    _native: NativePrograms,
    /// What was attached.
    attached: Vec<Probe>,
    drops: DropCounters,
}

/// Records lost in the kernel since the start, one number a cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelDrops {
    counters: [u64; DROP_COUNTERS as usize],
    /// Times that the kernel left out a program of processes, and another one.
    skipped: [u64; 2],
}

impl KernelDrops {
    /// How many records of exec, fork and exit were lost.
    pub fn of_processes(&self) -> u64 {
        [RecordKind::Exec, RecordKind::Fork, RecordKind::Exit]
            .into_iter()
            .map(|kind| self.counters[kind as usize])
            .sum::<u64>()
            + self.counters[DROP_SCRATCH_BUSY as usize]
            + self.skipped[0]
    }

    /// How many records were lost. The messages of a call beyond those that are recorded are not among them: the call
    /// itself is an event, and many programs make such calls.
    pub fn of_events(&self) -> u64 {
        let all: u64 = self.counters.iter().sum();
        all - self.counters[DROP_MESSAGES as usize] + self.skipped.iter().sum::<u64>()
    }

    /// Sets one counter, for tests of those who read them.
    #[cfg(test)]
    pub(crate) fn set(&mut self, cause: u32, count: u64) {
        self.counters[cause as usize] = count;
    }

    /// Cause and number, for every cause there is.
    pub fn by_cause(&self) -> impl Iterator<Item = (String, u64)> {
        let full = RecordKind::ALL.into_iter().map(|kind| {
            (
                format!("ring_full_{}", kind.name()),
                self.counters[kind as usize],
            )
        });
        let busy = self.counters[DROP_SCRATCH_BUSY as usize];
        let messages = self.counters[DROP_MESSAGES as usize];
        let operations = self.counters[DROP_OPERATIONS as usize];
        let used = self.counters[DROP_USED as usize];
        full.chain([
            ("scratch_busy".to_owned(), busy),
            ("messages_beyond_the_eighth".to_owned(), messages),
            ("io_uring_operations_forgotten".to_owned(), operations),
            ("used_by_call_not_noted".to_owned(), used),
            ("program_skipped".to_owned(), self.skipped.iter().sum()),
        ])
    }
}

impl Sensor {
    /// Loads and attaches what is wanted. On an error nothing stays attached.
    pub fn start(options: &Options) -> Result<(Self, Reader), SensorError> {
        privilege::check()?;
        let kernel = Kernel::detect()?;
        let mut probes = options.wanted.probes();
        if let Some(by_one_program) = native::by_one_program(&probes) {
            match Self::start_with(&kernel, options, by_one_program.clone()) {
                Err(error) if native::is_of_them(&error) => {
                    warn!(
                        %error,
                        "no program can be attached to the exit of all system calls: each call that rules ask for gets its own tracepoint, and calls of 32-bit programs are not seen"
                    );
                    probes.retain(|probe| *probe != AT_EVERY_EXIT);
                }
                outcome => {
                    tracefs::tell_missing(&by_one_program);
                    return outcome;
                }
            }
        }
        tracefs::retain_existing(&mut probes)?;
        Self::start_with(&kernel, options, probes)
    }

    /// Loads and attaches these programs, in the ways that the kernel has.
    fn start_with(
        kernel: &Kernel,
        options: &Options,
        mut probes: Vec<Probe>,
    ) -> Result<(Self, Reader), SensorError> {
        let mut settings = settings(kernel, options)?;
        let has_loop = kernel.has_loop && !options.oldest_ways;
        let object = if has_loop { OBJECT } else { BOUNDED_OBJECT };
        io_uring::retain_possible(kernel, has_loop, &mut probes);
        security_hook::retain_existing(kernel, &mut probes);
        [settings.operations_low, settings.operations_high] = io_uring::operations(&probes);
        match Self::load(kernel, object, settings, options, probes.clone()) {
            // Kernels differ in which pointers they let a program follow. What the helper reads
            // is the same, only slower.
            Err(SensorError::Refused { program, source }) if settings.direct_loads == 1 => {
                info!(
                    program,
                    "the kernel refuses direct loads; reading through a helper instead"
                );
                debug!(%source, "refused");
                io_uring::retain_possible(kernel, false, &mut probes);
                Self::load(
                    kernel,
                    BOUNDED_OBJECT,
                    Settings {
                        direct_loads: 0,
                        has_task_pt_regs: 0,
                        ..settings
                    },
                    options,
                    probes,
                )
            }
            outcome => outcome,
        }
    }

    fn load(
        kernel: &Kernel,
        object: &[u8],
        mut settings: Settings,
        options: &Options,
        mut probes: Vec<Probe>,
    ) -> Result<(Self, Reader), SensorError> {
        debug!(
            direct_loads = settings.direct_loads,
            has_task_pt_regs = settings.has_task_pt_regs,
            has_loop = std::ptr::eq(object, OBJECT),
            "loading the programs"
        );
        let offsets = kernel.offsets.to_array();
        if probes.iter().any(function::is_function) {
            settings.shared_buffers = settings.cpus.clamp(
                agent_ebpf::MIN_SHARED_BUFFERS,
                agent_ebpf::MAX_SHARED_BUFFERS,
            );
        }
        let operations = if probes.iter().any(io_uring::is_operation) {
            io_uring::OPERATIONS
        } else {
            1
        };
        let (short_notes, multishots) = if io_uring::are_noted_shortly(&probes) {
            (io_uring::SHORT_NOTES, io_uring::MULTISHOTS)
        } else {
            (1, 1)
        };
        let [used_paths, destinations] = security_hook::table_sizes(&probes);
        let buffers = settings.cpus + settings.shared_buffers;
        let settings = settings.to_array();
        let mut programs = EbpfLoader::new()
            // No program relocates against BTF, and none is BTF-typed: no need to parse it again.
            .btf(None)
            .override_global(names::OFFSETS, &offsets[..], true)
            .override_global(names::SETTINGS, &settings[..], true)
            .map_max_entries(names::PROCESS_RING, options.process_ring_bytes)
            .map_max_entries(names::EVENT_RING, options.event_ring_bytes)
            .map_max_entries(names::SCRATCH, buffers)
            .map_max_entries(names::OPERATIONS, operations)
            .map_max_entries(names::SHORT_NOTES, short_notes)
            .map_max_entries(names::MULTISHOTS, multishots)
            .map_max_entries(names::USED_PATHS, used_paths)
            .map_max_entries(names::DESTINATIONS, destinations)
            .load(object)
            .map_err(SensorError::Load)?;
        // The loader reads all of the kernel's types, needed or not. Now, and not only once all is
        // ready, since the rings are mapped next.
        heap::give_back();

        // All are loaded before any is attached: a refusal leaves no trace.
        for probe in &probes {
            let program = programs
                .program_mut(probe.program)
                .ok_or(SensorError::Incomplete(probe.program))?;
            let refused = |source| SensorError::Refused {
                program: probe.program,
                source,
            };
            match probe.hook {
                Hook::RawTracepoint(_) => {
                    let program: &mut RawTracePoint = program.try_into().map_err(refused)?;
                    program.load().map_err(refused)?;
                    tell_cost(probe.program, program.info());
                }
                Hook::SyscallExit(_) => {
                    let program: &mut TracePoint = program.try_into().map_err(refused)?;
                    if program.fd().is_err() {
                        program.load().map_err(refused)?;
                        tell_cost(probe.program, program.info());
                    }
                }
                Hook::CalledExit(_) | Hook::FunctionEntry(_) | Hook::FunctionExit(_) => {}
            }
        }
        let native = NativePrograms::load(&mut programs, &probes)?;
        let mut called = CalledPrograms::take(&mut programs)?;
        if probes.iter().any(function::is_function) {
            let types = function::types(kernel)?;
            io_uring::load(&mut programs, &mut called, kernel, &types, &mut probes)?;
            security_hook::load(&mut programs, &types, &mut probes)?;
        }
        // It described the kernel's functions to the loader.
        heap::give_back();
        let reader = Reader::new(&mut programs, options)?;
        // Before the exits of calls, which take what the hooks note.
        security_hook::attach(&mut programs, &mut probes)?;
        set_captures(&mut programs, &options.wanted, &probes)?;
        let has_foreign = probes.iter().any(|probe| probe.program == names::SYS_EXIT);
        if has_foreign && options.wanted.other_abis {
            foreign::set(&mut programs, &mut called, &options.wanted)?;
        }
        // The process events come first, so that nothing done by an unknown process is seen.
        for probe in &probes {
            let program = programs
                .program_mut(probe.program)
                .ok_or(SensorError::Incomplete(probe.program))?;
            let failed = |source| SensorError::Attach {
                hook: probe.to_string(),
                source,
            };
            match probe.hook {
                Hook::RawTracepoint(name) => {
                    let program: &mut RawTracePoint = program.try_into().map_err(failed)?;
                    program.attach(name).map_err(failed)?;
                }
                Hook::SyscallExit(call) => {
                    let program: &mut TracePoint = program.try_into().map_err(failed)?;
                    program
                        .attach("syscalls", &format!("sys_exit_{}", call.name))
                        .map_err(failed)?;
                }
                Hook::CalledExit(_) | Hook::FunctionEntry(_) | Hook::FunctionExit(_) => {}
            }
        }
        let operations: Vec<Probe> = probes
            .iter()
            .copied()
            .filter(io_uring::is_operation)
            .collect();
        function::attach(&mut programs, &operations)?;
        let attached = attached(&programs, &probes)?;
        let drops = programs
            .take_map(names::DROPS)
            .ok_or(SensorError::Incomplete(names::DROPS))
            .and_then(|map| {
                PerCpuArray::try_from(map).map_err(|source| SensorError::Map {
                    map: names::DROPS,
                    source,
                })
            })?;
        Ok((
            Self {
                _programs: programs,
                _called: called,
                _native: native,
                attached: probes,
                drops: DropCounters(Arc::new((drops, attached))),
            },
            reader,
        ))
    }

    /// The attached programs.
    pub fn attached(&self) -> &[Probe] {
        &self.attached
    }

    /// What counts the records lost in the kernel; it may outlive the sensor.
    pub fn drop_counters(&self) -> DropCounters {
        self.drops.clone()
    }
}

/// Logs how many instructions the verifier walked, of the 1,000,000 that it does at most. Kernels
/// before 5.16 do not tell.
fn tell_cost(program: &'static str, info: Result<ProgramInfo, ProgramError>) {
    match info.map(|info| info.verified_instruction_count()) {
        Ok(Some(verified_instructions)) => debug!(program, verified_instructions, "verified"),
        Ok(None) => debug!(program, "verified"),
        Err(error) => debug!(program, %error, "verified; the kernel tells no more of it"),
    }
}

/// Counts the records lost in the kernel.
#[derive(Clone)]
pub struct DropCounters(Arc<(PerCpuArray<MapData, u64>, Vec<Attached>)>);

impl DropCounters {
    /// What was lost so far.
    pub fn read(&self) -> Result<KernelDrops, SensorError> {
        let (map, programs) = &*self.0;
        let mut drops = KernelDrops::default();
        for program in programs {
            let skipped = program.skipped().map_err(SensorError::Skipped)?;
            drops.skipped[usize::from(!program.of_processes)] += skipped;
        }
        for (index, counter) in (0..).zip(&mut drops.counters) {
            let per_cpu = map.get(&index, 0).map_err(|source| SensorError::Map {
                map: names::DROPS,
                source,
            })?;
            *counter = per_cpu.iter().sum();
        }
        Ok(drops)
    }
}

/// Each attached program once.
fn attached(programs: &Ebpf, probes: &[Probe]) -> Result<Vec<Attached>, SensorError> {
    let mut wanted: Vec<&str> = probes.iter().map(|probe| probe.program).collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted
        .into_iter()
        .filter_map(|name| Some((name, programs.program(name)?)))
        .map(|(name, program)| {
            let of_processes = probe::keeps_processes(name);
            let descriptor = program.fd().map_err(|source| SensorError::Attach {
                hook: name.to_owned(),
                source,
            })?;
            Attached::new(of_processes, descriptor.as_fd()).map_err(SensorError::Skipped)
        })
        .collect()
}

/// Tells the programs what to take down of each system call.
fn set_captures(programs: &mut Ebpf, wanted: &Wanted, probes: &[Probe]) -> Result<(), SensorError> {
    let map = names::CAPTURES;
    let failed = |source| SensorError::Map { map, source };
    let captures = programs.map_mut(map).ok_or(SensorError::Incomplete(map))?;
    let mut captures: Array<_, CaptureBytes> = captures.try_into().map_err(failed)?;
    for (syscall, capture) in wanted.captures(probes) {
        captures
            .set(syscall, CaptureBytes(capture), 0)
            .map_err(failed)?;
    }
    Ok(())
}

/// A [`Capture`] as the value of a map.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct CaptureBytes(Capture);

// SAFETY: a capture is made of bytes, without padding.
unsafe impl aya::Pod for CaptureBytes {}

fn settings(kernel: &Kernel, options: &Options) -> Result<Settings, SensorError> {
    let cpus = if let Some(cells) = cpus::cells() {
        cells
    } else {
        let cpus = aya::util::nr_cpus().map_err(|(_, source)| SensorError::Reader(source))?;
        u32::try_from(cpus).unwrap_or(u32::MAX)
    };
    let direct = !options.oldest_ways && kernel.has_current_task_btf;
    let registers = direct && kernel.has_task_pt_regs;
    Ok(Settings {
        agent_pid: options.leave_out.map_or(0, |pid| pid.0),
        direct_loads: u32::from(direct),
        has_task_pt_regs: u32::from(registers),
        // `THREAD_SIZE` of x86-64 without KASAN.
        stack_size: 16 * 1024,
        regs_size: kernel.regs_size,
        inode_size: kernel.inode_size,
        pid_numbers_flexible: u32::from(kernel.pid_size <= kernel.offsets.pid_numbers),
        cgroup_v1_subsystem: kernel.cgroup_v1_subsystem,
        open_classes: options.wanted.open_classes(),
        connect_failed: u32::from(
            options
                .wanted
                .failures
                .contains(crate::event::EventType::CONNECT),
        ),
        open_inode: u32::from(options.wanted.open_inode),
        file_span: kernel.file_span,
        syscall_open: syscall_number(libc::SYS_open),
        syscall_creat: syscall_number(libc::SYS_creat),
        syscall_openat2: syscall_number(libc::SYS_openat2),
        data_bytes: options.data_bytes.min(MAX_DATA - 1),
        shared_buffers: 0,
        operations_low: 0,
        operations_high: 0,
        completion_is_entry: u32::from(
            kernel
                .io_uring_tracepoints
                .is_some_and(|tracepoints| tracepoints.completion_is_entry),
        ),
        request_nowait: kernel.request_flags[0],
        request_multishot: kernel.request_flags[1],
        request_own_position: kernel.request_flags[2],
        iterator_plain: kernel.iterator_types[0],
        iterator_vector: kernel.iterator_types[1],
        cpus,
    })
}

fn syscall_number(number: libc::c_long) -> u32 {
    u32::try_from(number).unwrap_or(agent_ebpf::ABSENT)
}
