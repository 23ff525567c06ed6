use std::time::Duration;

use serde::Deserialize;

use super::*;
use crate::{Limits, Malformed, Value};

#[derive(Deserialize)]
struct Vectors {
    published: Vec<Published>,
}

#[derive(Deserialize)]
struct Published {
    what: String,
    channel: String,
    hex: String,
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn published(what: &str) -> (String, Vec<u8>) {
    let text = include_str!("../../vectors/packages.json");
    let vectors = serde_json::from_str::<Vectors>(text).unwrap().published;
    let vector = vectors.into_iter().find(|vector| vector.what == what).unwrap();
    (vector.channel, bytes(&vector.hex))
}

fn limits() -> Limits {
    Limits::default()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn target(rooms: &[&str], except: &[&str]) -> Target {
    Target { rooms: names(rooms), except: names(except), ..Target::default() }
}

fn event(name: &str, args: Vec<Value>) -> Event {
    Event::new(name, args).unwrap()
}

/// What `news` carries in the vectors, as the version of notepack.io leaves it.
fn news(a_map: Vec<(String, Value)>, undefined: Value) -> Event {
    let args = vec![
        Value::Map(a_map),
        Value::Date(Some(0)),
        Value::Bytes(vec![1, 2].into()),
        undefined,
        Value::Float(1.5),
        Value::Int(-1),
        Value::Int(1 << 40),
    ];
    event("news", args)
}

#[test]
fn what_the_emitters_broadcast_is_read() {
    let a = || ("a".to_owned(), Value::Int(1));
    let volatile = Target { volatile: true, ..target(&["a", "b"], &["c"]) };
    let of_legacy = Target { volatile: true, ..target(&["a", "b"], &[]) };
    let b = ("b".to_owned(), Value::Undefined);
    for (what, namespace, event, target) in [
        ("all", "/", event("hi", vec![]), target(&[], &[])),
        ("room", "/", news(vec![a()], Value::Null), target(&["user:42"], &[])),
        ("rooms", "/", event("x", vec![]), volatile),
        ("except", "/", event("x", vec![]), target(&[], &["c", "7"])),
        ("namespace", "/chat", event("x", vec![]), target(&["r#1"], &[])),
        ("number", "/", event("x", vec![]), target(&["7"], &[])),
        ("legacy all", "/", event("hi", vec![]), target(&[], &[])),
        ("legacy room", "/", news(vec![a(), b], Value::Undefined), target(&["user:42"], &[])),
        ("legacy rooms", "/chat", event("x", vec![]), of_legacy),
    ] {
        let read = Broadcast::read(&published(what).1, &limits()).unwrap();
        let sender = "emitter".into();
        assert_eq!(
            read,
            Broadcast { sender, namespace: namespace.into(), event, target },
            "{what}"
        );
    }
}

#[test]
fn what_the_emitter_requests_is_read() {
    let join = |target, rooms| RequestKind::Join { target, rooms: names(rooms) };
    let leave = |target, rooms| RequestKind::Leave { target, rooms: names(rooms) };
    for (what, kind) in [
        ("join", join(target(&["a"], &[]), &["b", "c"])),
        ("join number", join(target(&[], &[]), &["7"])),
        ("half a pair", join(target(&[], &[]), &["\u{fffd}"])),
        ("leave", leave(target(&[], &[]), &["b"])),
        ("disconnect", RequestKind::Disconnect { target: target(&["user:42"], &[]), close: true }),
        ("leave namespace", RequestKind::Disconnect { target: target(&[], &["a"]), close: false }),
    ] {
        let (channel, message) = published(what);
        assert_eq!(channel, "socket.io-request#/#");
        let read = Request::read(&message, &limits()).unwrap();
        assert_eq!(read, Request { sender: None, id: None, kind }, "{what}");
    }
    let read = Request::read(&published("server").1, &limits()).unwrap();
    assert_eq!(read.sender.as_deref(), Some("emitter"));
    let RequestKind::ServerSideEmit(event) = read.kind else { panic!() };
    let text = r#"{"z":2,"at":"1970-01-01T00:00:00.000Z","b":{"type":"Buffer","data":[1]}}"#;
    assert_eq!((event.name(), &event.args()[0]), ("ev", &Value::Int(1)));
    assert_eq!(event.args()[1].to_json(), text.as_bytes());
}

/// What servers on @socket.io/redis-adapter 8.3.0 were seen to publish.
#[test]
fn what_the_adapter_asks_and_answers_is_read() {
    let request = |text: &str| Request::read(text.as_bytes(), &limits()).unwrap();
    let fetch = request(
        r#"{"uid":"yodURL","requestId":"Bujwei","type":5,"opts":{"rooms":["a"],"except":[]}}"#,
    );
    assert_eq!(fetch.kind, RequestKind::FetchSockets { target: target(&["a"], &[]) });
    assert_eq!(fetch.id.as_deref(), Some("Bujwei"));
    let emit = request(r#"{"uid":"yodURL","requestId":"kHCkE2","type":6,"data":["ev2",1]}"#);
    assert_eq!(emit.kind, RequestKind::ServerSideEmit(event("ev2", vec![Value::Int(1)])));

    let response = |text: &str| Response::read(text.as_bytes(), &limits()).unwrap();
    let id = |id: &str| id.to_owned();
    assert_eq!(
        response(r#"{"requestId":"r1","sockets":[]}"#),
        Response::Sockets { id: id("r1"), sockets: vec![] }
    );
    assert_eq!(
        response(r#"{"requestId":"r1","sockets":["a"]}"#),
        Response::SocketIds { id: id("r1"), sockets: names(&["a"]) }
    );
    assert_eq!(
        response(r#"{"requestId":"r2","rooms":[7]}"#),
        Response::Rooms { id: id("r2"), rooms: names(&["7"]) }
    );
    assert_eq!(
        response(r#"{"type":6,"requestId":"r4","data":"ok"}"#),
        Response::ServerSideEmit { id: id("r4"), data: Value::Str("ok".into()) }
    );
    assert_eq!(
        response(r#"{"type":8,"requestId":"r5","clientCount":2}"#),
        Response::ClientCount { id: id("r5"), clients: 2 }
    );
    let ack = [&b"\x83\xa4type\x09\xa9requestId\xa2r6\xa6packet"[..], b"\xc4\x01\x07"].concat();
    assert_eq!(
        Response::read(&ack, &limits()).unwrap(),
        Response::Ack { id: id("r6"), value: Value::Bytes(vec![7].into()) }
    );
}

#[test]
fn a_broadcast_with_acknowledgements_is_written_as_msgpack() {
    let request = Request {
        sender: Some("yodURL".into()),
        id: Some("kHCkE2".into()),
        kind: RequestKind::BroadcastWithAck {
            namespace: "/".into(),
            event: event("q", vec![Value::Int(1)]),
            target: Target { timeout: Some(Duration::from_millis(50)), ..target(&["r"], &[]) },
        },
    };
    let expected = [
        &b"\x85\xa3uid\xa6yodURL\xa9requestId\xa6kHCkE2\xa4type\x07"[..],
        b"\xa6packet\x83\xa4type\x02\xa4data\x92\xa1q\x01\xa3nsp\xa1/",
        b"\xa4opts\x83\xa5rooms\x91\xa1r\xa6except\x90\xa5flags\x81\xa7timeout\x32",
    ];
    assert_eq!(request.write(), expected.concat());
    assert_eq!(Request::read(&request.write(), &limits()).unwrap(), request);
}

#[test]
fn every_message_that_is_written_is_read_again() {
    let target = || Target { volatile: false, ..target(&["a"], &["b"]) };
    for kind in [
        RequestKind::Sockets { rooms: names(&["a"]) },
        RequestKind::AllRooms,
        RequestKind::Join { target: target(), rooms: names(&["c"]) },
        RequestKind::Leave { target: target(), rooms: names(&["c"]) },
        RequestKind::Disconnect { target: target(), close: true },
        RequestKind::FetchSockets { target: target() },
        RequestKind::ServerSideEmit(event("e", vec![Value::Null])),
    ] {
        let request = Request { sender: Some("u".into()), id: None, kind };
        assert_eq!(Request::read(&request.write(), &limits()).unwrap(), request);
    }
    let id = || "r".to_owned();
    let socket = RemoteSocket {
        id: "s".into(),
        rooms: names(&["s", "a"]),
        data: Value::Map(vec![("user".into(), Value::Int(42))]),
        handshake: Value::Map(vec![]),
    };
    for response in [
        Response::SocketIds { id: id(), sockets: names(&["a"]) },
        Response::Sockets { id: id(), sockets: vec![socket] },
        Response::Rooms { id: id(), rooms: names(&["a"]) },
        Response::ServerSideEmit { id: id(), data: Value::Int(1) },
        Response::ClientCount { id: id(), clients: 3 },
        Response::Ack { id: id(), value: Value::Str("x".into()) },
        Response::Done { id: id() },
    ] {
        assert_eq!(Response::read(&response.write(), &limits()).unwrap(), response);
    }
}

#[test]
fn rooms_that_look_like_numbers_are_named_as_both() {
    let written = |rooms: &[&str]| {
        let kind = RequestKind::FetchSockets { target: target(rooms, &["-7"]) };
        let request = Request { sender: None, id: None, kind };
        assert_eq!(Request::read(&request.write(), &limits()).unwrap(), request);
        String::from_utf8(request.write()).unwrap()
    };
    let opts =
        |rooms: &str| format!(r#"{{"type":5,"opts":{{"rooms":[{rooms}],"except":["-7",-7]}}}}"#);
    assert_eq!(written(&["7", "a"]), opts(r#""7",7,"a""#));
    let others = ["", "07", "+7", "-0", "7.0", "1e3", "9007199254740993"];
    let as_they_are = others.map(|room| format!("\"{room}\"")).join(",");
    assert_eq!(written(&others), opts(&as_they_are));
    let leave = RequestKind::Leave { target: Target::default(), rooms: names(&["7"]) };
    let text = Request { sender: None, id: None, kind: leave }.write();
    assert_eq!(text, br#"{"type":3,"opts":{"rooms":[],"except":[]},"rooms":["7",7]}"#);
    let many: Vec<String> = (0..1000).map(|room: u32| room.to_string()).collect();
    let kind = RequestKind::Sockets { rooms: vec![] };
    let kind_of_many =
        RequestKind::FetchSockets { target: Target { rooms: many, ..Target::default() } };
    for kind in [kind, kind_of_many] {
        let request = Request { sender: None, id: Some("r".into()), kind };
        assert_eq!(Request::read(&request.write(), &limits()).unwrap(), request);
    }
}

#[test]
fn requests_of_older_servers_name_one_socket() {
    let text = br#"{"requestId":"r","type":2,"sid":"abc","room":"a"}"#;
    let read = Request::read(text, &limits()).unwrap();
    assert_eq!(
        read.kind,
        RequestKind::Join { target: target(&["abc"], &[]), rooms: names(&["a"]) }
    );
    let text = br#"{"requestId":"r","type":4,"sid":"abc","close":true}"#;
    let read = Request::read(text, &limits()).unwrap();
    assert_eq!(read.kind, RequestKind::Disconnect { target: target(&["abc"], &[]), close: true });
}

#[test]
fn broadcasts_of_another_shape_are_refused() {
    let message = |packet: &[u8], opts: &[u8]| [b"\x93\xa1u", packet, opts].concat();
    let packet = b"\x82\xa4type\x02\xa4data\x91\xa1e";
    assert!(Broadcast::read(&message(packet, b"\x80"), &limits()).is_ok());
    for (message, fault) in [
        (b"\xc0".to_vec(), Malformed::UnknownShape),
        (b"\x92\xa1u\x80".to_vec(), Malformed::UnknownShape),
        (b"\x93\xc0\x80\x80".to_vec(), Malformed::UnknownShape),
        (message(b"\xc0", b"\x80"), Malformed::UnknownShape),
        (message(packet, b"\xc0"), Malformed::UnknownShape),
        (message(packet, b"\x81\xa5rooms\x01"), Malformed::UnknownShape),
        (message(packet, b"\x81\xa5rooms\x91\xc0"), Malformed::UnknownShape),
        (message(b"\x82\xa4type\x01\xa4data\x91\xa1e", b"\x80"), Malformed::UnknownType),
        (message(b"\x82\xa4type\x02\xa4data\x90", b"\x80"), Malformed::UnknownShape),
        (message(b"\x82\xa4type\x02\xa4data\x91\xc0", b"\x80"), Malformed::UnknownShape),
        (message(b"\x81\xa4data\x91\xa1e", b"\x80"), Malformed::UnknownShape),
        (message(b"\x82\xa4type\x02\xa4data\x91\xaadisconnect", b"\x80"), Malformed::ReservedEvent),
        (
            message(b"\x83\xa4type\x02\xa4data\x91\xa1e\xa3nsp\xc0", b"\x80"),
            Malformed::UnknownShape,
        ),
    ] {
        assert_eq!(Broadcast::read(&message, &limits()), Err(fault), "{message:x?}");
    }
}

#[test]
fn requests_and_answers_of_another_shape_are_refused() {
    for (text, fault) in [
        ("{}", Malformed::UnknownShape),
        (r#"{"type":8}"#, Malformed::UnknownType),
        (r#"{"type":"5"}"#, Malformed::UnknownShape),
        (r#"{"type":5}"#, Malformed::UnknownShape),
        (r#"{"type":2,"opts":{}}"#, Malformed::UnknownShape),
        (r#"{"type":2,"opts":{"rooms":{}},"rooms":[]}"#, Malformed::UnknownShape),
        (r#"{"type":4}"#, Malformed::UnknownShape),
        (r#"{"type":6,"data":"ev"}"#, Malformed::UnknownShape),
        (r#"{"type":6,"data":["connect"]}"#, Malformed::ReservedEvent),
        (r#"{"type":1,"uid":[]}"#, Malformed::UnknownShape),
        (r#"{"type":1"#, Malformed::Truncated),
        ("", Malformed::Truncated),
    ] {
        assert_eq!(Request::read(text.as_bytes(), &limits()), Err(fault), "{text}");
    }
    for (text, fault) in [
        ("{}", Malformed::UnknownShape),
        (r#"{"requestId":"r","type":5}"#, Malformed::UnknownType),
        (r#"{"requestId":"r","type":8,"clientCount":-1}"#, Malformed::UnknownShape),
        (r#"{"requestId":"r","sockets":{}}"#, Malformed::UnknownShape),
        (r#"{"requestId":"r","sockets":[{}]}"#, Malformed::UnknownShape),
        (r#"{"requestId":"r","rooms":"a"}"#, Malformed::UnknownShape),
    ] {
        assert_eq!(Response::read(text.as_bytes(), &limits()), Err(fault), "{text}");
    }
}

#[test]
fn too_many_rooms_and_too_long_names_are_refused() {
    let join = |rooms: &[String]| {
        let kind = RequestKind::Join { target: Target::default(), rooms: rooms.to_vec() };
        Request::read(&Request { sender: None, id: None, kind }.write(), &limits())
    };
    let room = |index: usize| index.to_string();
    assert!(join(&(0..1000).map(room).collect::<Vec<_>>()).is_ok());
    assert_eq!(join(&(0..1001).map(room).collect::<Vec<_>>()), Err(Malformed::TooManyRooms));
    assert!(join(&["x".repeat(512)]).is_ok());
    assert_eq!(join(&["x".repeat(513)]), Err(Malformed::NameTooLong));
    let broadcast = |namespace: String, name: String| {
        let (sender, event) = ("u".into(), event(&name, vec![]));
        let broadcast = Broadcast { sender, namespace, event, target: Target::default() };
        Broadcast::read(&broadcast.write(), &limits())
    };
    assert_eq!(broadcast("/".repeat(513), "e".into()), Err(Malformed::NameTooLong));
    assert_eq!(broadcast("/".into(), "e".repeat(513)), Err(Malformed::NameTooLong));
}

#[test]
fn debug_shows_no_handshake_and_no_data() {
    let secret = || Value::Str("connect.sid=s%3Ahunter2".into());
    let socket = RemoteSocket { data: secret(), handshake: secret(), ..RemoteSocket::default() };
    assert!(!format!("{socket:?}").contains("hunter2"));
}
