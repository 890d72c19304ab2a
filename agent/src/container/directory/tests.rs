//! What the matching thread is told, with runtimes that the tests play.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::super::runtime::Protocol;
use super::*;

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
                let body = format!(r#"[{{"Id": "{ID}", "Names": ["/web"], "Image": "app:2"}}]"#);
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
