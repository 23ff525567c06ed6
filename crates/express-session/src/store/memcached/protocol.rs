//! Memcached's meta protocol (`doc/protocol.txt`): what we say, and how answers are read.
//!
//! Answers come in the order of the commands. Whatever is none of the protocol's answers is an error,
//! and so is more than a line or a value may have.

use std::fmt::{self, Write as _};
use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// Memcached takes no longer keys.
const MAX_KEY: usize = 250;
/// More than the first line of any answer has.
const MAX_LINE: u64 = 2048;
/// Memcached itself keeps 1 MiB at most, unless it is told otherwise (`-I`).
const MAX_VALUE: u64 = 16 * 1024 * 1024;

/// A key that is one word of the protocol: whatever the session id holds, it can't end a command.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    prefix: &'a str,
    sid: &'a str,
}

impl<'a> Key<'a> {
    /// `None` if memcached can hold no such key.
    pub(super) fn new(prefix: &'a str, sid: &'a str) -> Option<Self> {
        let is_key = (1..=MAX_KEY).contains(&(prefix.len() + sid.len()));
        (is_key && is_word(prefix) && is_word(sid)).then_some(Self { prefix, sid })
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, self.sid)
    }
}

/// Whether it can be part of a key: memcached's client in Node refuses white space (`/\s/`), and
/// control characters have no place in a key either.
pub(super) fn is_word(text: &str) -> bool {
    !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}')
}

/// Commands that are sent together.
#[derive(Default)]
pub(super) struct Commands {
    text: String,
    count: usize,
}

impl Commands {
    /// Asks for the value, its flags and what is left of its life.
    pub(super) fn get(self, key: Key<'_>) -> Self {
        self.and(format_args!("mg {key} t f v"))
    }

    /// Sets the life of what is there.
    pub(super) fn touch(self, key: Key<'_>, life: i64) -> Self {
        self.and(format_args!("mg {key} T{life}"))
    }

    /// Deletes what is there.
    pub(super) fn delete(self, key: Key<'_>) -> Self {
        self.and(format_args!("md {key}"))
    }

    /// Asks for a sign of life.
    pub(super) fn noop(self) -> Self {
        self.and(format_args!("mn"))
    }

    fn and(mut self, command: fmt::Arguments<'_>) -> Self {
        // Writing to a `String` can't fail.
        let _ = write!(self.text, "{command}\r\n");
        self.count += 1;
        self
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// How many answers they get.
    pub(super) fn count(&self) -> usize {
        self.count
    }
}

/// What memcached says to one command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was there (and what was asked has been done).
    Found(Found),
    /// There is nothing under that key.
    Missing,
    /// The sign of life.
    Noop,
}

/// Of what was there, as much as was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) value: Vec<u8>,
    pub(super) flags: u32,
    /// Seconds left; `None` if it has no expiry.
    pub(super) left: Option<u64>,
}

/// Reads the answer to one command.
pub(super) async fn read_answer(from: &mut (impl AsyncBufRead + Unpin)) -> Result<Answer> {
    // Every answer begins with a capital letter: garbage is none before its line has come to an end.
    if from.fill_buf().await?.first().is_some_and(|first| !first.is_ascii_uppercase()) {
        return Err(unreadable());
    }
    let mut line = Vec::new();
    (&mut *from).take(MAX_LINE).read_until(b'\n', &mut line).await?;
    let line = match line.strip_suffix(b"\r\n") {
        Some(line) => std::str::from_utf8(line).map_err(|_| unreadable())?,
        None if line.len() as u64 == MAX_LINE => return Err(unreadable()),
        None => return Err(ErrorKind::UnexpectedEof.into()),
    };
    let mut words = line.split(' ');
    match words.next() {
        Some("HD") => Ok(Answer::Found(found(words)?)),
        Some("VA") => {
            let size = words.next().and_then(|size| size.parse().ok()).ok_or_else(unreadable)?;
            let found = found(words)?;
            Ok(Answer::Found(Found { value: read_value(from, size).await?, ..found }))
        }
        Some("EN" | "NF") => Ok(Answer::Missing),
        Some("MN") => Ok(Answer::Noop),
        // Their texts are memcached's own, and tell no key.
        Some("SERVER_ERROR" | "CLIENT_ERROR") => Err(Error::other(line.to_owned())),
        Some("ERROR") => {
            Err(Error::other("it is no memcached 1.6: it does not know the meta protocol"))
        }
        _ => Err(unreadable()),
    }
}

fn found<'a>(words: impl Iterator<Item = &'a str>) -> Result<Found> {
    let mut found = Found::default();
    for word in words.filter(|word| !word.is_empty()) {
        let (name, value) = word.split_at_checked(1).ok_or_else(unreadable)?;
        match name {
            "t" if value == "-1" => found.left = None,
            "t" => found.left = Some(value.parse().map_err(|_| unreadable())?),
            "f" => found.flags = value.parse().map_err(|_| unreadable())?,
            // Such as `W` and `Z`, for who rebuilds what is stale.
            _ => {}
        }
    }
    Ok(found)
}

async fn read_value(from: &mut (impl AsyncBufRead + Unpin), size: u64) -> Result<Vec<u8>> {
    if size > MAX_VALUE {
        return Err(Error::new(ErrorKind::InvalidData, "the value has more than 16 MiB"));
    }
    let mut value = Vec::new();
    // Grows as the bytes come: a size that is only claimed costs nothing.
    from.take(size + 2).read_to_end(&mut value).await?;
    if value.len() as u64 != size + 2 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    if !value.ends_with(b"\r\n") {
        return Err(unreadable());
    }
    value.truncate(value.len() - 2);
    Ok(value)
}

fn unreadable() -> Error {
    Error::new(ErrorKind::InvalidData, "the answer is none of memcached's")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_session_id_can_end_a_command() {
        for bad in
            ["", "a b", "a\r\nflush_all", "a\n", "a\tb", "a\0b", "a\u{a0}b", "a\u{7f}", "\u{feff}"]
        {
            assert!(Key::new("", bad).is_none(), "{bad:?}");
        }
        assert!(Key::new("", &"x".repeat(250)).is_some());
        assert!(Key::new("", &"x".repeat(251)).is_none());
        assert!(Key::new("prefix:", &"x".repeat(244)).is_none());
        assert!(Key::new("a b", "sid").is_none());
        let key = Key::new("sess:", "é-😀'$").unwrap();
        let commands = Commands::default().get(key).touch(key, 60).noop();
        let text = "mg sess:é-😀'$ t f v\r\nmg sess:é-😀'$ T60\r\nmn\r\n";
        assert_eq!((commands.text(), commands.count()), (text, 3));
    }

    async fn read(mut answer: &[u8]) -> Result<Answer> {
        read_answer(&mut answer).await
    }

    #[tokio::test]
    async fn answers_are_read_with_their_flags() {
        let value = Found { value: b"{\r\n}".into(), flags: 2, left: Some(59) };
        assert_eq!(read(b"VA 4 t59 f2\r\n{\r\n}\r\n").await.unwrap(), Answer::Found(value));
        assert_eq!(read(b"HD t-1 W\r\n").await.unwrap(), Answer::Found(Found::default()));
        assert_eq!(read(b"HD\r\n").await.unwrap(), Answer::Found(Found::default()));
        assert_eq!(read(b"EN\r\n").await.unwrap(), Answer::Missing);
        assert_eq!(read(b"NF\r\n").await.unwrap(), Answer::Missing);
        assert_eq!(read(b"MN\r\n").await.unwrap(), Answer::Noop);
    }

    #[tokio::test]
    async fn an_unknown_answer_of_memcached_is_an_error() {
        let long = [b'x'; 5000];
        let broken: [&[u8]; 12] = [
            b"",
            b"HD",
            b"EN\n",
            b"\r\n",
            b"VA\r\n",
            b"VA x\r\n",
            b"VA 4 t1\r\n{}\r\n",
            b"VA 1 t1\r\n{}\r\n",
            b"VA 99999999999 t1\r\n",
            b"HD t-2\r\n",
            b"\xff\xfe\r\n",
            &long,
        ];
        for answer in broken {
            assert!(read(answer).await.is_err(), "{answer:?}");
        }
        let error = read(b"SERVER_ERROR object too large for cache\r\n").await.unwrap_err();
        assert_eq!(error.to_string(), "SERVER_ERROR object too large for cache");
        assert!(read(b"ERROR\r\n").await.unwrap_err().to_string().contains("meta protocol"));
    }
}
