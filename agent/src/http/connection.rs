//! Bounds on what clients can hold.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// Connections served at the same time; further ones wait in the kernel's backlog. Kubelet and a
/// few Prometheus servers need a handful.
pub(super) const CONNECTIONS: usize = 32;

/// Of them, those of one address.
const CONNECTIONS_OF_PEER: usize = 4;

/// How long a connection may live, idle or not. A client that keeps its connection open connects
/// anew; one that sends or reads a byte at a time gives its place up.
pub(super) const LIFETIME: Duration = Duration::from_secs(10);

/// Accepts a bounded number of connections.
pub(super) struct BoundedListener {
    listener: TcpListener,
    places: Arc<Semaphore>,
    /// How many places each address has.
    peers: Peers,
    lifetime: Duration,
}

type Peers = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// A place among those of its address, given back when the connection ends.
struct PeerPlace {
    address: IpAddr,
    peers: Peers,
}

impl PeerPlace {
    /// `None` if the address has all the places that it may have.
    fn take(address: IpAddr, peers: &Peers) -> Option<Self> {
        let mut taken = peers.lock().unwrap_or_else(PoisonError::into_inner);
        let places = taken.entry(address).or_default();
        if *places >= CONNECTIONS_OF_PEER {
            return None;
        }
        *places += 1;
        Some(Self {
            address,
            peers: Arc::clone(peers),
        })
    }
}

impl Drop for PeerPlace {
    fn drop(&mut self) {
        let mut taken = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = taken.get_mut(&self.address) {
            *places -= 1;
            if *places == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

impl BoundedListener {
    /// At most so many connections at once, none living longer than `lifetime`.
    pub(super) fn new(listener: TcpListener, connections: usize, lifetime: Duration) -> Self {
        Self {
            listener,
            places: Arc::new(Semaphore::new(connections)),
            peers: Peers::default(),
            lifetime,
        }
    }
}

impl Listener for BoundedListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // Never closed, so there is always a place sooner or later.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        // One address that takes all its places and more must not keep the kubelet out: it is hung up on.
        let (stream, address, peer) = loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if let Some(peer) = PeerPlace::take(address.ip().to_canonical(), &self.peers) {
                break (stream, address, peer);
            }
        };
        let connection = Connection {
            stream,
            end: Box::pin(sleep(self.lifetime)),
            _place: place,
            _peer: peer,
        };
        (connection, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends by itself when its time is over.
pub(super) struct Connection {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
    _peer: PeerPlace,
}

impl Connection {
    /// An error once the time is over; otherwise the task is woken when it is.
    fn check_end(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_end(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_end(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Instant;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn silent_clients_give_their_places_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = BoundedListener::new(listener, 2, Duration::from_millis(100));
        tokio::spawn(async { axum::serve(listener, axum::Router::new()).await });
        let ended = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let clients: Vec<_> = (0..4)
                .map(|_| std::net::TcpStream::connect(address).unwrap())
                .collect();
            // Nobody sends a byte: two are served and time out, then the other two.
            for mut client in clients {
                client
                    .set_read_timeout(Some(Duration::from_secs(10)))
                    .unwrap();
                assert_eq!(client.read(&mut [0; 16]).unwrap(), 0);
            }
            started.elapsed()
        })
        .await
        .unwrap();
        assert!(ended >= Duration::from_millis(200), "{ended:?}");
    }
}
