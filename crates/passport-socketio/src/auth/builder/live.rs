//! How long a connection stands for its login.

use std::sync::Arc;
use std::time::Duration;

use express_session::watch::SessionWatch;

use super::AuthorizerBuilder;
#[cfg(doc)]
use crate::Authorizer;
use crate::live::OverLimit;
use crate::model::Ended;

/// As good as for ever, and no clock overflows.
pub(super) const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

impl<U: Send + Sync + 'static> AuthorizerBuilder<U> {
    /// The longest that a login which has ended may keep its sockets, while the store answers. 30 s
    /// by default. Counted from when the store was asked for the last answer that said that it stands.
    ///
    /// Nobody is let in by an answer that was asked for more than half of it ago: with a store that
    /// takes longer than that, everybody reads `try_again`.
    ///
    /// A feed of changes ([`SessionStore::watch`](express_session::store::SessionStore::watch), or [`watch`](Self::watch)) makes it a matter of
    /// milliseconds; but a feed can miss something, so that every live session is looked at again
    /// within this time, in batches, spread over it. What it costs the store: live sessions ÷ 100 ÷
    /// `max_stale` round trips, some 5 each second for 10,000 sessions and 30 s.
    pub fn max_stale(mut self, max_stale: Duration) -> Self {
        self.live.max_stale = max_stale.clamp(Duration::from_millis(10), A_YEAR);
        self
    }

    /// How long a live socket stays while the store does not answer. 60 s by default. Then it is
    /// closed (`store_unavailable`), and invited to come back.
    ///
    /// It is counted for each socket, from when the store was asked for the last answer that said that
    /// its login stands: not from when an outage begins. A store that answers only now and then makes
    /// it no longer. Since that answer may be as old as [`max_stale`](Self::max_stale), a shorter
    /// grace closes sockets as soon as an outage is noticed.
    ///
    /// New connections are refused meanwhile (`try_again`), and nobody becomes a guest by it.
    pub fn outage_grace(mut self, grace: Duration) -> Self {
        self.live.grace = grace.min(A_YEAR);
        self
    }

    /// Another feed of changes, besides the store's own. May be called several times.
    pub fn watch(mut self, watch: impl SessionWatch) -> Self {
        self.watches.push(Arc::new(watch));
        self
    }

    /// Told of each socket whose login has ended, right after it was told to go: after
    /// [`audit`](Self::audit), which hears of more than ends. Must not block; a panic in it is caught.
    pub fn on_session_end(mut self, told: impl Fn(&Ended<'_>) + Send + Sync + 'static) -> Self {
        self.observer.on_end = Some(Arc::new(told));
        self
    }

    /// Prolongs a session in its store when its user sends an event, at most once in `every`: as the
    /// app does with each request of theirs. Off by default; heartbeats never count.
    ///
    /// `every` has to be well below what a session may live. Counted are events whose handler takes
    /// [`Auth`](crate::Auth), [`MaybeAuth`](crate::MaybeAuth) or a session, or stands behind
    /// [`guard`](Authorizer::guard). The new life is the cookie's `originalMaxAge`; where it has
    /// none, the longest that the store was seen to give the session. A touch never shortens a life,
    /// and a session that was destroyed meanwhile is not brought back.
    pub fn touch_on_events(mut self, every: Duration) -> Self {
        self.live.touch_every = Some(every);
        self
    }

    /// How many connections a user may have on this node, and what becomes of one too many. No limit
    /// by default. Counted are connections (tabs, devices), however many namespaces each is in.
    pub fn max_connections_per_user(mut self, most: usize, over: OverLimit) -> Self {
        self.live.limit = Some((most, over));
        self
    }

    /// How long a connection may last. The client is told to come back (`session_ended`, with
    /// `reconnect: true`), and shows its cookie anew.
    ///
    /// No limit by default, but 1 h for sessions that the cookie carries (cookie-session, and
    /// koa-session without a store): nobody can end those from outside.
    ///
    /// # Security
    /// With [`layer_over`](Authorizer::layer_over) it is the connection's age, and the connection is
    /// closed. Otherwise each socket's: a client that stays in one namespace can come back to another
    /// on the same connection, with the cookie that this was opened with.
    pub fn max_connection_age(mut self, age: Duration) -> Self {
        self.live.max_connection_age = Some(age);
        self
    }
}
