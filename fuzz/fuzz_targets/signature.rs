#![no_main]
//! Only what the signer signed does it give back.

use express_session::cookie::Signer;
use fuzz::unit;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, &str)| unit(|| {
    let (secret, value, forged) = input;
    let Ok(signer) = Signer::new([secret, "another"]) else { return };
    let signed = signer.sign(value);
    assert_eq!(signer.unsign(&signed), Some(value));
    assert!(signer.unsign(forged).is_none_or(|value| signer.sign(value) == forged));
}));
