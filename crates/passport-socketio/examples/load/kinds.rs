//! Handshakes that mean no good, and what must become of each.

use crate::client::upgrade;
use crate::server::{SlowStore, cookie, cookie_by};

/// A session that is good, and that nobody here may cause to be loaded.
pub(crate) const NEVER: &str = "never-to-be-loaded";
/// Sessions whose records are out of bounds.
const HUGE: &str = "huge";
const DEEP: &str = "deep";

/// What must become of a handshake.
#[derive(Clone, Copy)]
pub(crate) enum Fate {
    /// It is answered with one of these.
    Answered(&'static [u16]),
    /// A WebSocket is opened, and the CONNECT refused with this.
    Refused(&'static str),
    /// A WebSocket is opened, what the client then sends is nonsense, and it is closed or ignored.
    Babbles(&'static str),
    /// A WebSocket is opened, nothing is sent, and the host closes it.
    LeftOpen,
    /// The client goes away in the middle of it.
    GoesAway,
}
use Fate::{Answered, Babbles, GoesAway, LeftOpen, Refused};

pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) request: fn(usize) -> Vec<u8>,
    pub(crate) fate: Fate,
}

pub(crate) fn prepare(store: &SlowStore) {
    store.log_in(NEVER, 1);
    let padding = "x".repeat(2 << 20);
    store.put(HUGE, format!(r#"{{"cookie":{{}},"passport":{{"user":1}},"x":"{padding}"}}"#));
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    store.put(DEEP, format!(r#"{{"cookie":{{}},"passport":{{"user":1}},"x":{open}{close}}}"#));
}

pub(crate) const KINDS: &[Kind] = &[
    kind("a foreign origin", |_| with("Origin: https://evil.example\r\n", NEVER), DENIED),
    kind("the origin null", |_| with("Origin: null\r\n", NEVER), DENIED),
    kind(
        "two origins",
        |_| with("Origin: http://app.example\r\nOrigin: https://evil.example\r\n", NEVER),
        DENIED,
    ),
    kind("a lookalike", |_| with("Origin: http://app.example.evil.io\r\n", NEVER), DENIED),
    kind("another port", |_| with("Origin: http://app.example:8080\r\n", NEVER), DENIED),
    kind("another site's fetch", |_| with("Sec-Fetch-Site: cross-site\r\n", NEVER), DENIED),
    kind(
        "a forged X-Forwarded-Host",
        |_| with("Origin: http://evil.example\r\nX-Forwarded-Host: evil.example\r\n", NEVER),
        DENIED,
    ),
    kind("a wrong secret", |_| shown(&cookie_by("dog", NEVER)), STRANGER),
    kind("a tampered id", |_| shown(&cookie(NEVER).replace("never", "ever")), STRANGER),
    kind("a truncated signature", |_| shown(cookie(NEVER).split_at(40).0), STRANGER),
    kind("no signature", |_| shown("connect.sid=s%3Anever-to-be-loaded"), STRANGER),
    kind("a broken escape", |_| shown("connect.sid=%zz%"), STRANGER),
    kind("an id with NUL", |_| shown(&cookie("never\0")), STRANGER),
    kind("an id with CRLF", |_| shown(&cookie("never\r\nSET x y")), STRANGER),
    kind("a cookie of 64 KB", |_| shown(&format!("x={}", "x".repeat(64 << 10))), STRANGER),
    kind(
        "10,000 cookies",
        |_| shown(&format!("{}{}", "a=b; ".repeat(10_000), cookie(NEVER))),
        STRANGER,
    ),
    kind("1,000 session cookies", |_| shown(&"connect.sid=s%3Ax.y; ".repeat(1000)), STRANGER),
    kind("an id nobody has", |n| shown(&cookie(&format!("unknown-{n}"))), STRANGER),
    kind("2 MiB of JSON", |_| shown(&cookie(HUGE)), Refused("server_error")),
    kind("JSON 10,000 levels deep", |_| shown(&cookie(DEEP)), Refused("server_error")),
    kind("no transport", |_| get("EIO=4", ""), BAD),
    kind("no such transport", |_| get("EIO=4&transport=pigeon", ""), BAD),
    kind("no such protocol", |_| get("EIO=99&transport=polling", ""), BAD),
    kind("somebody's engine id", |_| get("EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA", ""), BAD),
    kind("an engine id of NUL", |_| get("EIO=4&transport=polling&sid=%00", ""), BAD),
    kind("control characters", |_| get(POLLING, "Cookie: connect.sid=\x0b\x0c\x1c\r\n"), BAD),
    kind("a raw NUL", |_| get(POLLING, "Cookie: connect.sid=\0\r\n"), BAD),
    kind("no HTTP at all", |_| b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n".to_vec(), BAD),
    kind("a head of 1 MiB", |_| get(POLLING, &format!("X: {}\r\n", "x".repeat(1 << 20))), BAD),
    kind("half a request", |_| b"GET /socket.io/?EIO=4&transport=poll".to_vec(), GoesAway),
    kind("an abandoned poll", |_| get(POLLING, ""), Answered(&[200])),
    kind("nonsense for a packet", |_| shown(""), Babbles("4!?!")),
    kind("a namespace nobody has", |_| shown(""), Babbles("40/nowhere,")),
    kind("an event before CONNECT", |_| shown(""), Babbles("42[\"x\"]")),
    kind("no CONNECT", |_| shown(""), LeftOpen),
];

const POLLING: &str = "EIO=4&transport=polling";
const WEBSOCKET: &str = "EIO=4&transport=websocket";
const DENIED: Fate = Answered(&[403]);
const BAD: Fate = Answered(&[400, 431]);
const STRANGER: Fate = Refused("unauthorized");

const fn kind(name: &'static str, request: fn(usize) -> Vec<u8>, fate: Fate) -> Kind {
    Kind { name, request, fate }
}

fn with(headers: &str, sid: &str) -> Vec<u8> {
    upgrade(WEBSOCKET, &format!("{headers}Cookie: {}\r\n", cookie(sid))).into_bytes()
}

fn shown(cookies: &str) -> Vec<u8> {
    upgrade(WEBSOCKET, &format!("Cookie: {cookies}\r\n")).into_bytes()
}

fn get(query: &str, headers: &str) -> Vec<u8> {
    let line = format!("GET /socket.io/?{query} HTTP/1.1\r\nHost: app.example\r\n");
    format!("{line}{headers}Connection: close\r\n\r\n").into_bytes()
}
