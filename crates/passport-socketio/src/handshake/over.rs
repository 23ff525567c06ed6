//! Our layer with the host's inside.

use std::fmt;
use std::sync::Arc;

use socketioxide::adapter::{Adapter, LocalAdapter};
use socketioxide::layer::SocketIoLayer;
use socketioxide::service::SocketIoService;
use tower_layer::Layer;

use super::path::{NotServed, serves};
use super::upgrade::UpgradeService;
use super::{AuthLayer, AuthService, HandshakeContext};
use crate::observe::events;

/// The layer of [`Authorizer::layer_over`](crate::Authorizer::layer_over).
pub struct OverLayer<U, A: Adapter = LocalAdapter> {
    layer: AuthLayer<U>,
    host: SocketIoLayer<A>,
    /// Whether the host answers at the path that is guarded.
    is_served: bool,
}

impl<U: Send + Sync + 'static, A: Adapter> OverLayer<U, A> {
    pub(crate) fn new(context: Arc<HandshakeContext<U>>, host: SocketIoLayer<A>) -> Self {
        let path = &context.settings.path;
        let is_served = serves(&host, path);
        if !is_served {
            events::another_path(path);
        }
        Self { layer: AuthLayer::new(context), host, is_served }
    }
}

impl<S: Clone, U: Send + Sync + 'static, A: Adapter> Layer<S> for OverLayer<U, A> {
    type Service = AuthService<UpgradeService<SocketIoService<NotServed, A>, S>, U>;

    fn layer(&self, app: S) -> Self::Service {
        // Each host's service is another engine: this one is cloned, and never made again.
        let host = self.host.layer(NotServed);
        let service = UpgradeService::new(host, app, self.layer.settings(), self.is_served);
        self.layer.layer(service)
    }
}

impl<U, A: Adapter> Clone for OverLayer<U, A> {
    fn clone(&self) -> Self {
        Self { layer: self.layer.clone(), host: self.host.clone(), is_served: self.is_served }
    }
}

impl<U, A: Adapter> fmt::Debug for OverLayer<U, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OverLayer").field("layer", &self.layer).finish_non_exhaustive()
    }
}
