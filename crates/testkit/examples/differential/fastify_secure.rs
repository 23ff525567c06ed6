//! @fastify/secure-session: the session encrypted in the cookie.

use std::time::Duration;

use express_session::cookie::decode_base64;
use express_session::source::SecureSessionSource;
use serde::Deserialize;

use crate::answer::{Answer, Session};
use crate::request::Request;

#[derive(Deserialize)]
pub(crate) struct Case {
    name: String,
    /// Keys in base64.
    secrets: Vec<String>,
    /// In seconds.
    expiry: Option<u64>,
    #[serde(flatten)]
    request: Request,
}

impl Case {
    pub(crate) fn answer(&self) -> Answer {
        let keys = self.secrets.iter().filter_map(|key| decode_base64(key).try_into().ok());
        match SecureSessionSource::with_keys(&self.name, keys) {
            Ok(source) => {
                let source = match self.expiry {
                    Some(seconds) => source.with_expiry(Duration::from_secs(seconds)),
                    None => source,
                };
                self.request.put_to(&source, "/passport")
            }
            Err(error) => Answer::without(Session::Refused, &error),
        }
    }
}
