//! @fastify/session on a store that reads as connect-redis does.

use express_session::source::FastifySource;
use serde::Deserialize;

use crate::answer::{Answer, Session};
use crate::request::Request;

#[derive(Deserialize)]
pub(crate) struct Case {
    name: String,
    secrets: Vec<String>,
    prefix: String,
    #[serde(flatten)]
    request: Request,
}

impl Case {
    pub(crate) fn answer(&self) -> Answer {
        match FastifySource::new(&self.name, &self.secrets) {
            Ok(source) => {
                self.request.put_to(&source.with_cookie_prefix(&self.prefix), "/passport")
            }
            Err(error) => Answer::without(Session::Refused, &error),
        }
    }
}
