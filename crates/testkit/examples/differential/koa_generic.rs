//! koa-generic-session on koa-redis.

use express_session::source::KoaGenericSource;
use serde::Deserialize;

use crate::answer::Answer;
use crate::keygrip::Signed;

#[derive(Deserialize)]
pub(crate) struct Case(Signed);

impl Case {
    pub(crate) fn answer(&self) -> Answer {
        self.0.put_to(|name, keys, hash| KoaGenericSource::new(name, keys, hash))
    }
}
