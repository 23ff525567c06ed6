//! cookie-session: the cookie carries the session.

use express_session::source::CookieSessionSource;
use serde::Deserialize;

use crate::answer::Answer;
use crate::keygrip::Signed;

#[derive(Deserialize)]
pub(crate) struct Case(Signed);

impl Case {
    pub(crate) fn answer(&self) -> Answer {
        self.0.put_to(|name, keys, hash| CookieSessionSource::new(name, keys, hash))
    }
}
