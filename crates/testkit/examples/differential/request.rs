//! The part of a case that every kind of session has: what a browser sends, and what the store holds.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use express_session::source::{Located, SessionSource};
use express_session::{RecordLimits, SessionRequest};
use serde::{Deserialize, Deserializer, de};

use crate::answer::{Answer, Session};

#[derive(Deserialize)]
pub(crate) struct Request {
    /// The `Cookie` headers.
    headers: Vec<Bytes>,
    /// What the store returns, for any id.
    payload: Option<Bytes>,
    /// The time, in milliseconds since 1970, for kinds that check it themselves.
    now: Option<u64>,
}

impl Request {
    /// What the authorizer would do with it, in the same order.
    pub(crate) fn put_to(&self, source: &dyn SessionSource, user_pointer: &str) -> Answer {
        let headers = self.headers.iter().map(|header| header.0.as_slice());
        let request = SessionRequest::from_cookie_headers(headers).unwrap_or_default();
        match source.locate(&request) {
            Err(fault) => Answer::without(Session::New, &fault),
            Ok(Located::Carried(carried)) => self.read(source, carried.payload(), user_pointer),
            Ok(Located::Stored(sid)) => {
                // As `RedisStore`: an empty value is no session.
                match self.payload.as_ref().filter(|payload| !payload.0.is_empty()) {
                    Some(payload) => self.read(source, &payload.0, user_pointer),
                    None => Answer::without(Session::New, &"nothing is stored"),
                }
                .asked(sid.as_str())
            }
        }
    }

    fn read(&self, source: &dyn SessionSource, payload: &[u8], user_pointer: &str) -> Answer {
        let record = match source.read(payload, &RecordLimits::default()) {
            Ok(Some(record)) => record,
            Ok(None) => return Answer::without(Session::New, &"there is no session"),
            Err(corrupt) => return Answer::without(Session::Error, &corrupt),
        };
        let now = self.now.map(|ms| UNIX_EPOCH + Duration::from_millis(ms));
        match (source.expiry(&record), now) {
            (Some(expiry), Some(now)) if expiry <= now => {
                Answer::without(Session::New, &"the session has expired")
            }
            _ => Answer::of(&record, user_pointer),
        }
    }
}

/// Bytes in base64: headers and payloads need not be text.
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(text: D) -> Result<Self, D::Error> {
        let text = String::deserialize(text)?;
        STANDARD.decode(text).map(Self).map_err(de::Error::custom)
    }
}
