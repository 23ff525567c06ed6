//! The header `Forwarded` (RFC 7239): `for=192.0.2.60;proto=https;host="a.example:8443", for="[2001:db8::1]"`.
//!
//! Read to the letter, quotes first. A reader that split at commas before it looked at quotes (as the crate
//! `rfc7239` does) would let a client add an entry of its own, through a value that a proxy puts in quotes.

/// What one proxy says of the request that it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Element<'h> {
    pub(super) node: Option<&'h str>,
    pub(super) scheme: Option<&'h str>,
    pub(super) host: Option<&'h str>,
}

/// `None` if anything in it is not as the RFC says, or is escaped: no address, scheme or host needs that.
pub(super) fn parse(header: &str) -> Option<Vec<Element<'_>>> {
    let mut elements = Vec::new();
    let mut element = Element::default();
    let mut rest = header;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = value(after)?;
        let place = match name.trim_start_matches([' ', '\t']).to_ascii_lowercase().as_str() {
            "for" => Some(&mut element.node),
            "proto" => Some(&mut element.scheme),
            "host" => Some(&mut element.host),
            other if other.bytes().all(is_in_token) && !other.is_empty() => None,
            _ => return None,
        };
        // Each parameter once.
        if let Some(place) = place
            && place.replace(value).is_some()
        {
            return None;
        }
        let after = after.trim_matches([' ', '\t']);
        match after.split_at_checked(1) {
            None => break,
            Some((";", next)) => rest = next,
            Some((",", next)) => {
                elements.push(std::mem::take(&mut element));
                rest = next;
            }
            Some(_) => return None,
        }
    }
    elements.push(element);
    Some(elements)
}

/// A token or a quoted string, and what stands behind it.
fn value(text: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, after) = quoted.split_once('"')?;
        return (!value.contains('\\')).then_some((value, after));
    }
    // Addresses and hosts with a port need quotes, and come without them.
    let is_in_value = |byte: u8| is_in_token(byte) || matches!(byte, b':' | b'[' | b']');
    let end = text.bytes().position(|byte| !is_in_value(byte)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn is_in_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
