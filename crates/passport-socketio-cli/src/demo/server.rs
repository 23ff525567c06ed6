//! Listens, says so, and ends when it is asked to.

use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::Failed;

/// How long clients are given to take the news that the server closes.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves `app` until SIGINT or SIGTERM, then runs `close` and lets open requests end.
pub(super) async fn serve<F: Future<Output = ()>>(
    address: SocketAddr,
    app: Router,
    close: impl FnOnce() -> F,
) -> Result<(), Failed> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        format!("can't listen on {address}: {error}; --listen 127.0.0.1:0 picks a free port")
    })?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let signals = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    announce(listener.local_addr()?)?;

    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, app).with_graceful_shutdown(async {
        stopped.await.ok();
    });
    let mut server = tokio::spawn(server.into_future());
    tokio::select! {
        ended = &mut server => return Ok(ended??),
        () = asked_to_stop(signals) => {}
    }
    tracing::info!("stopping: closing every connection");
    // From now on nobody new is accepted; whoever is here is told.
    drop(stop);
    if timeout(DRAIN, close()).await.is_err() || timeout(DRAIN, &mut server).await.is_err() {
        tracing::warn!("some connections did not end within {DRAIN:?}");
        server.abort();
    }
    Ok(())
}

/// The one line that programs wait for.
fn announce(address: SocketAddr) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on http://{address}")?;
    stdout.flush()
}

async fn asked_to_stop((mut interrupt, mut terminate): (Signal, Signal)) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
