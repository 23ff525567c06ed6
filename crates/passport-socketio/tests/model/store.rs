//! The sessions' store and its feed of changes, as the servers see them; and how well the store does.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use express_session::SessionId;
use express_session::store::{DestroySession, Life, SessionStore, StoreError, StoredSession};
use express_session::watch::{Changes, SessionWatch, WatchError};
use tokio::time::sleep;

use crate::config::{FeedMode, STORE_TIMEOUT, StoreMode};
use crate::world::{Ends, Moment, Place, Session, World, sid_of};

/// How the store is for a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Health {
    pub(crate) mode: StoreMode,
    /// Since when it answers, or does not.
    pub(crate) since: Moment,
    /// When it was last slow, away or hanging.
    pub(crate) unwell: Option<Moment>,
    /// Until when it last answered for so long that every session was looked at.
    pub(crate) well: Moment,
}

impl Default for Health {
    fn default() -> Self {
        Self { mode: StoreMode::Up, since: Moment::ZERO, unwell: None, well: Moment::ZERO }
    }
}

impl Health {
    pub(crate) fn answers(&self) -> bool {
        matches!(self.mode, StoreMode::Up | StoreMode::Slow(_))
    }

    /// Whether it has answered for so long that every session was looked at.
    pub(crate) fn is_well_at(&self, now: Moment, max_stale: Duration) -> bool {
        self.answers() && now - self.since > 2 * max_stale + 4 * STORE_TIMEOUT
    }

    /// When every session had last been looked at.
    pub(crate) fn last_well(&self, now: Moment, max_stale: Duration) -> Moment {
        if self.is_well_at(now, max_stale) { now } else { self.well }
    }
}

/// The store as a node sees it.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) world: Arc<World>,
    pub(crate) node: usize,
}

impl Store {
    /// What the store knew when it was asked.
    async fn ask(&self, sids: &[SessionId]) -> Result<Vec<Option<StoredSession>>, StoreError> {
        let (asked, mode, known): (_, _, Vec<_>) = {
            let state = self.world.state();
            let known = sids.iter().map(|id| state.sessions.get(&sid_of(id)?).copied());
            (state.now, state.store(self.node).mode, known.collect())
        };
        answer(mode).await?;
        let mut state = self.world.state();
        for sid in sids.iter().filter_map(sid_of) {
            let heard = state.heard.entry((self.node, sid)).or_insert(asked);
            *heard = asked.max(*heard);
        }
        Ok(known.into_iter().map(|session| session.map(|session| stored(session, asked))).collect())
    }
}

/// As long as it takes.
async fn answer(mode: StoreMode) -> Result<(), StoreError> {
    match mode {
        StoreMode::Up => tokio::task::yield_now().await,
        StoreMode::Slow(by) => sleep(Duration::from_millis(by)).await,
        StoreMode::Away => return Err(StoreError::message("it is away")),
        StoreMode::Hanging => std::future::pending().await,
    }
    Ok(())
}

fn stored(session: Session, asked: Moment) -> StoredSession {
    let json = match session.user {
        Some(user) => format!(r#"{{"cookie":{{}},"passport":{{"user":{user}}}}}"#),
        None => r#"{"cookie":{}}"#.into(),
    };
    let life = match session.ends {
        None => Life::Forever,
        Some(Ends::At(at)) => Life::For(at.saturating_sub(asked)),
        Some(Ends::Dated(at)) => Life::Until(at),
    };
    StoredSession::new(json, life)
}

#[async_trait]
impl SessionStore for Store {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let mut answer = self.ask(std::slice::from_ref(sid)).await?;
        Ok(answer.pop().flatten())
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        self.ask(sids).await
    }

    fn as_destroy(&self) -> Option<&dyn DestroySession> {
        Some(self)
    }
}

#[async_trait]
impl DestroySession for Store {
    async fn destroy(&self, sid: &SessionId) -> Result<bool, StoreError> {
        let mode = self.world.state().store(self.node).mode;
        answer(mode).await?;
        let Some(sid) = sid_of(sid) else { return Ok(false) };
        let was_there = self.world.state().sessions.contains_key(&sid);
        if was_there {
            self.world.put(sid, None);
        }
        Ok(was_there)
    }
}

/// One authorizer's feed of changes.
pub(crate) struct Feed {
    pub(crate) world: Arc<World>,
    pub(crate) place: Place,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feed")
    }
}

#[async_trait]
impl SessionWatch for Feed {
    async fn watch(&self, changes: &Changes) -> Result<Infallible, WatchError> {
        let is_lost = || self.world.state().feed == FeedMode::Lost;
        while !is_lost() {
            let until = self.world.feed_changed.notified();
            self.world.state().feeds.insert(self.place, changes.clone());
            until.await;
        }
        let mut state = self.world.state();
        state.feeds.remove(&self.place);
        state.announce_all(self.place);
        Err(WatchError::Lost(StoreError::message("the feed is lost")))
    }
}
