#![no_main]
//! Any text as a store's URL, with any parameters: what is taken out is gone, the rest stays as it was
//! written, and neither an error nor `Debug` shows what may be a password.

use express_session::store::StoreUrl;
use fuzz::unit;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| unit(|| {
    let (text, name) = input;
    let mut url = StoreUrl::new(text);
    let before = url.rest();
    if url.take(name).is_ok_and(|taken| taken.is_none()) {
        assert_eq!(url.rest(), before);
    }
    // Taken once, it is gone.
    assert!(!url.take(name).is_ok_and(|taken| taken.is_some()));
    let mut secret = StoreUrl::new(&format!("redis://:hunter2@{text}"));
    let shown = format!("{:?} {secret:?}", secret.take(name).err());
    assert!(!shown.contains("hunter2"));
}));
