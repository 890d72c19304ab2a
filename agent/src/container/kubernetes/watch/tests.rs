//! A small API that answers as each test wants.

use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// What the API does with a request.
enum Reply {
    /// Answers with a status and this body, and closes.
    Body(u16, String),
    /// Sends these lines of a watch, and says nothing more.
    Open(Vec<Value>),
    /// Sends these lines of a watch, and ends it.
    Ended(Vec<Value>),
    /// Sends this instead of HTTP.
    Garbage(&'static [u8]),
}

/// The paths that were asked for, with the header that shows the token.
type Requests = Arc<Mutex<Vec<(String, String)>>>;

struct Api {
    folder: tempfile::TempDir,
    requests: Requests,
    stats: Arc<KubernetesStats>,
}

impl Api {
    /// Answers the requests in turn; further ones get nothing.
    async fn start(replies: Vec<Reply>) -> (Self, mpsc::Receiver<PodUpdate>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let api = Self {
            folder: tempfile::tempdir().unwrap(),
            requests: Requests::default(),
            stats: Arc::default(),
        };
        let requests = Arc::clone(&api.requests);
        tokio::spawn(async move {
            let mut replies = replies.into_iter();
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n")
                    && let Ok(byte) = stream.read_u8().await
                {
                    request.push(byte);
                }
                // At the end of a test the watch stops wherever it is.
                if request.is_empty() {
                    continue;
                }
                let request = String::from_utf8(request).unwrap();
                let path = request.split(' ').nth(1).unwrap().to_owned();
                let header = |line: &str| Some(line.strip_prefix("authorization: ")?.to_owned());
                let token = request.lines().find_map(header).unwrap_or_default();
                requests.lock().unwrap().push((path, token));
                match replies.next() {
                    Some(Reply::Body(status, body)) => {
                        let head = format!(
                            "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n",
                            body.len()
                        );
                        stream.write_all((head + &body).as_bytes()).await.unwrap();
                    }
                    Some(Reply::Open(lines)) => {
                        stream.write_all(chunks(&lines).as_bytes()).await.unwrap();
                        open.push(stream);
                    }
                    Some(Reply::Ended(lines)) => {
                        let text = chunks(&lines) + "0\r\n\r\n";
                        stream.write_all(text.as_bytes()).await.unwrap();
                    }
                    Some(Reply::Garbage(bytes)) => stream.write_all(bytes).await.unwrap(),
                    None => open.push(stream),
                }
            }
        });
        let kubeconfig = api.folder.path().join("config");
        let text = format!(
            "current-context: here\ncontexts: [{{name: here, context: {{cluster: c, user: u}}}}]\nclusters: [{{name: c, cluster: {{server: 'http://{address}'}}}}]\nusers: [{{name: u, user: {{token: secret}}}}]\n"
        );
        std::fs::write(&kubeconfig, text).unwrap();
        let watched = KubernetesApi {
            node: "node-1".to_owned(),
            kubeconfig: Some(kubeconfig),
        };
        let updates = watched.watch(Arc::clone(&api.stats));
        (api, updates)
    }

    fn paths(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|(path, _)| path.clone()).collect()
    }

    fn errors(&self) -> u64 {
        self.stats.errors.load(Ordering::Relaxed)
    }
}

/// A chunked answer that is not at its end; each line is cut in two.
fn chunks(lines: &[Value]) -> String {
    let mut text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    for line in lines {
        let line = format!("{line}\n");
        let (first, second) = line.split_at(line.len() / 2);
        for part in [first, second] {
            text.extend([&format!("{:x}", part.len()), "\r\n", part, "\r\n"]);
        }
    }
    text
}

fn pod(uid: &str, version: u32, account: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("pod-{uid}"),
            "namespace": "shop",
            "uid": uid,
            "resourceVersion": version.to_string(),
            "labels": {"app": "web"},
            "annotations": {"note": "x", "long": "y".repeat(5000)},
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Other", "name": "o", "uid": "1"},
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d", "uid": "2", "controller": true},
            ],
            "managedFields": [{"manager": "kubelet"}],
        },
        "spec": {"serviceAccountName": account, "nodeName": "node-1", "containers": [{"name": "c"}]},
        "status": {"phase": "Running"},
    })
}

fn list(items: &[Value], version: u32, next: Option<&str>) -> Reply {
    let list = json!({
        "apiVersion": "v1", "kind": "PodList",
        "metadata": {"resourceVersion": version.to_string(), "continue": next},
        "items": items,
    });
    // The API leaves the member out where there is nothing.
    let text = list.to_string().replace("\"continue\":null,", "");
    Reply::Body(200, text)
}

fn line(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

/// The update in short: the uid with its service account, or with `-` if it is gone.
async fn next(updates: &mut mpsc::Receiver<PodUpdate>) -> String {
    match updates.recv().await.unwrap() {
        PodUpdate::Present(uid, details) => {
            format!("{uid} {}", details.service_account.as_deref().unwrap())
        }
        PodUpdate::Gone(uid) => format!("{uid} -"),
    }
}

#[tokio::test]
async fn pods_are_listed_in_pages_and_followed() {
    let bookmark = json!({"kind": "Pod", "metadata": {"resourceVersion": "9"}});
    let (api, mut updates) = Api::start(vec![
        list(&[pod("a", 1, "one")], 5, Some("more=")),
        list(&[pod("b", 2, "two")], 5, None),
        Reply::Ended(vec![
            line("ADDED", &pod("c", 6, "three")),
            line("MODIFIED", &pod("a", 7, "changed")),
            line("DELETED", &pod("b", 8, "two")),
            line("BOOKMARK", &bookmark),
        ]),
        Reply::Open(vec![line("DELETED", &pod("c", 10, "three"))]),
    ])
    .await;
    let PodUpdate::Present(uid, details) = updates.recv().await.unwrap() else {
        panic!("a pod is gone that was not there");
    };
    assert_eq!(&*uid, "a");
    assert_eq!(details.name.as_deref(), Some("pod-a"));
    assert_eq!(details.namespace.as_deref(), Some("shop"));
    assert_eq!(details.labels.get("app"), Some("web"));
    assert_eq!(details.annotations.get("note"), Some("x"));
    assert_eq!(details.annotations.get("long"), None);
    let owner = details.owner.as_ref().unwrap();
    assert_eq!((&*owner.kind, &*owner.name), ("ReplicaSet", "web-5d"));
    assert_eq!(details.node.as_deref(), Some("node-1"));
    for expected in ["b two", "c three", "a changed", "b -", "c -"] {
        assert_eq!(next(&mut updates).await, expected);
    }
    let of_node = "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1&";
    let watch =
        format!("{of_node}watch=1&allowWatchBookmarks=true&timeoutSeconds=290&resourceVersion=");
    assert_eq!(
        api.paths(),
        [
            format!("{of_node}limit=100&continue="),
            format!("{of_node}limit=100&continue=more%3D"),
            format!("{watch}5"),
            format!("{watch}9"),
        ]
    );
    let requests = api.requests.lock().unwrap();
    assert!(requests.iter().all(|(_, token)| token == "Bearer secret"));
    drop(requests);
    assert_eq!(api.errors(), 0);
}

#[tokio::test]
async fn a_version_that_is_forgotten_means_a_new_list_and_no_fault() {
    let expired = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"});
    let (api, mut updates) = Api::start(vec![
        list(&[pod("a", 1, "one"), pod("b", 2, "two")], 5, None),
        Reply::Ended(vec![line("ERROR", &expired)]),
        list(&[pod("b", 2, "two")], 20, None),
        Reply::Body(410, "{}".to_owned()),
        list(&[], 30, None),
        Reply::Open(Vec::new()),
    ])
    .await;
    for expected in ["a one", "b two", "b two", "a -", "b -"] {
        assert_eq!(next(&mut updates).await, expected);
    }
    assert_eq!(api.errors(), 0);
}

#[tokio::test]
async fn faults_are_counted_and_the_watch_comes_back() {
    let refused = json!({"kind": "Status", "code": 401, "message": "Unauthorized"});
    for fault in [
        Reply::Body(401, refused.to_string()),
        Reply::Body(500, "<html>".to_owned()),
        Reply::Body(200, "[1".to_owned()),
        Reply::Garbage(b"SSH-2.0-x\r\n"),
        Reply::Garbage(b""),
    ] {
        let (api, mut updates) = Api::start(vec![
            fault,
            list(&[pod("a", 1, "one")], 5, None),
            Reply::Ended(vec![json!({"type": "NEW", "object": {}})]),
            list(&[pod("a", 1, "again")], 6, None),
            Reply::Open(Vec::new()),
        ])
        .await;
        assert_eq!(next(&mut updates).await, "a one");
        assert_eq!(next(&mut updates).await, "a again");
        assert_eq!(api.errors(), 2);
    }
}

#[tokio::test]
async fn without_an_api_the_watch_goes_on_trying_until_nobody_wants_it() {
    let stats = Arc::<KubernetesStats>::default();
    let api = KubernetesApi {
        node: "node-1".to_owned(),
        kubeconfig: Some("/nonexistent/kubeconfig".into()),
    };
    let updates = api.watch(Arc::clone(&stats));
    while stats.errors.load(Ordering::Relaxed) < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(updates);
    // The task holds the other count.
    while Arc::strong_count(&stats) > 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn no_more_pods_are_told_than_are_remembered() {
    let items: Vec<Value> = (0..=LIMIT)
        .map(|number| json!({"metadata": {"uid": format!("u{number}")}}))
        .collect();
    let (api, mut updates) = Api::start(vec![list(&items, 5, None)]).await;
    for _ in 0..LIMIT {
        updates.recv().await.unwrap();
    }
    while api.stats.left_out.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(updates.try_recv().is_err());
}

#[test]
fn waits_are_spread_over_their_second_half() {
    for wait in [WAITS.0, WAITS.1] {
        for _ in 0..100 {
            let spread = spread(wait);
            assert!(spread >= wait / 2 && spread <= wait, "{spread:?}");
        }
    }
    assert_eq!(escape("a=/ü"), "a%3D%2F%C3%BC");
}
