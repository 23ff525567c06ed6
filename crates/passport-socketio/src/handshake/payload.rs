//! The packets in the answer to a poll, in the three encodings of Engine.IO.

/// Between the packets of version 4.
const SEPARATOR: u8 = 0x1e;

/// An encoding, and what is left of the payload.
#[derive(Debug)]
pub(super) enum Payload<'p> {
    /// Packets with a separator between them. `None` at the end.
    Version4(Option<&'p [u8]>),
    /// `<length>:<packet>…`, its length in UTF-16 code units.
    TextOfVersion3(&'p str),
    /// `<0: text, 1: binary><length, a digit a byte><255><packet>…`, its length in bytes.
    BinaryOfVersion3(&'p [u8]),
}

/// A packet, as it is encoded in a payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encoded<'p> {
    /// With its length, where the encoding has one.
    pub(super) whole: &'p [u8],
    /// The packet alone: text, or binary data in base64 behind a `b`, unless it is binary.
    pub(super) packet: &'p [u8],
    pub(super) is_binary: bool,
}

/// What follows can't be told apart into packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl<'p> Payload<'p> {
    /// The error is a text that is none.
    pub(super) fn new(payload: &'p [u8], version_3: bool) -> Result<Self, Malformed> {
        match payload.first() {
            _ if !version_3 => Ok(Self::Version4((!payload.is_empty()).then_some(payload))),
            Some(0 | 1) => Ok(Self::BinaryOfVersion3(payload)),
            _ => std::str::from_utf8(payload).map(Self::TextOfVersion3).map_err(|_| Malformed),
        }
    }

    /// What of the payload `passes`, in its encoding.
    pub(super) fn filtered(
        self,
        mut passes: impl FnMut(&Encoded<'p>) -> bool,
    ) -> Result<Vec<u8>, Malformed> {
        let is_separated = matches!(self, Self::Version4(_));
        let mut passing = Vec::new();
        for encoded in self {
            let encoded = encoded?;
            if passes(&encoded) {
                passing.push(encoded.whole);
            }
        }
        Ok(if is_separated { passing.join(&SEPARATOR) } else { passing.concat() })
    }
}

/// Ends behind the first [`Malformed`].
impl<'p> Iterator for Payload<'p> {
    type Item = Result<Encoded<'p>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Version4(rest) => {
                let payload = rest.take()?;
                let end = payload.iter().position(|byte| *byte == SEPARATOR);
                let packet = end.and_then(|end| payload.get(..end)).unwrap_or(payload);
                *rest = end.and_then(|end| payload.get(end + 1..));
                Some(Ok(Encoded { whole: packet, packet, is_binary: false }))
            }
            Self::TextOfVersion3("") | Self::BinaryOfVersion3([]) => None,
            Self::TextOfVersion3(rest) => {
                let next = after_length(rest);
                *rest = next.map_or("", |(_, after)| after);
                Some(next.map(|(encoded, _)| encoded).ok_or(Malformed))
            }
            Self::BinaryOfVersion3(rest) => {
                let next = after_digits(rest);
                *rest = next.map_or(&[], |(_, after)| after);
                Some(next.map(|(encoded, _)| encoded).ok_or(Malformed))
            }
        }
    }
}

/// The packet at the beginning, and what is behind it.
fn after_length(payload: &str) -> Option<(Encoded<'_>, &str)> {
    let (length, rest) = payload.split_once(':')?;
    let end = utf16_prefix(rest, length.parse().ok()?)?;
    let (packet, after) = rest.split_at_checked(end)?;
    let whole = payload.get(..length.len() + 1 + end)?.as_bytes();
    Some((Encoded { whole, packet: packet.as_bytes(), is_binary: false }, after))
}

/// How many bytes the first so many UTF-16 code units are.
fn utf16_prefix(text: &str, units: usize) -> Option<usize> {
    let (mut seen, mut bytes) = (0, 0);
    for char in text.chars() {
        if seen >= units {
            break;
        }
        seen += char.len_utf16();
        bytes += char.len_utf8();
    }
    (seen == units).then_some(bytes)
}

/// The packet at the beginning, and what is behind it.
fn after_digits(payload: &[u8]) -> Option<(Encoded<'_>, &[u8])> {
    let (kind, digits) = payload.split_first()?;
    let end = digits.iter().position(|byte| *byte == 0xff)?;
    let add = |length: usize, digit: &u8| length.checked_mul(10)?.checked_add((*digit).into());
    let length = digits.get(..end)?.iter().try_fold(0, add)?;
    let (packet, after) = digits.get(end + 1..)?.split_at_checked(length)?;
    let whole = payload.get(..1 + end + 1 + length)?;
    Some((Encoded { whole, packet, is_binary: *kind != 0 }, after))
}
