use std::io::{Read, Write};
use std::net::TcpStream;

use tokio::sync::oneshot;

use super::*;

fn settings(listen: &str) -> Webserver {
    Webserver {
        enabled: true,
        listen: listen.parse().unwrap(),
        healthz_endpoint: "/healthz".to_owned(),
        metrics: true,
    }
}

struct Running {
    address: SocketAddr,
    readiness: Readiness,
    stop: oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<()>,
}

async fn start(settings: &Webserver) -> Running {
    let server = Server::bind(settings).await.unwrap();
    let address = server.local_addr().unwrap();
    let readiness = Readiness::default();
    let metrics = Arc::new(Metrics::new(Vec::new()).unwrap());
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(server.serve(metrics, readiness.clone(), async {
        let _ = stopped.await;
    }));
    Running {
        address,
        readiness,
        stop,
        serving,
    }
}

/// The head and the body of the answer.
async fn request(address: SocketAddr, path: &str) -> (String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    })
    .await
    .unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn health_versions_and_metrics_are_served() {
    let running = start(&settings("127.0.0.1:0")).await;
    let (head, body) = request(running.address, "/healthz").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("content-type: application/json"));
    assert_eq!(body, r#"{"status": "ok"}"#);

    let (_, body) = request(running.address, "/versions").await;
    let versions: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(versions["engine_version"], "63");
    assert_eq!(versions["engine_version_semver"], "0.63.0");
    assert!(versions["plugin_versions"].is_object());

    let (head, body) = request(running.address, "/metrics").await;
    assert!(head.contains("content-type: text/plain; version=0.0.4"));
    assert!(body.contains("peregrine_build_info{"));

    let (head, _) = request(running.address, "/other").await;
    assert!(head.starts_with("http/1.1 404"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ill_while_the_matching_thread_stands_still() {
    let running = start(&settings("127.0.0.1:0")).await;
    let answer = async || request(running.address, "/healthz").await;
    let heartbeat = running.readiness.heartbeat();
    running.readiness.ready();
    heartbeat.beat(Instant::now());
    assert!(answer().await.0.starts_with("http/1.1 200"));
    assert!(!running.readiness.stands_still(Instant::now()));
    assert!(
        running
            .readiness
            .stands_still(Instant::now() + Duration::from_mins(1))
    );
    // Ended is not the same: then the agent ends, or tells in /readyz.
    running.readiness.fail();
    assert!(
        !running
            .readiness
            .stands_still(Instant::now() + Duration::from_mins(1))
    );
    assert!(answer().await.0.starts_with("http/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_only_between_attach_and_the_end_of_the_sensor() {
    let running = start(&settings("127.0.0.1:0")).await;
    let status = async || request(running.address, "/readyz").await.0[..12].to_owned();
    assert_eq!(status().await, "http/1.1 503");
    let guard = running.readiness.fail_on_drop();
    running.readiness.ready();
    assert_eq!(status().await, "http/1.1 200");
    drop(guard);
    assert_eq!(status().await, "http/1.1 503");
    running.readiness.ready();
    assert_eq!(status().await, "http/1.1 503");
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_says_what_to_change() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = Server::bind(&settings(&address.to_string()))
        .await
        .unwrap_err();
    let message = error.to_string();
    assert!(message.contains(&address.to_string()), "{message}");
    assert!(message.contains("webserver.listen_port"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_can_be_off_and_the_health_path_changed() {
    let running = start(&Webserver {
        metrics: false,
        healthz_endpoint: "/live".to_owned(),
        ..settings("127.0.0.1:0")
    })
    .await;
    assert!(
        request(running.address, "/live")
            .await
            .0
            .starts_with("http/1.1 200")
    );
    assert!(
        request(running.address, "/metrics")
            .await
            .0
            .starts_with("http/1.1 404")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_does_not_wait_for_an_idle_client() {
    let running = start(&settings("127.0.0.1:0")).await;
    let mut idle = TcpStream::connect(running.address).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHos").unwrap();
    assert!(
        request(running.address, "/healthz")
            .await
            .0
            .starts_with("http/1.1 200")
    );
    running.stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(1), running.serving)
        .await
        .unwrap()
        .unwrap();
}
