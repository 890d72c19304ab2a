//! The asking side: finds out about each container that it is asked for, and tells.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::super::runtime::{Bundles, Socket};
use super::super::security::{ProcessSecurity, SecurityState, Verdict};
use super::super::{ContainerIdentity, ContainerMetadata, Mounts, Runtime, first_processes};
use super::client::Client;
use super::{Description, DirectoryStats, Inquiry, QUEUE, WakeUp};

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
/// What all clients together say of a container.
enum Answer {
    Found(Box<ContainerMetadata>),
    /// None of them knows it.
    Unknown,
    /// Those that answer do not know it.
    Failed,
}

/// Who asks all runtimes.
pub(super) struct Asker {
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
    pub(super) fn new(
        inquiry: Inquiry<'_>,
        stats: Arc<DirectoryStats>,
        told: mpsc::Sender<Description>,
        wake_up: WakeUp,
    ) -> Self {
        let client = |socket: &Socket| Arc::new(Client::new(socket.client()));
        Self {
            clients: inquiry.sockets.iter().map(client).collect(),
            bundles: Bundles::new(inquiry.host_root),
            needs_address: inquiry.needs_address,
            proc_root: inquiry.host_root.join("proc"),
            scanned: Mutex::new(None),
            stats,
            told,
            wake_up,
        }
    }

    /// Asks for each container that comes, until the other end is gone.
    pub(super) async fn run(self: Arc<Self>, mut asked: mpsc::Receiver<Arc<ContainerIdentity>>) {
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
        let is_present = |client: &&Arc<Client>| client.is_present();
        self.clients.iter().filter(is_present).cloned().collect()
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
                (client.is_likely(identity.runtime), answer)
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
