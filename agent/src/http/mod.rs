//! The web server: is the agent alive, is it ready, what has it counted.
//!
//! Whatever connects cannot harm detection: the number of connections and the time each may take
//! are bounded, and nothing here is shared with the matching thread but counters.

mod connection;
mod readiness;

pub use readiness::Readiness;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::config::Webserver;
use crate::metrics::Metrics;
use crate::version::Versions;
use connection::{BoundedListener, CONNECTIONS, LIFETIME};

/// The web server could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The address could not be bound.
    #[error(
        "the web server cannot listen on {address} (change webserver.listen_port or \
         webserver.listen_address, or set webserver.enabled to false)"
    )]
    Bind {
        /// The configured address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A bound server that does not serve yet: clients that connect wait.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    healthz_endpoint: String,
    serve_metrics: bool,
}

/// What the answers are made from.
#[derive(Clone)]
struct Shared {
    metrics: Arc<Metrics>,
    readiness: Readiness,
}

impl Server {
    /// Takes the address, so that a port in use is an error before anything is attached.
    pub async fn bind(settings: &Webserver) -> Result<Self, HttpError> {
        let address = settings.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| HttpError::Bind { address, source })?;
        Ok(Self {
            listener,
            healthz_endpoint: settings.healthz_endpoint.clone(),
            serve_metrics: settings.metrics,
        })
    }

    /// The address taken: with port 0 configured, this has the real one.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` is done, then lets requests under way finish for a short while.
    pub async fn serve(
        self,
        metrics: Arc<Metrics>,
        readiness: Readiness,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) {
        /// Well within the second in which the agent has to end.
        const GRACE: Duration = Duration::from_millis(250);
        let mut router = Router::new()
            .route(&self.healthz_endpoint, get(healthz))
            .route("/readyz", get(readyz))
            .route("/versions", get(versions));
        if self.serve_metrics {
            router = router.route("/metrics", get(metrics_text));
        }
        let router = router.with_state(Shared { metrics, readiness });
        let (stopping, stopped) = tokio::sync::oneshot::channel();
        let listener = BoundedListener::new(self.listener, CONNECTIONS, LIFETIME);
        let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
            shutdown.await;
            // The receiver is gone only if nobody waits for it any more.
            let _ = stopping.send(());
        });
        let grace_over = async {
            let _ = stopped.await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            result = serving => if let Err(error) = result {
                tracing::error!("the web server ended: {error}");
            },
            () = grace_over => {}
        }
    }
}

fn json(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    (status, content_type, body.into()).into_response()
}

async fn healthz(State(shared): State<Shared>) -> Response {
    if shared.readiness.stands_still(Instant::now()) {
        return json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status": "stalled"}"#);
    }
    json(StatusCode::OK, r#"{"status": "ok"}"#)
}

async fn readyz(State(shared): State<Shared>) -> Response {
    match shared.readiness.state() {
        readiness::State::Ready => json(StatusCode::OK, r#"{"status": "ready"}"#),
        readiness::State::Starting => {
            json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status": "starting"}"#)
        }
        readiness::State::Failed => {
            json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status": "failed"}"#)
        }
    }
}

async fn versions() -> Response {
    match serde_json::to_string(&Versions::current()) {
        Ok(body) => json(StatusCode::OK, body),
        Err(error) => failure(&error),
    }
}

async fn metrics_text(State(shared): State<Shared>) -> Response {
    match shared.metrics.to_text() {
        Ok(text) => {
            let content_type = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
            (content_type, text).into_response()
        }
        Err(error) => failure(&error),
    }
}

fn failure(error: &dyn std::error::Error) -> Response {
    tracing::error!("the web server cannot answer: {error}");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

#[cfg(test)]
mod tests;
