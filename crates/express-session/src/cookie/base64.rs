//! Base64 as Node's `Buffer.from(text, 'base64')` reads it: both alphabets, everything else is
//! skipped, and the first `=` ends it.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The bytes. Never fails, as in Node.
///
/// ```
/// use express_session::cookie::decode_base64;
///
/// assert_eq!(decode_base64("Q-_Q"), decode_base64("Q+/Q"));
/// assert_eq!(decode_base64("Q Q\n==ignored"), b"A");
/// assert_eq!(decode_base64("Q"), b"");
/// ```
pub fn decode_base64(text: &str) -> Vec<u8> {
    let mut digits: Vec<u8> = text
        .bytes()
        .take_while(|byte| *byte != b'=')
        .filter_map(|byte| match byte {
            b'-' => Some(b'+'),
            b'_' => Some(b'/'),
            b'+' | b'/' => Some(byte),
            _ => byte.is_ascii_alphanumeric().then_some(byte),
        })
        .collect();
    // A lone digit at the end is less than a byte.
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    LENIENT.decode(digits).unwrap_or_default()
}
