//! SHA-256 of the files that processes run.
//!
//! A hash is computed when a rule or an output asks for it. The file may be large, or on a file system
//! that never answers, so threads beside the matching thread read it, and are waited for only so long;
//! what they find late is there for the next event. What is hashed is checked to be the file that was
//! run: a path alone could lead to another by now.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use rustix::fs::{
    FileType, Mode, OFlags, ResolveFlags, Stat, StatxFlags, fstat, open, openat2, statx,
};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::process::Process;
use crate::event::{ExecutableFile, Pid};

/// Larger files are not hashed.
const LARGEST: u64 = 256 * 1024 * 1024;
/// How long the matching thread waits for a hash that is not known yet.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long it waits for all hashes together in each [`WINDOW`]: who starts one large program after the
/// other must not stop it.
const BUDGET: Duration = Duration::from_millis(500);
const WINDOW: Duration = Duration::from_secs(1);
/// Files that are read at the same time; while so many take their time, others are not begun.
const MOST_READERS: usize = 4;
/// Hashes that are remembered.
const REMEMBERED: usize = 4096;
/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// Why there is no hash.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NoHash {
    /// Nothing is known of the file.
    #[error("the executable's file is not known: its start was not seen")]
    UnknownFile,
    /// Neither the process nor its path leads to the file any more.
    #[error("the process is gone, and its path does not lead to the file that it ran")]
    Gone,
    /// The file was written to while it was read.
    #[error("the file changed while it was read")]
    Changed,
    /// It is larger than what is hashed.
    #[error("the file is larger than {} MiB", LARGEST / (1024 * 1024))]
    TooLarge,
    /// The agent may not open it, or it could not be read to its end.
    #[error(
        "the file cannot be read: the agent lacks CAP_SYS_PTRACE or CAP_DAC_READ_SEARCH, or the disk fails"
    )]
    Unreadable,
    /// Reading takes longer than an event can wait.
    #[error("the file could not be read in time")]
    Late,
}

/// A hash in hexadecimal digits.
pub type HashText = [u8; 64];

/// The content of a file, for as long as nobody changes it: a change, even one that sets the time of the
/// content back, changes the time of the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Identity {
    device: u32,
    inode: u64,
    mtime_ns: u64,
    ctime_ns: u64,
}

/// The hashes that are known, and the threads that are computing others.
#[derive(Debug)]
pub struct ExecutableHashes {
    host_root: PathBuf,
    patience: Duration,
    inner: RefCell<Inner>,
}

#[derive(Debug)]
struct Inner {
    known: HashMap<Identity, Result<HashText, NoHash>, RandomState>,
    /// What is known, oldest first.
    order: VecDeque<Identity>,
    /// What threads are reading.
    reading: Vec<Identity>,
    sender: Sender<(Identity, Result<HashText, NoHash>)>,
    answers: Receiver<(Identity, Result<HashText, NoHash>)>,
    misses: u64,
    /// When the window began in which `waited` is counted.
    window: Instant,
    waited: Duration,
    budget: Duration,
}

impl ExecutableHashes {
    /// None known; `host_root` is the host's root directory: `/`, or where that is mounted.
    pub fn new(host_root: PathBuf) -> Self {
        let (sender, answers) = channel();
        Self {
            host_root,
            patience: PATIENCE,
            inner: RefCell::new(Inner {
                known: HashMap::default(),
                order: VecDeque::new(),
                reading: Vec::new(),
                sender,
                answers,
                misses: 0,
                window: Instant::now(),
                waited: Duration::ZERO,
                budget: BUDGET,
            }),
        }
    }

    /// The hash of what a process runs. `relatives` are processes that see the same files, for the case
    /// that it is gone.
    pub fn of<'p>(
        &self,
        process: &Process,
        relatives: impl Iterator<Item = &'p Process>,
    ) -> Result<HashText, NoHash> {
        let mut inner = self.inner.borrow_mut();
        let found = match &process.program.file {
            Some(file) if file.inode != 0 => inner.find(Identity::of(file), self.patience, || {
                let path = process.program.exe_path.as_deref();
                Search {
                    host_root: self.host_root.clone(),
                    process: process.key.pid,
                    relatives: relatives.map(|relative| relative.key.pid).collect(),
                    path: path.map(|path| path.to_vec()).unwrap_or_default(),
                }
            }),
            _ => Err(NoHash::UnknownFile),
        };
        inner.misses += u64::from(found.is_err());
        found
    }

    /// How often there was no hash.
    pub fn misses(&self) -> u64 {
        self.inner.borrow().misses
    }
}

impl Inner {
    fn find(
        &mut self,
        wanted: Identity,
        patience: Duration,
        search: impl FnOnce() -> Search,
    ) -> Result<HashText, NoHash> {
        while let Ok((identity, outcome)) = self.answers.try_recv() {
            self.note(identity, outcome);
        }
        if let Some(known) = self.known.get(&wanted) {
            return *known;
        }
        if self.reading.contains(&wanted) || self.reading.len() >= MOST_READERS {
            return Err(NoHash::Late);
        }
        let (search, sender) = (search(), self.sender.clone());
        let started = thread::Builder::new()
            .name("executable-hash".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || {
                // Nobody waits any more only when the agent ends.
                let _ended = sender.send((wanted, search.hash(&wanted)));
            });
        if let Err(problem) = started {
            tracing::warn!(%problem, "cannot start a thread to hash an executable");
            return Err(NoHash::Late);
        }
        self.reading.push(wanted);
        let start = Instant::now();
        if start.duration_since(self.window) >= WINDOW {
            self.window = start;
            self.waited = Duration::ZERO;
        }
        let patience = patience.min(self.budget.saturating_sub(self.waited));
        let outcome = self.wait_for(wanted, start + patience);
        self.waited += start.elapsed();
        outcome
    }

    fn wait_for(&mut self, wanted: Identity, deadline: Instant) -> Result<HashText, NoHash> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok((identity, outcome)) = self.answers.recv_timeout(left) else {
                return Err(NoHash::Late);
            };
            self.note(identity, outcome);
            if identity == wanted {
                return outcome;
            }
        }
    }

    fn note(&mut self, identity: Identity, outcome: Result<HashText, NoHash>) {
        self.reading.retain(|other| *other != identity);
        match outcome {
            Ok(_) | Err(NoHash::TooLarge) => {}
            // Another process that runs it may be there next time.
            Err(_) => return,
        }
        if self.known.insert(identity, outcome).is_none() {
            self.order.push_back(identity);
        }
        while self.known.len() > REMEMBERED {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            self.known.remove(&oldest);
        }
    }
}

impl Identity {
    fn of(file: &ExecutableFile) -> Self {
        Self {
            device: file.device,
            inode: file.inode,
            mtime_ns: file.mtime_ns,
            ctime_ns: file.ctime_ns,
        }
    }

    fn of_stat(stat: &Stat) -> Self {
        let nanoseconds = |seconds: i64, rest: u64| {
            u64::try_from(seconds)
                .unwrap_or(0)
                .saturating_mul(1_000_000_000)
                .saturating_add(rest)
        };
        Self {
            device: super::proc_reader::kernel_device(stat.st_dev),
            inode: stat.st_ino,
            mtime_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
            ctime_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Whether both are one content. A file may be unlinked or renamed while it runs, which changes
    /// the time of its status; it cannot be written to.
    fn is_running(&self, other: &Self) -> bool {
        (self.device, self.inode, self.mtime_ns) == (other.device, other.inode, other.mtime_ns)
    }
}

/// Where the file may be found.
#[derive(Debug)]
struct Search {
    host_root: PathBuf,
    process: Pid,
    relatives: Vec<Pid>,
    path: Vec<u8>,
}

impl Search {
    fn hash(&self, wanted: &Identity) -> Result<HashText, NoHash> {
        hash(&self.find(wanted)?)
    }

    /// The file, verified.
    fn find(&self, wanted: &Identity) -> Result<File, NoHash> {
        let running = self.host_root.join(format!("proc/{}/exe", self.process));
        let mut problem = match open_verified(&running, |found| wanted.is_running(found)) {
            Err(problem) => problem,
            found => return found,
        };
        if self.path.first() != Some(&b'/') {
            return Err(problem);
        }
        let relatives = self.relatives.iter();
        let roots = relatives.map(|pid| self.host_root.join(format!("proc/{pid}/root")));
        for root in roots.chain([self.host_root.clone()]) {
            match open_below(&root, &self.path, wanted) {
                // That the process is gone says less than that its file is there and closed to us.
                Err(NoHash::Gone) => {}
                Err(other) => problem = other,
                found => return found,
            }
        }
        Err(problem)
    }
}

/// Opens what a link of procfs stands for.
fn open_verified(link: &Path, is_wanted: impl Fn(&Identity) -> bool) -> Result<File, NoHash> {
    // Not to be read yet: to open a device or a pipe does something to it.
    let file = open(link, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let file = file.map_err(|error| match error {
        Errno::ACCESS | Errno::PERM => NoHash::Unreadable,
        _ => NoHash::Gone,
    })?;
    reopen(&file, is_wanted)
}

/// Opens a path below a root directory, if it still leads to the file.
fn open_below(root: &Path, path: &[u8], wanted: &Identity) -> Result<File, NoHash> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let root = open(root, flags | OFlags::DIRECTORY, Mode::empty());
    let root = root.map_err(|_| NoHash::Gone)?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = openat2(root, path, flags, Mode::empty(), resolve);
    let file = file.map_err(|_| NoHash::Gone)?;
    reopen(&file, |found| found == wanted)
}

/// Opens a file for reading that was opened without.
fn reopen(file: &OwnedFd, is_wanted: impl Fn(&Identity) -> bool) -> Result<File, NoHash> {
    let stat = fstat(file).map_err(|_| NoHash::Gone)?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if !is_file || !is_wanted(&Identity::of_stat(&stat)) {
        return Err(NoHash::Gone);
    }
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let opened = open(path, flags, Mode::empty());
    opened.map(File::from).map_err(|_| NoHash::Unreadable)
}

fn hash(mut file: &File) -> Result<HashText, NoHash> {
    let before = content(file)?;
    if before.size > LARGEST {
        return Err(NoHash::TooLarge);
    }
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut read: u64 = 0;
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => {
                read += count as u64;
                if read > LARGEST {
                    return Err(NoHash::TooLarge);
                }
                hasher.update(chunk.get(..count).unwrap_or_default());
            }
            Err(problem) if problem.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Err(NoHash::Unreadable),
        }
    }
    if content(file)? != before || read != before.size {
        return Err(NoHash::Changed);
    }
    Ok(hexadecimal(hasher.finalize().as_slice()))
}

/// What changes with a file's content.
#[derive(PartialEq, Eq)]
struct Content {
    size: u64,
    mtime: (i64, u32),
}

fn content(file: impl AsFd) -> Result<Content, NoHash> {
    let mask = StatxFlags::SIZE | StatxFlags::MTIME;
    let found = statx(file, "", rustix::fs::AtFlags::EMPTY_PATH, mask);
    let found = found.map_err(|_| NoHash::Unreadable)?;
    Ok(Content {
        size: found.stx_size,
        mtime: (found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
    })
}

fn hexadecimal(bytes: &[u8]) -> HashText {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'0'; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// FIPS 180-2: of `abc`.
    const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn written(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
        let path = folder.join(name);
        let mut file = File::create(&path).unwrap();
        file.write_all(content).unwrap();
        path
    }

    fn identity(path: &Path) -> Identity {
        Identity::of_stat(&rustix::fs::stat(path).unwrap())
    }

    /// The process is gone; ours sees the same files.
    fn search(path: &Path) -> Search {
        use std::os::unix::ffi::OsStrExt;
        Search {
            host_root: "/".into(),
            process: Pid(u32::MAX),
            relatives: vec![Pid(std::process::id())],
            path: path.as_os_str().as_bytes().to_vec(),
        }
    }

    fn text(hash: Result<HashText, NoHash>) -> Result<String, NoHash> {
        hash.map(|hash| String::from_utf8(hash.to_vec()).unwrap())
    }

    #[test]
    fn a_file_is_found_by_its_path_if_it_is_still_the_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), "abc", b"abc");
        let wanted = identity(&path);
        assert_eq!(text(search(&path).hash(&wanted)), Ok(OF_ABC.to_owned()));
        for other in [
            Identity {
                inode: wanted.inode + 1,
                ..wanted
            },
            Identity {
                device: wanted.device + 1,
                ..wanted
            },
            Identity {
                ctime_ns: wanted.ctime_ns - 1,
                ..wanted
            },
        ] {
            assert_eq!(search(&path).hash(&other), Err(NoHash::Gone), "{other:?}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(search(&path).hash(&wanted), Err(NoHash::Gone));
    }

    #[test]
    fn a_link_to_the_file_leads_there_and_a_relative_path_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), "abc", b"abc");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(search(&link).hash(&identity(&path)).is_ok());
        assert_eq!(
            search(Path::new("abc")).hash(&identity(&path)),
            Err(NoHash::Gone)
        );
    }

    #[test]
    fn a_running_process_leads_to_its_file_whatever_its_path_says() {
        let own = std::fs::canonicalize("/proc/self/exe").unwrap();
        let search = Search {
            process: Pid(std::process::id()),
            relatives: Vec::new(),
            ..search(Path::new("/nonexistent"))
        };
        // A link to the file was made or removed meanwhile.
        let wanted = Identity {
            ctime_ns: 1,
            ..identity(&own)
        };
        assert!(search.hash(&wanted).is_ok());
        let rewritten = Identity {
            mtime_ns: 1,
            ..wanted
        };
        assert_eq!(search.hash(&rewritten), Err(NoHash::Gone));
    }

    #[test]
    fn what_is_no_file_is_not_opened_and_what_is_too_large_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let name = std::ffi::CString::new(pipe.to_str().unwrap()).unwrap();
        // SAFETY: the name is a string that ends with NUL.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        assert_eq!(search(&pipe).hash(&identity(&pipe)), Err(NoHash::Gone));
        let large = written(folder.path(), "large", b"");
        let file = File::options().write(true).open(&large).unwrap();
        file.set_len(LARGEST + 1).unwrap();
        assert_eq!(
            search(&large).hash(&identity(&large)),
            Err(NoHash::TooLarge)
        );
    }

    fn hashes(patience: Duration) -> ExecutableHashes {
        let mut hashes = ExecutableHashes::new("/".into());
        hashes.patience = patience;
        hashes.inner.get_mut().budget = LONG;
        hashes
    }

    /// Longer than any machine takes.
    const LONG: Duration = Duration::from_mins(10);

    #[test]
    fn a_hash_is_remembered_without_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), "abc", b"abc");
        let wanted = identity(&path);
        let hashes = hashes(LONG);
        let mut inner = hashes.inner.borrow_mut();
        let first = inner.find(wanted, LONG, || search(&path));
        std::fs::remove_file(&path).unwrap();
        let second = inner.find(wanted, LONG, || unreachable!("it is known"));
        assert_eq!(text(first), Ok(OF_ABC.to_owned()));
        assert_eq!(first, second);
    }

    #[test]
    fn who_has_waited_enough_waits_no_more_and_has_the_hash_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), "large", b"");
        let file = File::options().write(true).open(&path).unwrap();
        // It takes a while, even of nothing but zeros.
        file.set_len(LARGEST).unwrap();
        let wanted = identity(&path);
        let hashes = hashes(LONG);
        let mut inner = hashes.inner.borrow_mut();
        inner.window = Instant::now() + LONG;
        inner.waited = LONG;
        let first = inner.find(wanted, LONG, || search(&path));
        assert_eq!(first, Err(NoHash::Late));
        assert_eq!(inner.reading, [wanted]);
        let (identity, outcome) = inner.answers.recv().unwrap();
        inner.note(identity, outcome);
        let second = inner.find(wanted, LONG, || unreachable!("it is known"));
        assert!(second.is_ok());
        assert!(inner.reading.is_empty());
    }

    #[test]
    fn what_is_remembered_and_begun_is_bounded() {
        let hashes = hashes(Duration::ZERO);
        let mut inner = hashes.inner.borrow_mut();
        let of = |number: usize| Identity {
            device: 1,
            inode: number as u64,
            mtime_ns: 0,
            ctime_ns: 0,
        };
        for number in 0..REMEMBERED + 10 {
            inner.note(of(number), Ok([b'0'; 64]));
        }
        assert_eq!(inner.known.len(), REMEMBERED);
        assert!(inner.known.contains_key(&of(REMEMBERED)));
        assert!(!inner.known.contains_key(&of(0)));
        // Readers that do not come back: nothing more is begun, and nobody waits.
        inner.reading = (1..=MOST_READERS).map(of).collect();
        let more = inner.find(of(usize::MAX), LONG, || unreachable!("nothing is begun"));
        assert_eq!(more, Err(NoHash::Late));
        // One comes back after all.
        inner.sender.send((of(1), Err(NoHash::Gone))).unwrap();
        let gone = inner.find(of(usize::MAX), LONG, || search(Path::new("/nonexistent")));
        assert_eq!(gone, Err(NoHash::Gone));
    }
}
