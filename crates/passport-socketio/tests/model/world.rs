//! The world around the servers: sessions, users, the clock, and how well the store, its feed and the app's
//! hooks do. It knows at each moment which logins stand, and since when others do not. The rules compare
//! the servers with this.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use express_session::watch::{Change, Changes};
use express_session::{Clock, SessionId};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::config::{Config, FeedMode, HookMode, StoreMode};
use crate::record::Record;
use crate::rules::Violation;
use crate::store::Health;

/// A session's id, a user, a node: by their numbers.
pub(crate) type Sid = u32;
pub(crate) type UserId = u32;
/// Since the start of the run.
pub(crate) type Moment = Duration;
/// A node, and which of its authorizers.
pub(crate) type Place = (usize, usize);

/// Whether a user's login to a session stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) down_since: Option<Moment>,
    /// When it came up again.
    pub(crate) up_since: Moment,
}

pub(crate) struct World {
    pub(crate) config: Config,
    start: Instant,
    /// The feed was lost, or may be asked for again.
    pub(crate) feed_changed: Notify,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) now: Moment,
    pub(crate) sessions: HashMap<Sid, Session>,
    pub(crate) standings: HashMap<(Sid, UserId), Standing>,
    /// When a node last asked the store about a session, of the questions that it answered.
    pub(crate) heard: HashMap<(usize, Sid), Moment>,
    /// How the store is for each node.
    pub(crate) stores: HashMap<usize, Health>,
    pub(crate) feed: FeedMode,
    pub(crate) feeds: HashMap<Place, Changes>,
    /// When an authorizer was last told that a session changed, or (`None`) that any may have.
    announced: HashMap<(Place, Option<Sid>), Moment>,
    pub(crate) success: HookMode,
    pub(crate) deserializer: HookMode,
    /// When a hook was last slow or failing.
    pub(crate) hooks_unwell: Option<Moment>,
    /// How each user is in the app's database: their version, and since when they are banned.
    pub(crate) versions: HashMap<UserId, u32>,
    pub(crate) banned: HashMap<UserId, Moment>,
    pub(crate) was_banned: HashMap<UserId, Moment>,
    jump: i64,
    /// What time has ended, by which moment and clock.
    ended_by: (Moment, i64),
    pub(crate) jumped: Moment,
    pub(crate) record: Record,
    pub(crate) violation: Option<Violation>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) user: Option<UserId>,
    /// By the clock, if sessions are dated; else by the store's own count.
    pub(crate) ends: Option<Ends>,
    pub(crate) written: Moment,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Ends {
    At(Moment),
    Dated(SystemTime),
}

impl World {
    pub(crate) fn new(config: Config) -> Arc<Self> {
        let now = Moment::ZERO;
        let state = State {
            now,
            sessions: HashMap::new(),
            standings: HashMap::new(),
            heard: HashMap::new(),
            stores: HashMap::new(),
            feed: FeedMode::Prompt,
            feeds: HashMap::new(),
            announced: HashMap::new(),
            success: HookMode::Prompt,
            deserializer: HookMode::Prompt,
            hooks_unwell: None,
            versions: HashMap::new(),
            banned: HashMap::new(),
            was_banned: HashMap::new(),
            jump: 0,
            ended_by: (now, 0),
            jumped: now,
            record: Record::default(),
            violation: None,
        };
        let feed_changed = Notify::new();
        Arc::new(Self { config, start: Instant::now(), feed_changed, state: Mutex::new(state) })
    }

    pub(crate) fn now(&self) -> Moment {
        self.start.elapsed()
    }

    /// With what time has ended by itself already ended.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap();
        let (now, date) = (self.now(), self.date(state.jump));
        state.now = now;
        let asked = (now, state.jump);
        if std::mem::replace(&mut state.ended_by, asked) != asked {
            state.let_time_end(now, date);
        }
        state
    }

    fn date(&self, jump: i64) -> SystemTime {
        let noon = UNIX_EPOCH + Duration::from_secs(1_767_268_800) + self.now();
        let by = Duration::from_secs(jump.unsigned_abs());
        if jump < 0 { noon - by } else { noon + by }
    }

    pub(crate) fn jump(&self, to: i64) {
        let mut state = self.state();
        state.jump = to;
        state.jumped = state.now;
        drop(state);
        // What the jump ended, it ended now.
        drop(self.state());
    }

    pub(crate) fn ends_in(&self, life: Option<Duration>) -> Option<Ends> {
        let jump = self.state().jump;
        let life = life?;
        let is_dated = self.config.dated;
        Some(if is_dated {
            Ends::Dated(self.date(jump) + life)
        } else {
            Ends::At(self.now() + life)
        })
    }

    /// Writes a session, or destroys it, and tells the feeds.
    pub(crate) fn put(self: &Arc<Self>, sid: Sid, session: Option<Session>) {
        let mut state = self.state();
        let now = state.now;
        match session {
            Some(session) => state.sessions.insert(sid, Session { written: now, ..session }),
            None => state.sessions.remove(&sid),
        };
        let (mode, date) = (state.feed, self.date(state.jump));
        if session.is_none() {
            state.set_standing(sid, None, now);
        }
        state.let_time_end(now, date);
        drop(state);
        match mode {
            FeedMode::Prompt => self.announce(sid),
            FeedMode::Late(by) => {
                let world = self.clone();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(by)).await;
                    world.announce(sid);
                });
            }
            FeedMode::Deaf | FeedMode::Lost => {}
        }
    }

    fn announce(&self, sid: Sid) {
        let feeds: Vec<Changes> = {
            let mut state = self.state();
            let feeds: Vec<_> = state.feeds.clone().into_iter().collect();
            for (place, _) in &feeds {
                let now = state.now;
                state.announced.insert((*place, Some(sid)), now);
            }
            feeds.into_iter().map(|(_, changes)| changes).collect()
        };
        for changes in feeds {
            changes.report(Change::Session(session_id(sid)));
        }
    }

    pub(crate) fn violated(&self, rule: &'static str, what: impl Into<String>) {
        let mut state = self.state();
        let at = state.now;
        state.violation.get_or_insert_with(|| Violation { rule, at, what: what.into() });
    }
}

impl State {
    /// How the store is for a node.
    pub(crate) fn store(&self, node: usize) -> Health {
        self.stores.get(&node).copied().unwrap_or_default()
    }

    pub(crate) fn set_store(&mut self, node: usize, mode: StoreMode, max_stale: Duration) {
        let (mut health, now) = (self.store(node), self.now);
        let did_answer = health.answers();
        if health.is_well_at(now, max_stale) {
            health.well = now;
        }
        if health.mode != StoreMode::Up || mode != StoreMode::Up {
            health.unwell = Some(now);
        }
        health.mode = mode;
        if did_answer != health.answers() {
            health.since = now;
        }
        self.stores.insert(node, health);
    }

    pub(crate) fn bus_is_emptied(&mut self) {
        self.record.bus.emptied = Some(self.now);
    }

    /// A hook is about to change.
    pub(crate) fn hooks_are_unwell(&mut self) {
        self.hooks_unwell = Some(self.now);
    }

    /// The authorizer is told that any session may have changed.
    pub(crate) fn announce_all(&mut self, place: Place) {
        self.announced.insert((place, None), self.now);
    }

    pub(crate) fn announced(&self, place: Place, sid: Sid) -> Option<Moment> {
        let told = [Some(sid), None].map(|sid| self.announced.get(&(place, sid)).copied());
        told.into_iter().flatten().max()
    }

    pub(crate) fn standing(&self, sid: Sid, user: UserId) -> Option<Standing> {
        self.standings.get(&(sid, user)).copied()
    }

    fn let_time_end(&mut self, now: Moment, date: SystemTime) {
        let jumped = self.jumped;
        let sessions: Vec<(Sid, Session)> =
            self.sessions.iter().map(|(sid, session)| (*sid, *session)).collect();
        for (sid, session) in sessions {
            let ended = match session.ends {
                Some(Ends::At(at)) if at <= now => {
                    self.sessions.remove(&sid);
                    Some(at)
                }
                Some(Ends::Dated(at)) => {
                    let ago = date.duration_since(at).ok();
                    ago.map(|ago| now.saturating_sub(ago).max(jumped))
                }
                _ => None,
            };
            match ended {
                Some(at) => self.set_standing(sid, None, at.max(session.written)),
                // A date may be in the future again.
                None => self.set_standing(sid, session.user, now),
            }
        }
    }

    /// From `at` on, this user is logged in to the session, and no other.
    fn set_standing(&mut self, sid: Sid, user: Option<UserId>, at: Moment) {
        if let Some(user) = user {
            let up = Standing { down_since: None, up_since: at };
            let standing = self.standings.entry((sid, user)).or_insert(up);
            if standing.down_since.is_some() {
                *standing = up;
            }
        }
        for ((other, who), standing) in &mut self.standings {
            if *other == sid && Some(*who) != user {
                standing.down_since.get_or_insert(at);
            }
        }
    }
}

pub(crate) fn session_id(sid: Sid) -> SessionId {
    SessionId::new(format!("session-{sid}"))
}

pub(crate) fn sid_of(id: &SessionId) -> Option<Sid> {
    id.as_str().strip_prefix("session-")?.parse().ok()
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

/// The servers' clock, and the app's.
#[derive(Clone, Debug)]
pub(crate) struct WorldClock(pub(crate) Arc<World>);

impl Clock for WorldClock {
    fn now(&self) -> SystemTime {
        self.0.date(self.0.state().jump)
    }
}
