//! Common code of the kinds that read their cookies with npm cookies.

use express_session::cookie::KeygripHash;
use express_session::source::{SessionSource, SourceError};
use serde::Deserialize;

use crate::answer::{Answer, Session};
use crate::request::Request;

/// A cookie that keygrip signed.
#[derive(Deserialize)]
pub(crate) struct Signed {
    name: String,
    secrets: Vec<String>,
    hash: Hash,
    #[serde(flatten)]
    request: Request,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Hash {
    Sha1,
    Sha256,
}

impl Signed {
    /// What the request ends with in the source that `make` makes of a name, keys and a hash.
    pub(crate) fn put_to<S: SessionSource>(
        &self,
        make: impl FnOnce(&str, &[String], KeygripHash) -> Result<S, SourceError>,
    ) -> Answer {
        let hash = match self.hash {
            Hash::Sha1 => KeygripHash::Sha1,
            Hash::Sha256 => KeygripHash::Sha256,
        };
        match make(&self.name, &self.secrets, hash) {
            Ok(source) => self.request.put_to(&source, "/passport/user"),
            Err(error) => Answer::without(Session::Refused, &error),
        }
    }
}
