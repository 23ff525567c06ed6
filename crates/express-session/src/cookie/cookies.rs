//! npm [`cookies`] 0.9.2 (`index.js`, `get`), which cookie-session and Koa read cookies with. It is
//! not npm `cookie`:
//!
//! 1. the first match of `(?:^|;) *NAME=([^;]*)` counts: spaces before the name, but no tabs, and
//!    none around the `=`;
//! 2. the value is not decoded and not trimmed; if it begins with a double quote, its first and last
//!    character are dropped, whatever the last one is;
//! 3. a signed cookie `NAME` is verified by the cookie `NAME.sig`, which signs `NAME=VALUE`.
//!
//! [`cookies`]: https://github.com/pillarjs/cookies/blob/0.9.2/index.js

use super::Keygrip;

/// The value of the cookie named `name`.
///
/// ```
/// use express_session::cookie::cookies_get;
///
/// assert_eq!(cookies_get("a=1;  session=x ; session=y", "session"), Some("x "));
/// assert_eq!(cookies_get("session=%3D", "session"), Some("%3D"));
/// assert_eq!(cookies_get("session =x", "session"), None);
/// ```
pub fn cookies_get<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let value = header
        .split(';')
        .find_map(|pair| pair.trim_start_matches(' ').strip_prefix(name)?.strip_prefix('='))?;
    Some(match value.strip_prefix('"') {
        Some(rest) => {
            let mut chars = rest.chars();
            chars.next_back();
            chars.as_str()
        }
        None => value,
    })
}

/// A signed cookie: what it says, and whether one of the keys has signed it.
///
/// ```
/// use express_session::cookie::{Keygrip, KeygripHash, Signed, cookies_get_signed};
///
/// let keys = Keygrip::new(["key1", "key2"], KeygripHash::Sha1)?;
/// let header = "session=eyJ9; session.sig=forged";
/// assert_eq!(cookies_get_signed(header, "session", &keys), Signed::Forged);
/// assert_eq!(cookies_get_signed("a=1", "session", &keys), Signed::Missing);
/// # Ok::<_, express_session::cookie::EmptySecret>(())
/// ```
pub fn cookies_get_signed<'a>(header: &'a str, name: &str, keys: &Keygrip) -> Signed<'a> {
    let Some(value) = cookies_get(header, name) else {
        return Signed::Missing;
    };
    match cookies_get(header, &format!("{name}.sig")) {
        None | Some("") => Signed::Unsigned,
        Some(signature) if keys.verify(&format!("{name}={value}"), signature) => {
            Signed::Verified(value)
        }
        Some(_) => Signed::Forged,
    }
}

/// What [`cookies_get_signed`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed<'a> {
    /// There is no such cookie.
    Missing,
    /// There is one, and no signature beside it.
    Unsigned,
    /// There is a signature that none of the keys made.
    Forged,
    /// One of the keys signed it.
    Verified(&'a str),
}
