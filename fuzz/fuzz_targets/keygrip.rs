#![no_main]
//! A cookie counts only with the signature that one of the keys makes.

use express_session::cookie::{Keygrip, KeygripHash, Signed, cookies_get_signed};
use fuzz::unit;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, &str, &str)| unit(|| {
    let (sha256, key, header) = input;
    let hash = if sha256 { KeygripHash::Sha256 } else { KeygripHash::Sha1 };
    let Ok(keys) = Keygrip::new([key], hash) else { return };
    if let Signed::Verified(value) = cookies_get_signed(header, "session", &keys) {
        assert!(header.contains(&keys.sign(&format!("session={value}"))));
    }
}));
