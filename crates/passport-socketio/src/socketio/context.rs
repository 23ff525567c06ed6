//! What the connect middlewares of one authorizer have in common.

use std::sync::Arc;

use super::setup::SetupWarnings;
use crate::handshake::HandshakeContext;
use crate::model::Scope;

/// One for each authorizer.
pub(crate) struct GateContext<U> {
    pub(crate) handshake: Arc<HandshakeContext<U>>,
    pub(crate) scope: Arc<Scope>,
    pub(super) warnings: SetupWarnings,
}

impl<U> GateContext<U> {
    pub(crate) fn new(handshake: Arc<HandshakeContext<U>>, scope: Scope) -> Arc<Self> {
        let warnings = SetupWarnings::default();
        Arc::new(Self { handshake, scope: Arc::new(scope), warnings })
    }
}
