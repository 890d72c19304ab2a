//! Asks the runtimes for what they know of containers, beside the matching thread.
//!
//! Every client is asked at once, each with a bound of its own on open requests: one that hangs holds
//! up nobody else. A runtime may not know a container yet whose cgroup exists (a pod's sandbox is
//! registered after its start), so the question is repeated for a while.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::runtime::{Bundles, RuntimeClient, RuntimeError, Socket, describe, in_time};
use super::security::{ProcessSecurity, SecurityState, Verdict};
use super::{ContainerIdentity, ContainerMetadata, Mounts, Runtime, first_processes};

/// Questions and answers under way; more are dropped, and asked again at the container's next event.
const QUEUE: usize = 8192;
/// Requests at once to one runtime.
const REQUESTS: usize = 8;
/// How long a container is asked for: while a runtime does not answer, ...
const UNANSWERED: Duration = Duration::from_secs(10);
/// ... while all answer that they do not know it, which is true for a moment of one that they are making, ...
const UNKNOWN: Duration = Duration::from_millis(500);
/// ... and while there is nobody to ask: its bundle may not be written yet.
const NOBODY: Duration = Duration::from_millis(100);
/// The waits between questions: from the first to the longest, each twice the one before.
const WAITS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));
/// When the container's first process is looked at again, counted from the time before, while its runtime
/// still prepares it.
const LOOKS: [Duration; 6] = [
    Duration::from_millis(10),
    Duration::from_millis(40),
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
];
/// Looks within which that is likely over, a quarter of a second: so long is waited where nothing else tells
/// what will confine the container.
const LOOKS_WAITED_FOR: usize = 3;
/// How often, at most, all processes are looked through for the first ones of containers whose pid no
/// runtime tells.
const SCANS: Duration = Duration::from_millis(100);
/// How often is said that a runtime does not answer well.
const COMPLAINTS: Duration = Duration::from_mins(1);

/// What was found out about a container.
#[derive(Clone, Debug)]
pub struct Description {
    /// Which one.
    pub identity: Arc<ContainerIdentity>,
    /// What is known; `None` if nothing is.
    pub metadata: Option<Arc<ContainerMetadata>>,
    /// All that an alert may ask for is there, or nothing more will come: events need not wait.
    pub is_settled: bool,
}

/// Counts of a [`Directory`], all since the start.
#[derive(Debug, Default)]
pub struct DirectoryStats {
    /// Questions to runtimes that failed.
    pub errors: AtomicU64,
    /// Containers that no runtime knew.
    pub unknown: AtomicU64,
}

/// The matching thread's end: asks, and takes answers, without ever waiting.
#[derive(Debug)]
pub struct Directory {
    questions: mpsc::Sender<Arc<ContainerIdentity>>,
    answers: mpsc::Receiver<Description>,
}

/// Whom a [`Directory`] asks, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry<'a> {
    /// The sockets of the runtimes.
    pub sockets: &'a [Socket],
    /// Below which the bundles are.
    pub host_root: &'a Path,
    /// Somebody wants to know addresses, which a runtime tells only once it has started a container.
    pub needs_address: bool,
}

/// Wakes whoever takes the answers.
pub type WakeUp = Box<dyn Fn() -> io::Result<()> + Send + Sync>;

impl Directory {
    /// Starts the asking side on the current tokio runtime. It ends with this end.
    pub fn start(inquiry: Inquiry<'_>, stats: Arc<DirectoryStats>, wake_up: WakeUp) -> Self {
        let (questions, asked) = mpsc::channel(QUEUE);
        let (told, answers) = mpsc::channel(QUEUE);
        let clients = inquiry
            .sockets
            .iter()
            .map(|socket| Client::new(socket.client()));
        let asker = Arc::new(Asker {
            clients: clients.map(Arc::new).collect(),
            bundles: Bundles::new(inquiry.host_root),
            needs_address: inquiry.needs_address,
            proc_root: inquiry.host_root.join("proc"),
            scanned: Mutex::new(None),
            stats,
            told,
            wake_up,
        });
        tokio::spawn(asker.run(asked));
        Self { questions, answers }
    }

    /// Asks for a container; false if too many questions are waiting.
    pub fn ask(&self, identity: &Arc<ContainerIdentity>) -> bool {
        self.questions.try_send(Arc::clone(identity)).is_ok()
    }

    /// The next answer, if one is there.
    pub fn answer(&mut self) -> Option<Description> {
        self.answers.try_recv().ok()
    }

    /// Waits for the next answer; `None` if no more can come.
    pub async fn next_answer(&mut self) -> Option<Description> {
        self.answers.recv().await
    }

    /// Both ends of a directory that nobody answers but the caller.
    #[cfg(test)]
    pub(crate) fn manual() -> (
        Self,
        mpsc::Receiver<Arc<ContainerIdentity>>,
        mpsc::Sender<Description>,
    ) {
        let (questions, asked) = mpsc::channel(QUEUE);
        let (told, answers) = mpsc::channel(QUEUE);
        (Self { questions, answers }, asked, told)
    }
}

struct Client {
    runtime: Box<dyn RuntimeClient>,
    requests: Semaphore,
    glimpses: Semaphore,
    last_complaint: Mutex<Option<Instant>>,
}

impl Client {
    fn new(runtime: Box<dyn RuntimeClient>) -> Self {
        Self {
            runtime,
            requests: Semaphore::new(REQUESTS),
            glimpses: Semaphore::new(REQUESTS),
            last_complaint: Mutex::new(None),
        }
    }

    async fn describe(&self, id: &str) -> Result<Option<ContainerMetadata>, RuntimeError> {
        // The semaphore is never closed; if it were, the bound would be gone and nothing else.
        let _permit = self.requests.acquire().await;
        describe(&*self.runtime, id).await
    }

    /// What it tells at once. Those that wait for a whole answer are not in the way.
    async fn glimpse(&self, id: &str) -> Option<ContainerMetadata> {
        let _permit = self.glimpses.acquire().await;
        // Whoever fails here fails to give the whole answer as well, and is heard of then.
        in_time(self.runtime.glimpse(id)).await.ok().flatten()
    }

    async fn complain(&self, error: &RuntimeError) {
        let mut last = self.last_complaint.lock().await;
        if last.is_none_or(|last| last.elapsed() >= COMPLAINTS) {
            *last = Some(Instant::now());
            tracing::warn!(
                socket = %self.runtime.socket().display(),
                "a container runtime does not answer well: {error}"
            );
        }
    }
}

/// What all clients together say of a container.
enum Answer {
    Found(Box<ContainerMetadata>),
    /// None of them knows it.
    Unknown,
    /// Those that answer do not know it.
    Failed,
}

struct Asker {
    clients: Vec<Arc<Client>>,
    bundles: Bundles,
    needs_address: bool,
    proc_root: PathBuf,
    /// The first processes of all containers, and when somebody began to look for them.
    scanned: Mutex<Option<(Instant, FirstProcesses)>>,
    stats: Arc<DirectoryStats>,
    told: mpsc::Sender<Description>,
    wake_up: WakeUp,
}

type FirstProcesses = HashMap<ContainerIdentity, u32>;

impl Asker {
    async fn run(self: Arc<Self>, mut asked: mpsc::Receiver<Arc<ContainerIdentity>>) {
        let open = Arc::new(Semaphore::new(QUEUE));
        while let Some(identity) = asked.recv().await {
            let Ok(permit) = Arc::clone(&open).acquire_owned().await else {
                return;
            };
            let asker = Arc::clone(&self);
            tokio::spawn(async move {
                asker.find_out(identity).await;
                drop(permit);
            });
        }
    }

    /// Tells what the runtimes know of a container, and once more when the kernel knows better: when its
    /// first process runs the container's own program.
    async fn find_out(&self, identity: Arc<ContainerIdentity>) {
        let described = self.find_description(&identity).await;
        let is_described = described.is_some();
        let described = described.unwrap_or_default();
        let mut told = None;
        // A specification says what will confine the container: no event has to wait for more.
        let has_specification = described.security.bounding.is_some();
        if has_specification {
            self.tell(&identity, Some(described.clone()), true).await;
            told = Some((described.clone(), true));
        }
        for (look, wait) in LOOKS.into_iter().map(Some).chain([None]).enumerate() {
            let process = self.process_of(&identity, &described).await;
            let is_preparing = process.as_ref().is_some_and(|found| found.is_preparing);
            let wait = wait.filter(|_| is_preparing);
            let is_settled = wait.is_none() || has_specification || look >= LOOKS_WAITED_FOR;
            let is_known = is_described || process.is_some();
            let mut metadata = described.clone();
            if let Some(process) = process.filter(|_| wait.is_none()) {
                process.correct(&mut metadata);
            }
            let news = (metadata, is_settled);
            if told.as_ref() != Some(&news) {
                let known = is_known.then(|| news.0.clone());
                self.tell(&identity, known, is_settled).await;
                told = Some(news);
            }
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return,
            }
        }
    }

    /// What confines the container's first process; `None` if there is none any more, or yet.
    async fn process_of(
        &self,
        identity: &Arc<ContainerIdentity>,
        described: &ContainerMetadata,
    ) -> Option<ProcessSecurity> {
        let pid = match described.init_pid {
            Some(pid) => pid,
            None => self.first_process(identity).await?,
        };
        let (root, identity) = (self.proc_root.clone(), Arc::clone(identity));
        let read =
            tokio::task::spawn_blocking(move || ProcessSecurity::read(&root, pid, &identity));
        // An error would be a panic, which has been printed where it was.
        read.await.ok().flatten()
    }

    /// The pid of the container's first process, from a list of all that serves everybody who asked before
    /// it was begun.
    async fn first_process(&self, identity: &ContainerIdentity) -> Option<u32> {
        let asked = Instant::now();
        let mut scanned = self.scanned.lock().await;
        if let Some((begun, found)) = &*scanned {
            if *begun >= asked {
                return found.get(identity).copied();
            }
            tokio::time::sleep(SCANS.saturating_sub(begun.elapsed())).await;
        }
        let begun = Instant::now();
        let root = self.proc_root.clone();
        let found = tokio::task::spawn_blocking(move || first_processes(&root));
        // An error would be a panic, which has been printed where it was; without a procfs nobody is
        // found, and the agent has said so when it started.
        let found = found.await.ok().and_then(Result::ok).unwrap_or_default();
        let pid = found.get(identity).copied();
        *scanned = Some((begun, found));
        pid
    }

    /// What the runtimes know of a container; what its bundle tells is told at once.
    async fn find_description(
        &self,
        identity: &Arc<ContainerIdentity>,
    ) -> Option<ContainerMetadata> {
        let started = tokio::time::Instant::now();
        let (mut wait, longest) = WAITS;
        let mut bundle = None;
        let mut glimpse = None;
        loop {
            if bundle.is_none() {
                bundle = self.bundle_of(identity).await;
                if let Some(found) = &bundle {
                    // It is what there is, should the deadline pass.
                    self.tell(identity, Some(found.clone()), false).await;
                }
            }
            let clients = self.present();
            let nobody = clients.is_empty();
            let glimpses = self.glimpse_of(clients.clone(), identity);
            let answers = self.ask_all(clients, identity);
            tokio::pin!(glimpses, answers);
            let answer = tokio::select! {
                answer = &mut answers => answer,
                Some(found) = &mut glimpses, if glimpse.is_none() => {
                    let found = completed(found, bundle.clone());
                    // A list leaves out what the bundle has.
                    let is_settled = found.privileged.is_some() && !self.needs_address;
                    self.tell(identity, Some(found.clone()), is_settled).await;
                    glimpse = Some(found);
                    answers.await
                }
            };
            let patience = match answer {
                Answer::Found(found) => {
                    return Some(completed(*found, bundle));
                }
                Answer::Unknown if nobody => NOBODY,
                // Whoever showed it is about to know it.
                Answer::Unknown if glimpse.is_some() => UNANSWERED,
                Answer::Unknown => UNKNOWN,
                Answer::Failed => UNANSWERED,
            };
            // With nobody to ask, or nobody who would know, a bundle is all there will ever be.
            let alone = bundle
                .as_ref()
                .is_some_and(|bundle| nobody || is_unmanaged(identity, bundle));
            if alone || started.elapsed() >= patience {
                let known = glimpse.or(bundle);
                if known.is_none() {
                    self.stats.unknown.fetch_add(1, Ordering::Relaxed);
                }
                return known;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(longest);
        }
    }

    async fn bundle_of(&self, identity: &Arc<ContainerIdentity>) -> Option<ContainerMetadata> {
        let bundles = self.bundles.clone();
        let identity = Arc::clone(identity);
        let read = tokio::task::spawn_blocking(move || bundles.describe(identity.full_id()));
        // An error would be a panic, which has been printed where it was.
        read.await.ok().flatten()
    }

    /// The clients whose socket is there now.
    fn present(&self) -> Vec<Arc<Client>> {
        let exists = |client: &&Arc<Client>| client.runtime.socket().exists();
        self.clients.iter().filter(exists).cloned().collect()
    }

    /// What one of them tells at once: the one that made the container, for only that one has a list
    /// with it.
    async fn glimpse_of(
        &self,
        clients: Vec<Arc<Client>>,
        identity: &Arc<ContainerIdentity>,
    ) -> Option<ContainerMetadata> {
        let mut glimpses = JoinSet::new();
        for client in clients {
            let identity = Arc::clone(identity);
            glimpses.spawn(async move { client.glimpse(identity.full_id()).await });
        }
        while let Some(glimpse) = glimpses.join_next().await {
            // An error would be a panic, which has been printed where it was.
            if let Ok(Some(found)) = glimpse {
                return Some(found);
            }
        }
        None
    }

    /// The first answer of those that know the container.
    async fn ask_all(
        &self,
        clients: Vec<Arc<Client>>,
        identity: &Arc<ContainerIdentity>,
    ) -> Answer {
        let mut answers = JoinSet::new();
        for client in clients {
            let identity = Arc::clone(identity);
            answers.spawn(async move {
                let answer = client.describe(identity.full_id()).await;
                if let Err(error) = &answer {
                    client.complain(error).await;
                }
                (client.runtime.is_likely(identity.runtime), answer)
            });
        }
        // One that knows a container by its id is right; of two, the one that made it knows more.
        let mut second_best = None;
        let mut failed = false;
        while let Some(answer) = answers.join_next().await {
            match answer {
                Ok((true, Ok(Some(found)))) => return Answer::Found(Box::new(found)),
                Ok((false, Ok(Some(found)))) if second_best.is_none() => second_best = Some(found),
                Ok((_, Ok(_))) => {}
                Ok((_, Err(_))) | Err(_) => {
                    self.stats.errors.fetch_add(1, Ordering::Relaxed);
                    failed = true;
                }
            }
        }
        match second_best {
            Some(found) => Answer::Found(Box::new(found)),
            None if failed => Answer::Failed,
            None => Answer::Unknown,
        }
    }

    async fn tell(
        &self,
        identity: &Arc<ContainerIdentity>,
        mut metadata: Option<ContainerMetadata>,
        is_settled: bool,
    ) {
        if let Some(metadata) = &mut metadata {
            metadata.verdict = Verdict::of(identity.full_id(), metadata);
        }
        let description = Description {
            identity: Arc::clone(identity),
            metadata: metadata.map(Arc::new),
            is_settled,
        };
        // Without the other end there is nobody to tell.
        if self.told.send(description).await.is_ok()
            && let Err(error) = (self.wake_up)()
        {
            tracing::warn!(%error, "cannot wake the matching thread");
        }
    }
}

/// What a runtime tells, with what only the bundle does. Of mounts the runtime tells all that were asked
/// for; a bundle also has those that the runtime makes for itself.
fn completed(mut found: ContainerMetadata, bundle: Option<ContainerMetadata>) -> ContainerMetadata {
    if let Some(bundle) = bundle {
        // An engine tells what was asked for, the bundle what came of it.
        let asked = std::mem::replace(&mut found.security, bundle.security);
        found.security.complete_from(asked);
        found.complete_from(ContainerMetadata {
            mounts: Mounts::default(),
            security: SecurityState::default(),
            ..bundle
        });
    }
    found
}

/// Whether no runtime with an interface of ours made this container: it was started by runc itself,
/// or through containerd's own interface, for each container of a pod has the pod in its bundle.
fn is_unmanaged(identity: &ContainerIdentity, bundle: &ContainerMetadata) -> bool {
    matches!(identity.runtime, Runtime::Unknown | Runtime::Containerd) && bundle.pod.is_none()
}

#[cfg(test)]
mod tests {
    use super::super::runtime::Protocol;
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    const ID: &str = "3f1c0a5be2d94c7786a1b0c9d8e7f60514233241506f7e8d9cabbac9d8e7f601";

    fn identity() -> Arc<ContainerIdentity> {
        let path = format!("/docker/{ID}");
        Arc::new(ContainerIdentity::from_cgroup_path(path.as_bytes()).unwrap())
    }

    fn start(root: &tempfile::TempDir, sockets: &[(Protocol, &str)]) -> Directory {
        start_for(root, sockets, false)
    }

    fn start_for(
        root: &tempfile::TempDir,
        sockets: &[(Protocol, &str)],
        needs_address: bool,
    ) -> Directory {
        let sockets: Vec<Socket> = sockets
            .iter()
            .map(|(protocol, name)| Socket {
                protocol: *protocol,
                path: root.path().join(name),
            })
            .collect();
        let nobody = Box::new(|| Ok(()));
        let inquiry = Inquiry {
            sockets: &sockets,
            host_root: root.path(),
            needs_address,
        };
        Directory::start(inquiry, Arc::default(), nobody)
    }

    fn engine(root: &tempfile::TempDir, name: &str) {
        let listener = UnixListener::bind(root.path().join(name)).unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let body = r#"{"Name": "/web"}"#;
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
    }

    #[tokio::test]
    async fn a_runtime_that_hangs_holds_up_no_other() {
        let root = tempfile::tempdir().unwrap();
        let _hangs = UnixListener::bind(root.path().join("hangs")).unwrap();
        engine(&root, "works");
        let sockets = [(Protocol::Cri, "hangs"), (Protocol::Docker, "works")];
        let mut directory = start(&root, &sockets);
        assert!(directory.ask(&identity()));
        let answer = directory.answers.recv().await.unwrap();
        assert_eq!(answer.metadata.unwrap().name.as_deref(), Some("web"));
        assert!(answer.is_settled);
    }

    #[tokio::test]
    async fn two_thousand_containers_at_once() {
        let root = tempfile::tempdir().unwrap();
        engine(&root, "works");
        let mut directory = start(&root, &[(Protocol::Docker, "works")]);
        for number in 0..2000 {
            let path = format!("/docker/{number:064x}");
            let identity = ContainerIdentity::from_cgroup_path(path.as_bytes()).unwrap();
            assert!(directory.ask(&Arc::new(identity)));
        }
        for _ in 0..2000 {
            let answer = directory.answers.recv().await.unwrap();
            assert_eq!(answer.metadata.unwrap().name.as_deref(), Some("web"));
            assert!(answer.is_settled);
        }
    }

    /// An engine that is busy starting the container: it only lists it.
    fn busy_engine(root: &tempfile::TempDir, name: &str) {
        let listener = UnixListener::bind(root.path().join(name)).unwrap();
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let count = stream.read(&mut request).await.unwrap_or(0);
                if request[..count].starts_with(b"GET /containers/json?") {
                    let body =
                        format!(r#"[{{"Id": "{ID}", "Names": ["/web"], "Image": "app:2"}}]"#);
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
                kept.push(stream);
            }
        });
    }

    #[tokio::test]
    async fn a_list_and_a_bundle_settle_what_needs_no_address() {
        for (with_bundle, needs_address, expected) in [
            (true, false, true),
            (false, false, false),
            (true, true, false),
        ] {
            let root = tempfile::tempdir().unwrap();
            if with_bundle {
                let bundle = root.path().join(format!(
                    "run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby/{ID}"
                ));
                std::fs::create_dir_all(&bundle).unwrap();
                std::fs::write(bundle.join("config.json"), "{}").unwrap();
            }
            busy_engine(&root, "busy");
            let mut directory = start_for(&root, &[(Protocol::Docker, "busy")], needs_address);
            assert!(directory.ask(&identity()));
            if with_bundle {
                assert!(!directory.answers.recv().await.unwrap().is_settled);
            }
            let answer = directory.answers.recv().await.unwrap();
            assert_eq!(answer.is_settled, expected, "{with_bundle} {needs_address}");
            let metadata = answer.metadata.unwrap();
            assert_eq!(metadata.name.as_deref(), Some("web"));
            assert_eq!(metadata.image.tag.as_deref(), Some("2"));
            assert_eq!(metadata.privileged.is_some(), with_bundle);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_container_that_nobody_knows_is_said_to_be_unknown() {
        let root = tempfile::tempdir().unwrap();
        let mut directory = start(&root, &[(Protocol::Docker, "absent")]);
        assert!(directory.ask(&identity()));
        let answer = directory.answers.recv().await.unwrap();
        assert!(answer.metadata.is_none() && answer.is_settled);
    }

    /// A process of the container with this name, in a procfs below the root.
    fn process(root: &tempfile::TempDir, name: &str) {
        let of_process = root.path().join("proc/7");
        std::fs::create_dir_all(&of_process).unwrap();
        let write = |file: &str, text: &str| std::fs::write(of_process.join(file), text).unwrap();
        write("cgroup", &format!("0::/docker/{ID}\n"));
        let status = format!("Name:\t{name}\nNSpid:\t7\t1\nCapBnd:\t0000000000000001\n");
        // Replaced at once: the reader may be there.
        write("new", &status);
        std::fs::rename(of_process.join("new"), of_process.join("status")).unwrap();
    }

    #[tokio::test]
    async fn a_process_is_waited_for_that_its_runtime_still_prepares() {
        let root = tempfile::tempdir().unwrap();
        engine(&root, "works");
        process(&root, "runc:[2:INIT]");
        let mut directory = start(&root, &[(Protocol::Docker, "works")]);
        assert!(directory.ask(&identity()));
        let answer = directory.next_answer().await.unwrap();
        let known = answer.metadata.unwrap();
        assert_eq!((known.security.bounding, answer.is_settled), (None, false));
        process(&root, "web");
        let answer = loop {
            let answer = directory.next_answer().await.unwrap();
            // On a slow machine the wait may be over before.
            if answer
                .metadata
                .as_ref()
                .unwrap()
                .security
                .bounding
                .is_some()
            {
                break answer;
            }
        };
        let known = answer.metadata.unwrap();
        assert_eq!(
            (known.security.bounding, answer.is_settled),
            (Some(1), true)
        );
        assert_eq!(known.name.as_deref(), Some("web"));
    }

    #[tokio::test]
    async fn a_specification_is_told_at_once_and_corrected_by_the_kernel() {
        let root = tempfile::tempdir().unwrap();
        let bundle = root
            .path()
            .join("run/containerd/io.containerd.runtime.v2.task/moby")
            .join(ID);
        std::fs::create_dir_all(&bundle).unwrap();
        let specification = r#"{"process": {"capabilities": {"bounding": ["CAP_KILL"]}}}"#;
        std::fs::write(bundle.join("config.json"), specification).unwrap();
        engine(&root, "works");
        process(&root, "runc:[2:INIT]");
        let mut directory = start(&root, &[(Protocol::Docker, "works")]);
        assert!(directory.ask(&identity()));
        let answer = loop {
            let answer = directory.next_answer().await.unwrap();
            if answer.is_settled {
                break answer;
            }
        };
        assert_eq!(answer.metadata.unwrap().security.bounding, Some(1 << 5));
        process(&root, "web");
        let answer = directory.next_answer().await.unwrap();
        assert_eq!(answer.metadata.unwrap().security.bounding, Some(1));
    }

    #[tokio::test]
    async fn a_socket_that_appears_later_is_found() {
        let root = tempfile::tempdir().unwrap();
        let mut directory = start(&root, &[(Protocol::Docker, "later")]);
        assert!(directory.ask(&identity()));
        tokio::task::yield_now().await;
        engine(&root, "later");
        let answer = directory.answers.recv().await.unwrap();
        assert_eq!(answer.metadata.unwrap().name.as_deref(), Some("web"));
    }
}
