//! gRPC on a Unix socket.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use hyper::http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use super::{ANSWER_LIMIT, REQUEST_TIME, RuntimeError};

/// The header by which containerd knows whose containers are meant.
const NAMESPACE: &str = "containerd-namespace";

/// A connection to one runtime, which makes itself anew when it breaks.
pub(super) struct Connection {
    socket: PathBuf,
    channel: Mutex<Option<Channel>>,
}

impl Connection {
    /// Nothing is connected yet.
    pub(super) fn new(socket: PathBuf) -> Self {
        Self {
            socket,
            channel: Mutex::new(None),
        }
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    fn channel(&self) -> Result<Channel, RuntimeError> {
        let mut slot = self
            .channel
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(channel) = &*slot {
            return Ok(channel.clone());
        }
        let address = format!("unix://{}", self.socket.display());
        let channel = Endpoint::from_shared(address)
            .map_err(|error| RuntimeError::Protocol(error.to_string()))?
            .connect_timeout(REQUEST_TIME)
            .connect_lazy();
        *slot = Some(channel.clone());
        Ok(channel)
    }

    /// One call, in a namespace of containerd's if one is given; `None` if the runtime does not know
    /// what is asked for, or not even the question.
    pub(super) async fn call<Q, A>(
        &self,
        method: &'static str,
        namespace: Option<&str>,
        question: Q,
    ) -> Result<Option<A>, RuntimeError>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut client = Grpc::new(self.channel()?).max_decoding_message_size(ANSWER_LIMIT);
        client
            .ready()
            .await
            .map_err(|error| RuntimeError::Protocol(error.to_string()))?;
        let mut request = Request::new(question);
        if let Some(namespace) = namespace {
            let value = MetadataValue::<Ascii>::try_from(namespace)
                .map_err(|error| RuntimeError::Protocol(error.to_string()))?;
            request.metadata_mut().insert(NAMESPACE, value);
        }
        let path = PathAndQuery::from_static(method);
        match client
            .unary(request, path, ProstCodec::<Q, A>::default())
            .await
        {
            Ok(answer) => Ok(Some(answer.into_inner())),
            Err(status) if matches!(status.code(), Code::NotFound | Code::Unimplemented) => {
                Ok(None)
            }
            Err(status) => Err(refused(&status)),
        }
    }
}

fn refused(status: &Status) -> RuntimeError {
    match status.code() {
        Code::Unavailable => {
            RuntimeError::Connect(std::io::Error::other(status.message().to_owned()))
        }
        Code::DeadlineExceeded => RuntimeError::Timeout,
        _ => RuntimeError::Refused(format!("{:?}: {}", status.code(), status.message())),
    }
}
