//! What it takes to know 2,000 containers.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test ends by panicking, and shows what it measured"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use peregrine::container::runtime::{Protocol, Socket};
use peregrine::container::{ContainerIdentity, Directory, Inquiry, Known, MetadataTable};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

const CONTAINERS: usize = 2000;
/// Of mounts, and of labels, of each container.
const ITEMS: usize = 12;
const BOUND: usize = 8_000_000;

/// Counts what is allocated and not given back.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator with the arguments that it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps to what `GlobalAlloc::alloc` asks.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps to what `GlobalAlloc::dealloc` asks.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Describes any container as one of a pod, with a dozen mounts and labels.
fn answer(id: &str) -> String {
    let mounts: Vec<_> = (0..ITEMS)
        .map(|number| {
            json!({
                "Source": format!("/var/lib/kubelet/pods/9b2c7f0e-6a51-4c39-8f0d-1c2b3a495867/volumes/kubernetes.io~configmap/settings-{number}"),
                "Destination": format!("/etc/service/settings-{number}"),
                "Mode": "ro", "RW": false, "Propagation": "rprivate",
            })
        })
        .collect();
    let mut labels = serde_json::Map::new();
    for number in 0..ITEMS {
        labels.insert(
            format!("app.kubernetes.io/part-{number}"),
            json!(format!("a value as they are, number {number}")),
        );
    }
    labels.insert(
        "io.kubernetes.pod.name".to_owned(),
        json!("web-6d4cf56db6-x7k2p"),
    );
    labels.insert("io.kubernetes.pod.namespace".to_owned(), json!("shop"));
    json!({
        "Id": id,
        "Name": format!("/k8s_web_web-6d4cf56db6-x7k2p_shop_{id}"),
        "Image": "sha256:3f1c0a5be2d94c7786a1b0c9d8e7f60514233241506f7e8d9cabbac9d8e7f601",
        "Config": {
            "Image": "registry.example/shop/web:2.17.3@sha256:aac0a5be2d94c7786a1b0c9d8e7f60514233241506f7e8d9cabbac9d8e7f601",
            "Labels": labels,
        },
        "HostConfig": {"Privileged": false, "NetworkMode": "bridge"},
        "Mounts": mounts,
        "State": {"Pid": 1},
        "NetworkSettings": {"IPAddress": "172.17.0.2"},
    })
    .to_string()
}

/// An engine that knows every container.
fn serve(socket: &std::path::Path) {
    let listener = UnixListener::bind(socket).expect("the socket is made");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 1024];
                let count = stream.read(&mut request).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..count]).into_owned();
                let id = request.split('/').nth(2).unwrap_or_default();
                let body = if request.contains("/images/") {
                    r#"{"RepoDigests": ["registry.example/shop/web@sha256:bb"]}"#.to_owned()
                } else {
                    answer(id)
                };
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                // A client that has gone is no matter.
                let _ = stream.write_all((head + &body).as_bytes()).await;
            });
        }
    });
}

#[tokio::test]
async fn two_thousand_known_containers_take_less_than_8_mb() {
    let root = tempfile::tempdir().expect("a temp dir");
    let path = root.path().join("docker.sock");
    serve(&path);
    let socket = Socket {
        protocol: Protocol::Docker,
        path,
    };
    let inquiry = Inquiry {
        sockets: &[socket],
        host_root: root.path(),
        needs_address: true,
    };
    let directory = Directory::start(inquiry, Arc::default(), Box::new(|| Ok(())));
    let mut table = MetadataTable::new(directory);
    let before = LIVE.load(Ordering::Relaxed);
    let identities: Vec<Arc<ContainerIdentity>> = (0..CONTAINERS)
        .map(|number| {
            let mut path = "/docker/".to_owned();
            write!(path, "{number:064x}").expect("a String takes everything");
            let identity = ContainerIdentity::from_cgroup_path(path.as_bytes());
            Arc::new(identity.expect("it is a container's"))
        })
        .collect();
    let mut settled = 0;
    for identity in &identities {
        table.get(identity);
    }
    while settled < CONTAINERS {
        table.take_answers(|_| settled += 1);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    for identity in &identities {
        let known = match table.get(identity) {
            Known::Now(Some(metadata)) => metadata,
            known => panic!("{identity:?}: {known:?}"),
        };
        assert_eq!(
            (known.mounts.len(), known.labels.iter().count()),
            (ITEMS, ITEMS + 2)
        );
    }
    let taken = LIVE.load(Ordering::Relaxed) - before;
    println!(
        "{CONTAINERS} containers take {taken} bytes, {} each",
        taken / CONTAINERS
    );
    assert!(taken < BOUND, "{taken}");
}
