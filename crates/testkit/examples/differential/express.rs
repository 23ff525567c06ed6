//! express-session on a store that reads as connect-redis does.

use express_session::source::ExpressSource;
use serde::Deserialize;

use crate::answer::{Answer, Session};
use crate::request::Request;

#[derive(Deserialize)]
pub(crate) struct Case {
    name: String,
    secrets: Vec<String>,
    #[serde(flatten)]
    request: Request,
}

impl Case {
    pub(crate) fn answer(&self) -> Answer {
        match ExpressSource::new(&self.name, &self.secrets) {
            Ok(source) => self.request.put_to(&source, "/passport/user"),
            Err(error) => Answer::without(Session::Refused, &error),
        }
    }
}
