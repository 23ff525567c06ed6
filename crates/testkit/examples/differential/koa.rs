//! koa-session, its sessions in the cookie or in a store that reads as koa-redis does.

use express_session::source::KoaSource;
use serde::Deserialize;

use crate::answer::Answer;
use crate::keygrip::Signed;

#[derive(Deserialize)]
pub(crate) struct Case {
    stored: bool,
    #[serde(flatten)]
    signed: Signed,
}

impl Case {
    pub(crate) fn answer(&self) -> Answer {
        self.signed.put_to(|name, keys, hash| {
            if self.stored {
                KoaSource::in_store(name, keys, hash)
            } else {
                KoaSource::in_cookie(name, keys, hash)
            }
        })
    }
}
