#![no_main]
//! @fastify/secure-session: any cookies, any sealed session.

use std::sync::LazyLock;

use crypto_secretbox::aead::{Aead as _, KeyInit as _};
use crypto_secretbox::{Nonce, XSalsa20Poly1305};
use express_session::SessionRequest;
use express_session::source::SecureSessionSource;
use fuzz::{base64, locate_signed, locates_nothing, read_carried, unit};
use libfuzzer_sys::fuzz_target;

const KEY: [u8; 32] = [7; 32];

static KIND: LazyLock<SecureSessionSource> =
    LazyLock::new(|| SecureSessionSource::with_keys("n", [[8; 32], KEY]).unwrap());

fuzz_target!(|input: (&str, [u8; 24], &[u8])| unit(|| {
    let (cookies, nonce, session) = input;
    locates_nothing(&*KIND, &SessionRequest::from_cookie_header(cookies));
    let sealed = XSalsa20Poly1305::new(&KEY.into()).encrypt(&Nonce::from(nonce), session).unwrap();
    let pair = format!("n={}%3B{}", base64(&sealed), base64(&nonce));
    let located = locate_signed(&*KIND, &pair, cookies).unwrap();
    read_carried(&*KIND, &located, session);
}));
