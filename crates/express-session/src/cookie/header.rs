//! The `Cookie` header, read as npm [`cookie`] 0.7.2 does (`index.js`, `parse`).
//!
//! 1. Pairs are separated by `;` only; a part without `=` is skipped.
//! 2. Spaces and tabs around names and values are dropped, then one pair of double quotes.
//! 3. Names are case-sensitive. Of several cookies with one name **the first wins**, even if it is
//!    empty or broken.
//! 4. Values are decoded with `decodeURIComponent`; one that can't be decoded stays as it is.
//!
//! [`cookie` 1.x] differs in one thing: the quotes belong to the value.
//!
//! [`cookie`]: https://github.com/jshttp/cookie/blob/v0.7.2/index.js
//! [`cookie` 1.x]: https://github.com/jshttp/cookie/blob/v1.1.1/src/index.ts

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The value of the first cookie named `name`, decoded. `None` if there is no such cookie.
///
/// Takes the time of one pass over the header, and allocates only if the value has a `%`.
///
/// ```
/// use express_session::cookie::find;
///
/// assert_eq!(find("a=1; sid=s%3Ax; sid=2", "sid").as_deref(), Some("s:x"));
/// assert_eq!(find("sid=\"quoted\"", "sid").as_deref(), Some("quoted"));
/// assert_eq!(find("SID=1", "sid"), None);
/// ```
pub fn find<'a>(header: &'a str, name: &str) -> Option<Cow<'a, str>> {
    find_raw(header, name).map(unquote).map(decode)
}

/// The same as npm cookie 1.x reads it: quotes belong to the value.
pub(crate) fn find_with_quotes<'a>(header: &'a str, name: &str) -> Option<Cow<'a, str>> {
    find_raw(header, name).map(decode)
}

fn find_raw<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = header.split(';').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| trim(key) == name).map(|(_, value)| trim(value))
}

fn decode(value: &str) -> Cow<'_, str> {
    decode_uri_component(value).unwrap_or(Cow::Borrowed(value))
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A lone `"` counts as both quotes in npm's `slice(start + 1, end - 1)`, and leaves nothing.
fn unquote(value: &str) -> &str {
    match value.strip_prefix('"') {
        Some("") => "",
        Some(rest) => rest.strip_suffix('"').unwrap_or(value),
        None => value,
    }
}

/// ECMAScript's [`decodeURIComponent`], `None` where that throws: a `%` without two hexadecimal
/// digits, or bytes that are not UTF-8.
///
/// ```
/// use express_session::cookie::decode_uri_component;
///
/// assert_eq!(decode_uri_component("a%20b+c").as_deref(), Some("a b+c"));
/// assert_eq!(decode_uri_component("100%"), None);
/// assert_eq!(decode_uri_component("%C3"), None);
/// ```
///
/// [`decodeURIComponent`]: https://tc39.es/ecma262/#sec-decodeuricomponent-encodeduricomponent
pub fn decode_uri_component(text: &str) -> Option<Cow<'_, str>> {
    let well_formed = text
        .split('%')
        .skip(1)
        .all(|after| matches!(after.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()));
    if well_formed { percent_decode_str(text).decode_utf8().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (header, what npm cookie 0.7.2 gives for `n`)
    const CASES: &[(&str, Option<&str>)] = &[
        ("n=v", Some("v")),
        ("n = v", Some("v")),
        ("\tn\t=\tv\t;", Some("v")),
        ("a=1;n=v", Some("v")),
        ("a=1,n=v", None),
        ("n=first; n=second", Some("first")),
        ("n=; n=second", Some("")),
        ("N=v", None),
        ("n", None),
        ("n; n=v", Some("v")),
        ("x; n=v; y", Some("v")),
        ("n=\"v\"", Some("v")),
        ("n=\"v", Some("\"v")),
        ("n=\"", Some("")),
        ("n=\"\"", Some("")),
        ("n=\"a;b\"", Some("\"a")),
        ("n=a=b", Some("a=b")),
        ("n=a%3Db", Some("a=b")),
        ("n=%zz", Some("%zz")),
        ("n=%C3%A9", Some("é")),
        ("n=%ED%A0%80", Some("%ED%A0%80")),
        ("n=%C0%80", Some("%C0%80")),
        ("n=a+b", Some("a+b")),
        ("n=%", Some("%")),
        ("=v", None),
        ("", None),
        (";;;=;n=v", Some("v")),
    ];

    #[test]
    fn reads_as_npm_cookie_does() {
        for (header, expected) in CASES {
            assert_eq!(find(header, "n").as_deref(), *expected, "{header:?}");
        }
    }

    #[test]
    fn quotes_are_part_of_the_value_as_in_npm_cookie_1() {
        for (header, expected) in CASES {
            let expected = if header.contains('"') {
                header.strip_prefix("n=").and_then(|value| value.split(';').next())
            } else {
                *expected
            };
            assert_eq!(find_with_quotes(header, "n").as_deref(), expected, "{header:?}");
        }
    }

    #[test]
    fn a_nameless_cookie_has_the_empty_name() {
        assert_eq!(find("=v", "").as_deref(), Some("v"));
    }
}
