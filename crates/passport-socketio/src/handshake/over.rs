//! Our layer with the host's inside.

use std::fmt;

use socketioxide::adapter::{Adapter, LocalAdapter};
use socketioxide::layer::SocketIoLayer;
use socketioxide::service::SocketIoService;
use tower_layer::Layer;

use super::path::{NotServed, serves};
use super::upgrade::UpgradeService;
use super::{AuthLayer, AuthService};
use crate::Authorizer;
use crate::observe::events;

/// The layer of [`Authorizer::layer_over`].
pub struct OverLayer<U, A: Adapter = LocalAdapter> {
    auth: AuthLayer<U>,
    host: SocketIoLayer<A>,
    /// Whether the host answers at the path that is guarded.
    is_served: bool,
}

impl<U: Send + Sync + 'static> Authorizer<U> {
    /// As [`layer`](Self::layer), and it holds the host's layer instead of standing around it: so it
    /// can close connections, which the host can't.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, store::MemoryStore};
    /// # use socketioxide::SocketIo;
    /// # let auth = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))).build().unwrap();
    /// let (layer, io) = SocketIo::builder() // as much as Node takes of a message
    ///     .max_payload(1_000_000).ws_max_message_size(1_000_000).ws_max_frame_size(1_000_000)
    ///     .build_layer();
    /// let app = axum::Router::<()>::new().layer(auth.layer_over(layer));
    /// # let _ = (app, io);
    /// ```
    ///
    /// What it closes:
    /// - the connection of a login that has ended, half a second after `session_ended`: also of a
    ///   client that does not read, or does not care;
    /// - at an end with `reconnect: true` instead of the disconnect, so that official clients come
    ///   back by themselves, with the cookie that they have then;
    /// - who says nothing, or was refused and is connected nowhere: see
    ///   [`connect_within`](crate::AuthorizerBuilder::connect_within);
    /// - who was refused too often: see
    ///   [`max_refused_connects`](crate::AuthorizerBuilder::max_refused_connects);
    /// - a client that sends more than 64 KiB, over all transports together, before a namespace has let it
    ///   in, be it as a guest or without a gate. From then on socketioxide's own limits hold: set them, since its
    ///   64 MiB for a WebSocket's message are too many (Node's are 1 MB), which the log warns of.
    ///
    /// And of a namespace whose login has ended, it lets nothing out behind `session_ended` but the
    /// disconnect, whatever a handler does that still runs.
    ///
    /// A connection is closed for all its namespaces. Whoever is a guest in another one reads a
    /// `transport close`, and comes back.
    ///
    /// # Security
    /// socketioxide gets the requests for [`.path(…)`](crate::AuthorizerBuilder::path), and no others:
    /// none can reach it past this layer. So `.path(…)` and socketioxide's `req_path` have to be the
    /// same. Where they are not, all of socketioxide's requests are answered with `404`, and this logs an
    /// error.
    pub fn layer_over<A: Adapter>(&self, host: SocketIoLayer<A>) -> OverLayer<U, A> {
        let is_served = serves(&host, self.path());
        if !is_served {
            events::another_path(self.path());
        }
        OverLayer { auth: self.layer(), host, is_served }
    }
}

impl<S: Clone, U: Send + Sync + 'static, A: Adapter> Layer<S> for OverLayer<U, A> {
    type Service = AuthService<UpgradeService<SocketIoService<NotServed, A>, S>, U>;

    fn layer(&self, app: S) -> Self::Service {
        let auth = self.auth.auth();
        // Each host's service is another engine: this one is cloned, and never made again.
        let host = self.host.layer(NotServed);
        self.auth.layer(UpgradeService::new(host, app, auth, self.is_served))
    }
}

impl<U, A: Adapter> Clone for OverLayer<U, A> {
    fn clone(&self) -> Self {
        Self { auth: self.auth.clone(), host: self.host.clone(), is_served: self.is_served }
    }
}

impl<U, A: Adapter> fmt::Debug for OverLayer<U, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OverLayer").field("layer", &self.auth).finish_non_exhaustive()
    }
}
