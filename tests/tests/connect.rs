//! Sockets that are connected.

#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

use peregrine_tests::{Agent, AgentBuilder, Alert, MARKER_RULE, Watch, trigger};

fn rules() -> String {
    let own = std::process::id();
    format!(
        "{MARKER_RULE}- rule: Connected\n  desc: A test.\n  condition: evt.type = connect and proc.pid = {own}\n  output: connected %fd.name %fd.sip %fd.sport %fd.cip %fd.cport %fd.lip %fd.rip %fd.l4proto %fd.type %fd.typechar %evt.res %fd.num\n  priority: INFO\n"
    )
}

fn connected(agent: &Agent) -> Vec<Alert> {
    agent.settle();
    agent.alerts_where(|alert| alert.rule() == "Connected")
}

#[test]
fn both_internet_families_and_their_ends() {
    for (address, kind, letter) in [("127.0.0.1:0", "ipv4", "4"), ("[::1]:0", "ipv6", "6")] {
        let listener = TcpListener::bind(address).expect("a port is free");
        let to = listener.local_addr().expect("it has an address");
        let agent = AgentBuilder::rules(&rules()).start();
        let stream = TcpStream::connect(to).expect("it connects");
        let from = stream.local_addr().expect("it has an address");
        let alerts = connected(&agent);
        assert_eq!(alerts.len(), 1, "{alerts:#?}");
        let alert = &alerts[0];
        assert_eq!(alert.text("fd.sip"), to.ip().to_string());
        assert_eq!(alert.field("fd.sport").as_u64(), Some(u64::from(to.port())));
        assert_eq!(alert.text("fd.cip"), from.ip().to_string());
        assert_eq!(
            alert.field("fd.cport").as_u64(),
            Some(u64::from(from.port()))
        );
        assert_eq!(alert.text("fd.l4proto"), "tcp");
        assert_eq!(
            (alert.text("fd.type"), alert.text("fd.typechar")),
            (kind, letter)
        );
        assert_eq!(alert.text("evt.res"), "SUCCESS");
        let name = format!("{}:{}->{}:{}", from.ip(), from.port(), to.ip(), to.port());
        assert_eq!(alert.text("fd.name"), name);
    }
}

#[test]
fn an_ipv4_address_in_ipv6_clothes_is_ipv4() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it has an address").port();
    let agent = AgentBuilder::rules(&rules()).start();
    let mapped = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x7f00, 1);
    let _stream = TcpStream::connect(SocketAddr::from((mapped, port))).expect("it connects");
    let alerts = connected(&agent);
    assert_eq!(alerts[0].text("fd.sip"), "127.0.0.1");
    assert_eq!(alerts[0].text("fd.typechar"), "4");
}

#[test]
fn udp_and_unix() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let path = folder.path().join("socket");
    let _listener = UnixListener::bind(&path).expect("it binds");
    let server = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let client = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let agent = AgentBuilder::rules(&rules()).start();
    client
        .connect(server.local_addr().expect("it has an address"))
        .expect("it connects");
    let _stream = UnixStream::connect(&path).expect("it connects");
    let alerts = connected(&agent);
    assert_eq!(alerts.len(), 2, "{alerts:#?}");
    assert_eq!(alerts[0].text("fd.l4proto"), "udp");
    assert_eq!(alerts[1].text("fd.type"), "unix");
    let name = alerts[1].text("fd.name");
    assert!(name.ends_with(path.to_str().expect("UTF-8")), "{name}");
}

#[test]
fn refused_and_under_way() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let free = listener.local_addr().expect("it has an address");
    drop(listener);
    let agent = AgentBuilder::rules(&rules()).start();
    assert!(TcpStream::connect(free).is_err());
    let alerts = connected(&agent);
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert_eq!(alerts[0].text("evt.res"), "ECONNREFUSED");
    assert_eq!(
        alerts[0].field("fd.sport").as_u64(),
        Some(u64::from(free.port()))
    );
    assert_eq!(alerts[0].text("fd.sip"), "127.0.0.1");
    drop(agent);

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let agent = AgentBuilder::rules(&rules()).start();
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        rustix::net::SocketFlags::NONBLOCK,
        None,
    )
    .expect("a socket");
    let outcome = rustix::net::connect(&socket, &listener.local_addr().expect("it has an address"));
    assert_eq!(outcome, Err(rustix::io::Errno::INPROGRESS));
    let alerts = connected(&agent);
    assert_eq!(alerts[0].text("evt.res"), "EINPROGRESS");
    assert_eq!(alerts[0].text("fd.sip"), "127.0.0.1");
}

/// What a program that connects slowly prints: the result and the port.
fn slowly(how: &str) -> (i32, u64) {
    let output = Command::new(trigger("slow_connect"))
        .arg(how)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    let (result, port) = said.trim().split_once(' ').expect("two words");
    (
        result.parse().expect("a number"),
        port.parse().expect("a port"),
    )
}

fn slow_connects(how: &str) -> Vec<Alert> {
    let agent = AgentBuilder::rules(&format!(
        "{MARKER_RULE}- rule: Connected\n  desc: A test.\n  condition: evt.type = connect and proc.name = slow_connect\n  output: connected %fd.rip %fd.rport %fd.l4proto %evt.res %thread.tid\n  priority: INFO\n"
    ))
    .start();
    let (result, address) = slowly(how);
    let expected = if how == "swap" { 0 } else { -libc::EINTR };
    assert_eq!(result, expected);
    agent.settle();
    agent.alerts_where(|alert| {
        alert.rule() == "Connected" && alert.field("fd.rport").as_u64() == Some(address)
    })
}

#[test]
fn another_socket_in_the_place_of_the_descriptor_hides_nothing() {
    let alerts = slow_connects("swap");
    let came_through: Vec<_> = alerts
        .iter()
        .filter(|alert| alert.text("evt.res") == "SUCCESS")
        .collect();
    assert_eq!(came_through.len(), 1, "{alerts:#?}");
    assert_eq!(came_through[0].text("fd.rip"), "127.0.0.1");
    assert_eq!(came_through[0].text("fd.l4proto"), "tcp");
}

#[test]
fn a_signal_ends_the_call_and_not_the_connecting() {
    // Three fill the queue without waiting; the fourth waits until the signal comes.
    let alerts = slow_connects("interrupt");
    assert_eq!(alerts.len(), 4, "{alerts:#?}");
    assert!(
        alerts
            .iter()
            .all(|alert| alert.text("evt.res") == "EINPROGRESS"),
        "{alerts:#?}"
    );
}

/// Every machine knows what `localhost` is.
#[test]
fn names_of_both_ends() {
    let fields = ["fd.cip.name", "fd.sip.name", "fd.lip.name", "fd.rip.name"];
    let named: Vec<String> = fields
        .iter()
        .map(|field| format!("{field} = localhost"))
        .collect();
    let condition = format!("evt.type = connect and {}", named.join(" and "));
    let watch = Watch::start(&condition, &[&fields[..], &["fd.rport"]].concat());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let to = listener.local_addr().expect("it has an address");
    // This one has no such name.
    let other = TcpListener::bind("127.9.9.9:0").expect("a port is free");
    let elsewhere = other.local_addr().expect("it has an address");
    for address in [elsewhere, to] {
        TcpStream::connect(address).expect("it connects");
    }
    let mut seen = watch.seen();
    let port = to.port().to_string();
    let expected = fields.map(|field| (field, "localhost"));
    seen.take("connect", &[&expected[..], &[("fd.rport", &port)]].concat());
    let port = u64::from(elsewhere.port());
    let left = seen.of_type("connect");
    let reaches = |alert: &&Alert| alert.field("fd.rport").as_u64() == Some(port);
    assert!(!left.iter().any(reaches), "{left:?}");
}
