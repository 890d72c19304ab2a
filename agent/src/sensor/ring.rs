//! Reads the rings, merged in the order in which things happened.
//!
//! Exec, fork and exit have a ring of their own, so that a flood of opens cannot push them out. An
//! open must still be judged with the program that its process ran at that moment: not with the one
//! that it ran before, and not with the one that it started right after. So the records of both
//! rings are merged by time: see [`Merge`].
//!
//! Waking a reader costs the watched process more than its record does. While events come, the
//! reader looks at the rings every millisecond and nobody wakes it. After [`QUIET`] without an event
//! it says in a map that it sleeps, and the next record wakes it at once. Rules that ask for the content of
//! executables cannot wait until a program that runs for a moment is gone: for them each exec wakes it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use agent_ebpf::{Header, WAKE_FOR_ANY, WAKE_FOR_EXEC, names};
use aya::Ebpf;
use aya::maps::{Array, Map, MapData, RingBuf};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::time::Timespec;

use super::merge::{Merge, Oldest, Queue};
use super::{Options, SensorError};

/// How often the rings are looked at while events come. Together with the time that a batch takes
/// this is the delay of an alert; the goal is 5 ms.
const INTERVAL: Duration = Duration::from_millis(1);
/// How long without an event until the reader sleeps for good.
const QUIET: Duration = Duration::from_millis(10);
/// Longer than a record takes from looking at the reader's state to being committed.
const SETTLE: Duration = Duration::from_micros(50);
/// A sleeping reader wakes up this often anyway, to do what is due by time.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);
/// Bytes of a record's header up to and including its time.
const TIME_OFFSET: usize = std::mem::offset_of!(Header, time);

/// Ends the reader from another thread.
#[derive(Clone, Debug)]
pub struct StopHandle(Arc<OwnedFd>);

impl StopHandle {
    /// Makes [`Reader::wait`] return [`Wake::Stop`], now and ever after.
    pub fn stop(&self) -> io::Result<()> {
        rustix::io::write(&*self.0, &1_u64.to_ne_bytes())?;
        Ok(())
    }
}

/// Makes the reader return from its waiting, from another thread.
#[derive(Clone, Debug)]
pub struct WakeHandle(Arc<OwnedFd>);

impl WakeHandle {
    /// Makes [`Reader::wait`] return [`Wake::Look`] once.
    pub fn wake(&self) -> io::Result<()> {
        match rustix::io::write(&*self.0, &1_u64.to_ne_bytes()) {
            // A counter that is full wakes as well.
            Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Why [`Reader::wait`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// There may be records.
    Look,
    /// Somebody asked to stop.
    Stop,
}

/// One ring, its next record copied out.
struct Head {
    ring: RingBuf<MapData>,
    record: Vec<u8>,
    filled: bool,
    usage: Arc<Usage>,
}

impl Head {
    fn new(programs: &mut Ebpf, name: &'static str, size: u32) -> Result<Self, SensorError> {
        let usage = Arc::new(Usage::new(programs.map(name), name, size)?);
        let map = programs
            .take_map(name)
            .ok_or(SensorError::Incomplete(name))?;
        let ring =
            RingBuf::try_from(map).map_err(|source| SensorError::Map { map: name, source })?;
        Ok(Self {
            ring,
            record: Vec::with_capacity(agent_ebpf::MAX_RECORD),
            filled: false,
            usage,
        })
    }
}

impl Queue for Head {
    fn fill(&mut self) -> bool {
        if self.filled {
            return true;
        }
        if let Some(item) = self.ring.next() {
            self.record.clear();
            self.record.extend_from_slice(&item);
            self.filled = true;
        }
        self.filled
    }

    fn is_busy(&self) -> bool {
        self.usage.used() > 0
    }

    /// When the held record was made. A record too short to say comes first and is judged by the
    /// decoder.
    fn time(&self) -> u64 {
        let time = self
            .record
            .get(TIME_OFFSET..)
            .and_then(<[u8]>::first_chunk::<8>);
        time.map_or(0, |bytes| u64::from_ne_bytes(*bytes))
    }
}

/// The reading end of both rings.
pub struct Reader {
    process: Head,
    event: Head,
    asleep: Array<MapData, u32>,
    stop: Arc<OwnedFd>,
    exec_at_once: bool,
    wake: Arc<OwnedFd>,
    last_record: Instant,
    merge: Merge,
}

impl Reader {
    pub(super) fn new(programs: &mut Ebpf, options: &Options) -> Result<Self, SensorError> {
        let asleep = programs
            .take_map(names::READER_ASLEEP)
            .ok_or(SensorError::Incomplete(names::READER_ASLEEP))?;
        let asleep = Array::try_from(asleep).map_err(|source| SensorError::Map {
            map: names::READER_ASLEEP,
            source,
        })?;
        let descriptor = || {
            eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
                .map_err(|error| SensorError::Reader(error.into()))
        };
        Ok(Self {
            process: Head::new(programs, names::PROCESS_RING, options.process_ring_bytes)?,
            event: Head::new(programs, names::EVENT_RING, options.event_ring_bytes)?,
            asleep,
            stop: Arc::new(descriptor()?),
            exec_at_once: options.wanted.exec_at_once,
            wake: Arc::new(descriptor()?),
            last_record: Instant::now(),
            merge: Merge::default(),
        })
    }

    /// What ends [`Self::wait`].
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(Arc::clone(&self.stop))
    }

    /// What makes [`Self::wait`] return early.
    pub fn wake_handle(&self) -> WakeHandle {
        WakeHandle(Arc::clone(&self.wake))
    }

    /// Whether somebody asked to stop.
    pub fn is_stopped(&self) -> bool {
        let mut watched = [PollFd::new(&*self.stop, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut watched, Some(&now)).is_ok_and(|ready| ready > 0)
    }

    /// How full the rings are, for another thread to ask.
    pub fn usage(&self) -> RingUsage {
        RingUsage {
            process: Arc::clone(&self.process.usage),
            event: Arc::clone(&self.event.usage),
        }
    }

    /// The oldest record that is waiting, or `None` if both rings are empty.
    pub fn next_record(&mut self) -> Option<&[u8]> {
        let head = match self.merge.next(&mut self.process, &mut self.event)? {
            Oldest::First => &mut self.process,
            Oldest::Second => &mut self.event,
        };
        head.filled = false;
        Some(&head.record)
    }

    /// Records that may have been handed out before an older one.
    pub fn unordered(&self) -> u64 {
        self.merge.unordered()
    }

    /// Waits until it is worth to look again. `progress` says whether the last look found anything.
    pub fn wait(&mut self, progress: bool) -> io::Result<Wake> {
        let now = Instant::now();
        if progress {
            self.last_record = now;
        }
        if now.duration_since(self.last_record) < QUIET {
            if !self.exec_at_once {
                return self.poll(false, INTERVAL);
            }
            // An exec that is just being recorded may miss the wish; then it waits for its turn.
            self.set_asleep(WAKE_FOR_EXEC)?;
            let wake = self.poll(true, INTERVAL)?;
            self.set_asleep(0)?;
            return Ok(wake);
        }
        self.set_asleep(WAKE_FOR_ANY)?;
        std::thread::sleep(SETTLE);
        let wake = self.poll(true, LONGEST_SLEEP)?;
        self.set_asleep(0)?;
        Ok(wake)
    }

    fn set_asleep(&mut self, asleep: u32) -> io::Result<()> {
        self.asleep.set(0, asleep, 0).map_err(io::Error::other)
    }

    fn poll(&self, rings: bool, timeout: Duration) -> io::Result<Wake> {
        let mut watched = vec![
            PollFd::new(&*self.stop, PollFlags::IN),
            PollFd::new(&*self.wake, PollFlags::IN),
        ];
        if rings {
            for head in [&self.process, &self.event] {
                // SAFETY: the ring owns the descriptor and outlives this call.
                let ring = unsafe { BorrowedFd::borrow_raw(head.ring.as_raw_fd()) };
                watched.push(PollFd::from_borrowed_fd(ring, PollFlags::IN));
            }
        }
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        match poll(&mut watched, Some(&timeout)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Wake::Look),
            Err(error) => return Err(error.into()),
        }
        let stop = watched[0].revents().contains(PollFlags::IN);
        if watched[1].revents().contains(PollFlags::IN) {
            let mut count = [0; 8];
            match rustix::io::read(&*self.wake, &mut count) {
                // Somebody else cannot have read it, but that would be no harm.
                Ok(_) | Err(rustix::io::Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(if stop { Wake::Stop } else { Wake::Look })
    }
}

/// How full the rings are.
#[derive(Clone, Debug)]
pub struct RingUsage {
    process: Arc<Usage>,
    event: Arc<Usage>,
}

impl RingUsage {
    /// Name, bytes in use and bytes of each ring.
    pub fn rings(&self) -> [(&'static str, u64, u64); 2] {
        let of = |usage: &Usage| (usage.used(), u64::from(usage.size));
        let (process, event) = (of(&self.process), of(&self.event));
        [
            ("process", process.0, process.1),
            ("event", event.0, event.1),
        ]
    }
}

/// The two pages in which a ring keeps its positions (kernel/bpf/ringbuf.c): consumer, producer.
#[derive(Debug)]
struct Usage {
    pages: NonNull<AtomicU64>,
    page_size: usize,
    size: u32,
}

// SAFETY: the mapping is read-only, only read atomically, and unmapped once.
unsafe impl Send for Usage {}
// SAFETY: as above.
unsafe impl Sync for Usage {}

impl Usage {
    fn new(map: Option<&Map>, name: &'static str, size: u32) -> Result<Self, SensorError> {
        let Some(Map::RingBuf(data)) = map else {
            return Err(SensorError::Incomplete(name));
        };
        let page_size = rustix::param::page_size();
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let pages = unsafe {
            mmap(
                std::ptr::null_mut(),
                2 * page_size,
                ProtFlags::READ,
                MapFlags::SHARED,
                data.fd().as_fd(),
                0,
            )
        }
        .map_err(|error| SensorError::Reader(error.into()))?;
        let pages = NonNull::new(pages.cast())
            .ok_or_else(|| SensorError::Reader(io::ErrorKind::AddrNotAvailable.into()))?;
        Ok(Self {
            pages,
            page_size,
            size,
        })
    }

    fn used(&self) -> u64 {
        // SAFETY: both positions are inside of the two mapped pages, which live as long as `self`.
        let (consumer, producer) = unsafe {
            let start = self.pages.as_ptr();
            let producer = start.byte_add(self.page_size);
            (
                (*start).load(Ordering::Acquire),
                (*producer).load(Ordering::Acquire),
            )
        };
        producer.saturating_sub(consumer)
    }
}

impl Drop for Usage {
    fn drop(&mut self) {
        // SAFETY: the two pages were mapped by `new` and nothing else refers to them.
        if let Err(error) = unsafe { munmap(self.pages.as_ptr().cast(), 2 * self.page_size) } {
            tracing::warn!(%error, "cannot unmap the positions of a ring");
        }
    }
}
