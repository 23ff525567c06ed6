//! From the layer to the connect middleware: one lookup of the session, used once.

use std::iter;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::request::Parts;
use tokio::time::sleep;

use super::Connection;
use super::HandshakeContext;
use crate::authorizer::fresh_for;
use crate::live::OngoingHandshake;
use crate::lookup::LookedUp;
use crate::model::Session;

/// How long a handshake that began at the layer waits for its first CONNECT: longer than the host does
/// by default. A CONNECT that comes later begins one of its own.
const CONNECT: Duration = Duration::from_secs(60);

/// In a request's extensions: what one authorizer's layer found out.
pub(crate) struct Handover<U> {
    context: Arc<HandshakeContext<U>>,
    connection: Arc<Connection>,
    left: Arc<Mutex<HandedOver<U>>>,
    /// Of another authorizer with the same type of user, whose layer is further out.
    outer: Option<Arc<Self>>,
}

/// What is left of a lookup.
pub(crate) enum HandedOver<U> {
    Fresh(OngoingHandshake<U>, Box<LookedUp<U>>),
    /// Nobody came for it in time. It is known that it was made, and for a while that the handshake
    /// has begun.
    Stale(Option<OngoingHandshake<U>>),
    /// There was none, or somebody came.
    Nothing,
}

impl<U> HandedOver<U> {
    /// Time has passed, and nobody has come.
    fn age(&mut self) {
        *self = match std::mem::replace(self, Self::Nothing) {
            Self::Fresh(handshake, _) => Self::Stale(Some(handshake)),
            Self::Stale(_) => Self::Stale(None),
            Self::Nothing => Self::Nothing,
        };
    }
}

fn lock<U>(left: &Mutex<HandedOver<U>>) -> MutexGuard<'_, HandedOver<U>> {
    left.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<U: Send + Sync + 'static> Handover<U> {
    /// Leaves a lookup for the connect middleware of this authorizer, and the handshake that has begun.
    pub(super) fn leave(
        request: &mut Parts,
        context: &Arc<HandshakeContext<U>>,
        connection: Arc<Connection>,
        handshake: OngoingHandshake<U>,
        found: LookedUp<U>,
    ) {
        if let Ok((identity, _)) = &found.outcome {
            bind(&connection, context, identity.session());
        }
        let left = Arc::new(Mutex::new(HandedOver::Fresh(handshake, Box::new(found))));
        let forgotten = Arc::downgrade(&left);
        let fresh_for = fresh_for(context.lookup.live().settings().max_stale);
        let forget = tokio::spawn(async move {
            for after in [fresh_for, CONNECT] {
                sleep(after).await;
                match forgotten.upgrade() {
                    Some(left) if !matches!(*lock(&left), HandedOver::Nothing) => lock(&left).age(),
                    _ => return,
                }
            }
        });
        connection.ends(&forget);
        let outer = request.extensions.remove().map(Arc::new);
        request.extensions.insert(Self { context: context.clone(), connection, left, outer });
    }

    /// Takes what the layer of this authorizer left. A CONNECT that comes later on the same connection finds
    /// nothing, and asks the store.
    pub(crate) fn take(request: &Parts, context: &Arc<HandshakeContext<U>>) -> HandedOver<U> {
        let Some(handover) = Self::of(request, context) else {
            return HandedOver::Nothing;
        };
        let max_stale = context.lookup.live().settings().max_stale;
        match std::mem::replace(&mut *lock(&handover.left), HandedOver::Nothing) {
            HandedOver::Fresh(handshake, found) if !found.age.serves_connect(max_stale) => {
                HandedOver::Stale(Some(handshake))
            }
            left => left,
        }
    }

    /// Whether the request came through a layer of this authorizer.
    pub(crate) fn has_passed(request: &Parts, context: &Arc<HandshakeContext<U>>) -> bool {
        Self::of(request, context).is_some()
    }

    /// Somebody was let in with this session: from now on the connection is theirs.
    pub(crate) fn bind(request: &Parts, context: &Arc<HandshakeContext<U>>, session: &Session) {
        if let Some(handover) = Self::of(request, context) {
            bind(&handover.connection, context, session);
        }
    }

    fn of<'r>(request: &'r Parts, context: &Arc<HandshakeContext<U>>) -> Option<&'r Self> {
        let innermost = request.extensions.get::<Self>();
        let mut all = iter::successors(innermost, |handover| handover.outer.as_deref());
        all.find(|handover| Arc::ptr_eq(&handover.context, context))
    }
}

/// The only place where a connection gets its owner: the first session that is found for it.
fn bind<U>(connection: &Connection, context: &HandshakeContext<U>, session: &Session)
where
    U: Send + Sync + 'static,
{
    connection.bind(context.lookup.decider().owner(session));
}

impl<U> Clone for Handover<U> {
    fn clone(&self) -> Self {
        Self {
            context: self.context.clone(),
            connection: self.connection.clone(),
            left: self.left.clone(),
            outer: self.outer.clone(),
        }
    }
}
