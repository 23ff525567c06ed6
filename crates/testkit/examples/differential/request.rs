//! The part of a case that every kind of session has: what a browser sends, and what the store holds.

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
    /// What the store holds, under whichever id it is asked for.
    payload: Option<Bytes>,
}

impl Request {
    /// What the authorizer would do with it, in the same order.
    pub(crate) fn put_to(&self, source: &dyn SessionSource, user_pointer: &str) -> Answer {
        let headers = self.headers.iter().map(|header| header.0.as_slice());
        let request = SessionRequest::from_cookie_headers(headers).unwrap_or_default();
        let read = |payload: &[u8]| source.read(payload, &RecordLimits::default());
        match source.locate(&request) {
            Err(fault) => Answer::without(Session::New, &fault),
            Ok(Located::Carried(carried)) => Answer::of(read(carried.payload()), user_pointer),
            Ok(Located::Stored(sid)) => {
                // As `RedisStore`: an empty value is no session.
                let payload = self.payload.as_ref().filter(|payload| !payload.0.is_empty());
                let record = payload.map_or(Ok(None), |payload| read(&payload.0));
                Answer::of(record, user_pointer).asked(sid.as_str())
            }
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
