//! The live sessions of one authorizer: the registry, and the task that looks after it.

use std::sync::Arc;

use express_session::watch::SessionWatch;

use super::{Keeper, KeeperTask, LiveSettings, LiveSocket, Registry, SocketHandle, Toucher};
use crate::authorizer::Decider;
use crate::model::{Identity, SocketId};
use crate::observe::Observer;

/// The live sessions of one authorizer on this node.
pub(crate) struct LiveSessions<U> {
    registry: Arc<Registry<U>>,
    keeper: Arc<Keeper<U>>,
    task: KeeperTask,
    settings: LiveSettings,
    toucher: Option<Toucher>,
    observer: Observer,
}

impl<U: Send + Sync + 'static> LiveSessions<U> {
    pub(crate) fn new(
        decider: &Arc<Decider<U>>,
        settings: LiveSettings,
        watches: Vec<Arc<dyn SessionWatch>>,
        observer: Observer,
    ) -> Self {
        let registry = Registry::new(decider.loads.clone());
        let toucher = |every| Toucher::new(decider.store.clone(), every, observer.clone());
        let toucher = settings.touch_every.map(toucher);
        let keeper =
            Keeper::new(decider.clone(), registry.clone(), settings, watches, observer.clone());
        let task = KeeperTask::default();
        Self { registry, keeper, task, settings, toucher, observer }
    }

    /// The keeper of the sockets that are entered. Its task runs from the first call on.
    pub(crate) fn keeper(&self) -> &Keeper<U> {
        self.task.start(&self.keeper);
        &self.keeper
    }
}

impl<U> LiveSessions<U> {
    pub(crate) fn registry(&self) -> &Arc<Registry<U>> {
        &self.registry
    }

    pub(crate) fn settings(&self) -> &LiveSettings {
        &self.settings
    }

    pub(crate) fn observer(&self) -> &Observer {
        &self.observer
    }

    /// A socket that is about to be entered.
    pub(crate) fn socket(
        &self,
        identity: &Identity<U>,
        namespace: &str,
        id: SocketId,
        handle: impl SocketHandle + 'static,
    ) -> LiveSocket<U> {
        let (toucher, observer) = (self.toucher.clone(), self.observer.clone());
        LiveSocket::new(identity, namespace, id, handle, toucher, observer)
    }
}
