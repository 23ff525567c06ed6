//! A session store for programs of any language: the store's URL as the only argument, one JSON
//! command a line on stdin, one JSON answer a line on stdout.
//!
//! | command | answer |
//! |---|---|
//! | `{"do":"load","sid":"…"}` | `{"session":null}`, or `{"session":{"payload":"…","left_ms":1234,"alive":true}}` |
//! | `{"do":"load_many","sids":["…"]}` | `{"sessions":[…]}`, each as above |
//! | `{"do":"touch","sid":"…","seconds":60}` | `{"changed":true}` |
//! | `{"do":"destroy","sid":"…"}` | `{"changed":true}` |
//! | `{"do":"update","sid":"…","json":"…"}` | `{"changed":true}` |
//!
//! `left_ms` is null where a session never ends. What a backend can't do is answered with
//! `{"cannot":"touch"}`, what fails with `{"error":"…"}`.

#![allow(clippy::print_stdout, reason = "stdout is where the answers go")]

use std::error::Error;
use std::io::BufRead as _;
use std::time::Duration;

use express_session::store::{self, Life, SessionStore, StoreError, StoredSession};
use express_session::{Clock as _, SessionId, SystemClock};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Command {
    Load { sid: String },
    LoadMany { sids: Vec<String> },
    Touch { sid: String, seconds: u64 },
    Destroy { sid: String },
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("the URL of a store is needed")?;
    let store = store::open_now(&url).await.map_err(|error| with_causes(&error))?;
    println!("open");
    for line in std::io::stdin().lock().lines() {
        let command: Command = serde_json::from_str(&line?)?;
        let answer = answer(&*store, command).await;
        println!("{}", answer.unwrap_or_else(|error| json!({ "error": with_causes(&error) })));
    }
    Ok(())
}

async fn answer(store: &dyn SessionStore, command: Command) -> Result<Value, StoreError> {
    let changed = match command {
        Command::Load { sid } => {
            let session = store.load(&SessionId::new(sid)).await?;
            return Ok(json!({ "session": session.as_ref().map(shown) }));
        }
        Command::LoadMany { sids } => {
            let sids: Vec<_> = sids.into_iter().map(SessionId::new).collect();
            let sessions = store.load_many(&sids).await?;
            let sessions: Vec<_> =
                sessions.iter().map(|session| session.as_ref().map(shown)).collect();
            return Ok(json!({ "sessions": sessions }));
        }
        Command::Touch { sid, seconds } => match store.as_touch() {
            Some(store) => store.touch(&SessionId::new(sid), Duration::from_secs(seconds)).await?,
            None => return Ok(json!({ "cannot": "touch" })),
        },
        Command::Destroy { sid } => match store.as_destroy() {
            Some(store) => store.destroy(&SessionId::new(sid)).await?,
            None => return Ok(json!({ "cannot": "destroy" })),
        },
    };
    Ok(json!({ "changed": changed }))
}

fn shown(session: &StoredSession) -> Value {
    let now = SystemClock.now();
    let left = match session.life() {
        Life::Forever => None,
        Life::For(left) => Some(left),
        Life::Until(end) => Some(end.duration_since(now).unwrap_or_default()),
    };
    json!({
        "payload": String::from_utf8_lossy(session.payload()),
        "left_ms": left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        "alive": session.life().ended_at(now).is_none(),
    })
}

/// With everything that caused it.
fn with_causes(error: &StoreError) -> String {
    let mut with_causes = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        with_causes = format!("{with_causes}: {cause}");
        source = cause.source();
    }
    with_causes
}
