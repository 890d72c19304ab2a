//! One request to the API, on a connection of its own.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::{Request, StatusCode, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::access::Access;
use super::api_error::ApiError;
use super::pod_object::Status;

/// How long a connection may take, and the beginning of an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest list, or line of a watch, that is read, in bytes. A pod has at most some 1.5 MB.
const LIMIT: usize = 16 << 20;
/// What is read of a refusal, in bytes.
const REFUSAL_LIMIT: usize = 64 << 10;

/// An answer that is being read.
pub(super) struct Response {
    body: Incoming,
    /// What came behind the last line.
    rest: BytesMut,
    connection: JoinHandle<()>,
}

impl Drop for Response {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Asks for this path. An answer other than 200 is an error.
pub(super) async fn get(access: &Access, path: &str) -> Result<Response, ApiError> {
    match tokio::time::timeout(PATIENCE, ask(access, path)).await {
        Ok(answer) => answer,
        Err(_) => Err(ApiError::Silence(PATIENCE)),
    }
}

async fn ask(access: &Access, path: &str) -> Result<Response, ApiError> {
    let protocol = |error: hyper::Error| ApiError::Protocol(error.to_string());
    let stream = connect(access).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(protocol)?;
    // How it ended shows in the answer.
    let connection = tokio::spawn(async move { drop(connection.await) });
    let mut request = Request::get(path)
        .header("host", access.authority())
        .header("accept", "application/json")
        .header(
            "user-agent",
            concat!("peregrine/", env!("CARGO_PKG_VERSION")),
        );
    if let Some(authorization) = &access.authorization {
        request = request.header("authorization", authorization);
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|error| ApiError::Protocol(error.to_string()))?;
    let answer = sender.send_request(request).await.map_err(protocol);
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            connection.abort();
            return Err(error);
        }
    };
    let status = answer.status();
    let mut response = Response {
        body: answer.into_body(),
        rest: BytesMut::new(),
        connection,
    };
    match status {
        StatusCode::OK => Ok(response),
        StatusCode::GONE => Err(ApiError::Expired),
        status => {
            let body = response.read(REFUSAL_LIMIT).await.unwrap_or_default();
            let refusal: Status = serde_json::from_slice(&body).unwrap_or_default();
            Err(ApiError::Refused {
                status: status.as_u16(),
                message: refusal.message,
            })
        }
    }
}

async fn connect(access: &Access) -> Result<Box<dyn Stream>, ApiError> {
    let failed = |source| ApiError::Connect {
        address: access.authority(),
        source,
    };
    let stream = TcpStream::connect((&*access.host, access.port))
        .await
        .map_err(failed)?;
    let Some(tls) = &access.tls else {
        return Ok(Box::new(stream));
    };
    let connector = TlsConnector::from(tls.config.clone());
    let stream = connector
        .connect(tls.server.clone(), stream)
        .await
        .map_err(failed)?;
    Ok(Box::new(stream))
}

impl Response {
    /// The whole answer, as JSON.
    pub(super) async fn json<T: DeserializeOwned>(mut self) -> Result<T, ApiError> {
        let body = match tokio::time::timeout(PATIENCE, self.read(LIMIT)).await {
            Ok(body) => body?,
            Err(_) => return Err(ApiError::Silence(PATIENCE)),
        };
        parse(&body)
    }

    /// The next line, as JSON; `None` at the end. Nothing may come for `silence`.
    pub(super) async fn line<T: DeserializeOwned>(
        &mut self,
        silence: Duration,
    ) -> Result<Option<T>, ApiError> {
        let mut searched = 0;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.rest[searched..]) {
                let line = self.rest.split_to(searched + end + 1);
                if line.trim_ascii().is_empty() {
                    searched = 0;
                    continue;
                }
                return parse(&line).map(Some);
            }
            searched = self.rest.len();
            if searched > LIMIT {
                return Err(ApiError::Protocol("a line is too long".to_owned()));
            }
            match tokio::time::timeout(silence, self.chunk()).await {
                Ok(Ok(Some(chunk))) => self.rest.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(ApiError::Silence(silence)),
            }
        }
    }

    async fn read(&mut self, limit: usize) -> Result<Vec<u8>, ApiError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > limit {
                return Err(ApiError::Protocol("it is too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(ApiError::Protocol(error.to_string())),
                // Trailers tell nothing.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(json).map_err(|error| ApiError::Protocol(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::generate_simple_self_signed;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;
    use tokio_rustls::rustls::pki_types::pem::PemObject;

    use super::super::access::Tls;
    use super::*;

    /// An API with a certificate for 127.0.0.1; returns its port and the certificate.
    async fn serve() -> (u16, Vec<u8>) {
        let made = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key =
            PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntrue";
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            }
        });
        (port, made.cert.pem().into_bytes())
    }

    #[tokio::test]
    async fn a_server_has_to_show_a_certificate_of_the_authority() {
        let (port, authority) = serve().await;
        let (_, another) = serve().await;
        for (authority, name, accepted) in [
            (&authority, "127.0.0.1", true),
            (&authority, "127.0.0.2", false),
            (&another, "127.0.0.1", false),
        ] {
            let access = Access {
                host: "127.0.0.1".to_owned(),
                port,
                tls: Some(Tls::new(name, authority, None).unwrap()),
                authorization: None,
            };
            let answer = match get(&access, "/").await {
                Ok(response) => response.json::<bool>().await,
                Err(error) => Err(error),
            };
            assert_eq!(answer.is_ok(), accepted, "{name}: {answer:?}");
        }
    }
}
