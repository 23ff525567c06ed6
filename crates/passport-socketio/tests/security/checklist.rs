#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! The security checklist, item by item: `docs/threat-model.md` names what proves each of them.
//!
//! Most are proved by tests of the code that they concern. The others are here, under their number.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::common::world::{
    SECRET, Server, User, auth_over, cookie, find_user, ignore, user_session,
};
use crate::common::{Answer, Client, ask, eventually, soon, world};
use axum::Router;
use axum::body::Body;
use express_session::SidHash;
use express_session::cookie::Signer;
use http::{Request, StatusCode};
use passport_socketio::live::EndReason;
use passport_socketio::store::{DestroySession as _, Life, MemoryStore};
use passport_socketio::{Auth, Authorizer, AuthorizerBuilder, PeerAddr};
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::extract::{Data, SocketRef};
use socketioxide::handler::ConnectHandler as _;
use testkit::secrecy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

fn server() -> Server {
    let server = Server::new(true);
    server.io.ns("/", ignore.with(server.auth.required()));
    server
}

fn forbidden() -> Answer {
    (StatusCode::FORBIDDEN, r#"{"code":"forbidden"}"#.to_owned())
}

/// What a client with these headers reads, in the main namespace or before.
async fn outcome_of(app: &Router, headers: &[(&'static str, String)]) -> Result<(), String> {
    match Client::open(app, headers.to_vec()).await {
        Ok(mut client) => client.connect("/").await,
        Err((status, _)) => Err(status.as_str().to_owned()),
    }
}

#[tokio::test]
async fn item_03_a_sibling_subdomain_is_another_origin_even_with_same_site() {
    let server = server();
    for transport in ["polling", "websocket"] {
        let request = Request::get(format!("/socket.io/?EIO=4&transport={transport}"))
            .header("host", "rt.example.com")
            .header("origin", "http://blog.example.com")
            .header("sec-fetch-site", "same-site")
            .header("cookie", cookie("ann"))
            .body(Body::empty());
        assert_eq!(ask(&server.app, request.unwrap()).await, forbidden(), "{transport}");
    }
    assert_eq!(server.store.loads(), 0);
}

#[tokio::test]
async fn item_04_a_request_without_origin_is_judged_by_sec_fetch_site() {
    let server = server();
    let from = async |site: Option<&str>| {
        let site = site.map(|site| ("sec-fetch-site", site.to_owned()));
        let headers: Vec<_> = site.into_iter().chain([("cookie", cookie("ann"))]).collect();
        outcome_of(&server.app, &headers).await
    };
    for fine in [None, Some("same-origin"), Some("none")] {
        assert_eq!(from(fine).await, Ok(()), "{fine:?}");
    }
    let loads = server.store.loads();
    for foreign in ["same-site", "cross-site", ""] {
        assert_eq!(from(Some(foreign)).await, Err("403".into()), "{foreign}");
    }
    assert_eq!(server.store.loads(), loads);
}

#[tokio::test]
async fn item_05_two_mounts_have_their_own_allow_lists() {
    let mut app = Router::new();
    for (path, origin) in [("/one", "https://one.example"), ("/two", "https://two.example")] {
        let auth = auth_over(world::store()).path(path).origin(origin).build().unwrap();
        let (host, io) = SocketIo::builder().req_path(path).build_layer();
        io.ns("/", ignore.with(auth.required()));
        app = app.layer(host).layer(auth.layer());
    }
    let status = async |path: &str, origin: &str| {
        let request = Request::get(format!("{path}/?EIO=4&transport=polling"))
            .header("host", "rt.example")
            .header("origin", origin)
            .header("cookie", cookie("ann"))
            .body(Body::empty());
        ask(&app, request.unwrap()).await.0
    };
    let (one, two) = ("https://one.example", "https://two.example");
    for (path, own, other) in [("/one", one, two), ("/two", two, one), ("/one", one, two)] {
        assert_eq!(status(path, own).await, StatusCode::OK, "{path}");
        assert_eq!(status(path, other).await, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn item_06_identity_headers_are_ignored() {
    let server = Server::with(true, |builder| builder.trust_proxy(["10.0.0.0/8"]));
    server.io.ns("/", ignore.with(server.auth.required()));
    let peer = PeerAddr(SocketAddr::from(([203, 0, 113, 9], 4242)));
    let app = server.app.clone().layer(axum::Extension(peer));
    for name in ["x-forwarded-user", "x-remote-user", "remote-user", "x-user-id", "authorization"] {
        for value in ["42", "ann", "Bearer ann"] {
            let claimed = [(name, value.to_owned())];
            assert_eq!(
                outcome_of(&app, &claimed).await,
                Err("unauthorized".into()),
                "{name}: {value}"
            );
        }
    }
    let page = [
        ("host", "rt.example".to_owned()),
        ("x-forwarded-host", "evil.example".into()),
        ("x-forwarded-proto", "https".into()),
        ("x-forwarded-for", "10.0.0.1".into()),
        ("forwarded", "for=10.0.0.1;host=evil.example;proto=https".into()),
        ("origin", "https://evil.example".into()),
        ("cookie", cookie("ann")),
    ];
    assert_eq!(outcome_of(&app, &page).await, Err("403".into()));
    assert_eq!(server.store.loads(), 0);
}

/// The status that a real HTTP server answers a handshake with that has this header line.
async fn status_over_http(app: &Router, header: &[u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let app = app.clone();
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let start = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: rt.example\r\n";
    let request = [start, header, b"\r\nConnection: close\r\n\r\n"].concat();
    client.write_all(&request).await.unwrap();
    let mut answer = [0; 12];
    soon(client.read_exact(&mut answer)).await.unwrap();
    serving.abort();
    let status = std::str::from_utf8(&answer).unwrap().strip_prefix("HTTP/1.1 ");
    status.unwrap().parse().unwrap()
}

#[tokio::test]
async fn item_07_bytes_that_are_invalid_in_headers_are_refused_by_the_server() {
    let server = server();
    let pair = cookie("ann");
    let (name, value) = pair.split_once('=').unwrap();
    assert_eq!(status_over_http(&server.app, format!("Cookie: {pair}").as_bytes()).await, 200);
    let loads = server.store.loads();
    for byte in [0, 0x0b, 0x0c, 0x1c, 0x1d, 0x1e, b'\r', b'\n'] {
        for header in ["Cookie: a=1", "Origin: http://rt.example"] {
            let line = [header.as_bytes(), &[byte], b"; ", name.as_bytes(), b"=", value.as_bytes()];
            let status = status_over_http(&server.app, &line.concat()).await;
            assert_eq!(status, 400, "{byte:#x} in {header}");
        }
    }
    assert_eq!(server.store.loads(), loads);
}

#[tokio::test]
async fn item_07_a_next_line_byte_is_no_separator() {
    let server = server();
    let with = |before: &str, after: &str| [before.as_bytes(), b"\x85", after.as_bytes()].concat();
    let origin = with("Origin: http://rt.example", "");
    assert_eq!(status_over_http(&server.app, &origin).await, 403);
    // Neither is it white space around a name, nor the end of what stands before it.
    for line in [with("Cookie: a=1", &cookie("ann")), with("Cookie: ", &cookie("ann"))] {
        assert_eq!(status_over_http(&server.app, &line).await, 200, "a connection without a user");
    }
    assert_eq!(server.store.loads(), 0);
}

#[tokio::test]
async fn item_08_the_first_of_two_session_cookies_is_used_and_logged() {
    let server = server();
    let valid = cookie("ann");
    let forged = format!("{}x", cookie("bob"));
    let both = |first: &str, second: &str| [("cookie", format!("{first}; {second}"))];
    assert_eq!(outcome_of(&server.app, &both(&valid, &forged)).await, Ok(()));
    assert_eq!(server.live.online(), [42.into()]);
    let logged = |what: &str| secrecy::logged().matches(what).count();
    let told = || (logged("code=\"bad_signature\""), logged("the first one counts cookies=2"));
    let before = told();
    let refused = outcome_of(&server.app, &both(&forged, &valid)).await;
    assert_eq!(refused, Err("unauthorized".into()));
    let after = told();
    assert!(after.0 > before.0 && after.1 > before.1, "{before:?} {after:?}");
    // The same in two headers, which are one.
    let headers = [("cookie", forged), ("cookie", valid)];
    assert_eq!(outcome_of(&server.app, &headers).await, Err("unauthorized".into()));
}

#[tokio::test]
async fn item_08_later_requests_do_not_log_several_cookies_again() {
    let server = server();
    // A number of cookies that no other test sends.
    let cookies = format!("{0}; {0}; {0}; {0}; {0}; {0}; {0}", cookie("ann"));
    let mut client = Client::open(&server.app, [("cookie", cookies)]).await.unwrap();
    client.connect("/").await.unwrap();
    for _ in 0..3 {
        client.request(http::Method::POST, "3").await;
    }
    let logged = secrecy::logged().matches("the first one counts cookies=7").count();
    assert_eq!(logged, 1);
}

#[tokio::test]
async fn item_09_broken_cookies_are_refused_quickly_and_without_a_load() {
    let server = server();
    let good = cookie("ann");
    let foreign = Signer::new(["another secret"]).unwrap().cookie_pair("connect.sid", "ann");
    let many = "c=1; ".repeat(10_000);
    let cut = good.chars().take(good.len() - 5).collect();
    for (what, cookie) in [
        ("tampered", good.replace("ann.", "bob.")),
        ("cut", cut),
        ("of another secret", foreign),
        ("badly encoded", "connect.sid=s%3Aann%".into()),
        ("huge", format!("connect.sid=s%3A{}", "a".repeat(64 * 1024))),
        ("behind many", many + &good),
        ("unsigned", "connect.sid=ann".into()),
        ("empty", "connect.sid=".into()),
    ] {
        let start = Instant::now();
        let met = outcome_of(&server.app, &[("cookie", cookie)]).await;
        assert_eq!(met, Err("unauthorized".into()), "{what}");
        // Milliseconds; the rest is for a busy machine. Quadratic time would take minutes.
        assert!(start.elapsed() < Duration::from_secs(5), "{what}: {:?}", start.elapsed());
    }
    assert_eq!(server.store.loads(), 0);
}

#[tokio::test]
async fn item_10_a_session_id_with_unsafe_characters_is_never_loaded() {
    let server = server();
    for sid in ["ann\0", "ann\r\nDEL sess:ann", "*", "a?*", "../ann", "a/b/../ann"] {
        let pair = Signer::new([SECRET]).unwrap().cookie_pair("connect.sid", sid);
        let met = outcome_of(&server.app, &[("cookie", pair)]).await;
        assert_eq!(met, Err("unauthorized".into()), "{sid:?}");
    }
    assert_eq!(server.store.loads(), 0);
}

#[tokio::test]
async fn item_11_a_handshake_creates_and_changes_no_session() {
    let server = server();
    let sessions = &server.store.inner().0;
    let all = || {
        let all = sessions.all().into_iter();
        let mut all: Vec<_> = all
            .map(|(sid, session)| (sid.hash().short(), session.payload().to_vec(), session.life()))
            .collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    };
    let before = all();
    for who in ["unknown", "never-there", "expired", "anonymous", "corrupt", "ann"] {
        let _ = outcome_of(&server.app, &[("cookie", cookie(who))]).await;
    }
    assert_eq!(all(), before);
}

#[tokio::test]
async fn item_15_a_rotation_of_secrets_harms_no_session() {
    let store = world::store();
    let by = |secret: &str, sid| Signer::new([secret]).unwrap().cookie_pair("connect.sid", sid);
    let serve = |secrets: &[&str]| {
        let builder = Authorizer::builder().secrets(secrets.to_vec()).store(store.clone());
        let auth = builder.deserialize_user(find_user).build().unwrap();
        let (host, io) = SocketIo::new_layer();
        io.ns("/", ignore.with(auth.required()));
        Router::new().layer(host).layer(auth.layer())
    };
    let (old, new) = ("the old secret", "the new secret");
    let before = serve(&[old]);
    let during = serve(&[new, old]);
    let after = serve(&[new]);
    let outcome_of = async |app: &Router, secret| {
        outcome_of(app, &[("cookie", by(secret, "ann"))]).await.is_ok()
    };
    assert_eq!((outcome_of(&before, old).await, outcome_of(&before, new).await), (true, false));
    assert_eq!((outcome_of(&during, old).await, outcome_of(&during, new).await), (true, true));
    assert_eq!((outcome_of(&after, old).await, outcome_of(&after, new).await), (false, true));
    // The refused session is still logged in for the app.
    assert!(outcome_of(&before, old).await);
}

#[tokio::test]
async fn item_20_a_new_login_with_an_old_session_id_has_nothing_of_the_old_one() {
    let server = Server::new(true);
    let on_connect = async |socket: SocketRef, user: Auth<User>| {
        if user.id == 42 {
            socket.join("anns-papers");
        }
        socket.emit("you", &user.name).unwrap();
    };
    server.io.ns("/", on_connect.with(server.auth.required()));
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    assert_eq!(client.event("/").await, json!(["you", "ann"]));

    // She logs out, and somebody else logs in with the same browser, which keeps its session's id.
    let sessions = &server.store.inner().0;
    assert!(sessions.destroy(&"ann".into()).await.unwrap());
    server.live.end_session(&"ann".into(), EndReason::LoggedOut);
    let ended = json!(["session_ended", {"code": "logged_out", "reconnect": false}]);
    assert_eq!(client.event("/").await, ended);
    assert_eq!(client.receive().await, "1");
    assert_eq!(client.connect("/").await, Err("unauthorized".into()));
    sessions.set("ann", user_session(7), Life::Forever);
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    assert_eq!(client.event("/").await, json!(["you", "bob"]));

    for room in ["anns-papers".to_owned(), server.live.user_room(42)] {
        server.io.to(room).emit("for-ann", "private").await.unwrap();
    }
    server.io.emit("all", &0).await.unwrap();
    assert_eq!(client.event("/").await, json!(["all", 0]));
    eventually("ann is gone", || server.live.online() == [7.into()]).await;
}

#[tokio::test]
async fn item_26_a_client_can_not_join_the_room_of_another_user() {
    let server = server();
    let mut ann = Client::of(&server.app, "ann").await;
    let theirs = server.live.user_room(7);
    ann.send(&format!(r#"0{{"room":"{theirs}","rooms":["{theirs}"],"user":7}}"#)).await;
    ann.connected("/").await.unwrap();
    for event in ["join", "subscribe", "room"] {
        ann.send(&format!(r#"2["{event}","{theirs}"]"#)).await;
    }
    server.io.to(theirs).emit("for-bob", "private").await.unwrap();
    server.io.to(server.live.user_room(42)).emit("for-ann", "hers").await.unwrap();
    assert_eq!(ann.event("/").await, json!(["for-ann", "hers"]));
    assert_eq!(server.live.online(), [42.into()]);
}

/// In an app that lets a client join whatever it likes.
#[tokio::test]
async fn item_26_a_client_can_not_compute_the_name_of_a_users_room() {
    let server = server();
    let on_connect = async |socket: SocketRef| {
        socket.on("join", async |socket: SocketRef, Data::<String>(room)| socket.join(room));
    };
    server.io.ns("/rooms", on_connect.with(server.auth.required()));
    let [mut ann, mut bob] =
        [Client::of(&server.app, "ann").await, Client::of(&server.app, "bob").await];
    ann.connect("/rooms").await.unwrap();
    bob.connect("/rooms").await.unwrap();
    let hashes = ["42", r#""42""#, "user:42", "ann", "s:ann", "session:ann"].map(|text| {
        let hash = SidHash::of(text);
        [text.to_owned(), hash.to_string(), hash.to_hex()]
    });
    let prefixes = ["", "user:", "session:", "passport:"];
    let hashes = hashes.concat();
    let rooms = hashes.iter().flat_map(|text| prefixes.map(|prefix| format!("{prefix}{text}")));
    let rooms: HashSet<String> = rooms.collect();
    for room in &rooms {
        bob.send(&format!("2/rooms,{}", json!(["join", room]))).await;
    }
    let in_rooms =
        || server.io.of("/rooms").unwrap().sockets().into_iter().map(|s| s.rooms().len());
    // Each is in its user's and its session's room, and bob in all that he named.
    eventually("all are joined", || in_rooms().sum::<usize>() == rooms.len() + 4).await;
    server.live.user(42).emit("private", "for ann").await.unwrap();
    assert_eq!(ann.event("/rooms").await, json!(["private", "for ann"]));
    server.live.user(7).emit("next", "for bob").await.unwrap();
    assert_eq!(bob.event("/rooms").await, json!(["next", "for bob"]));
}

#[tokio::test]
async fn item_26_a_user_named_proto_is_treated_like_any_other() {
    let store = Arc::new(MemoryStore::for_tests());
    let names = ["__proto__", "constructor", "ann"];
    for name in names {
        let json = json!({"cookie": {}, "passport": {"user": name}});
        store.set(format!("session-of-{name}").as_str(), json.to_string(), Life::Forever);
    }
    let auth = Authorizer::builder()
        .secret(SECRET)
        .store(store)
        .deserialize_user(async |name: String| Ok::<_, std::io::Error>(Some(name)))
        .build()
        .unwrap();
    let (host, io) = SocketIo::new_layer();
    let on_connect = async |socket: SocketRef, name: Auth<String>| {
        socket.emit("you", &*name).unwrap();
    };
    io.ns("/", on_connect.with(auth.required()));
    let (app, live) = (Router::new().layer(host).layer(auth.layer()), auth.attach(&io).unwrap());
    let mut clients = Vec::new();
    for name in names {
        let mut client = Client::of(&app, &format!("session-of-{name}")).await;
        client.connect("/").await.unwrap();
        assert_eq!(client.event("/").await, json!(["you", name]));
        clients.push(client);
    }
    assert_eq!(live.online().len(), 3);
    assert_eq!(live.disconnect_user("__proto__"), 1);
    assert_eq!(
        (live.user("ann").sockets().len(), live.user("constructor").sockets().len()),
        (1, 1)
    );
}

#[tokio::test]
async fn item_29_insecure_settings_are_warned_of_at_the_start() {
    Server::with(true, AuthorizerBuilder::insecure_session_id_query);
    MemoryStore::new();
    let logged = secrecy::logged();
    for warning in ["session ids are accepted in URLs", "MemoryStore: sessions are lost"] {
        let mut warned = logged.lines().filter(|line| line.contains(warning));
        assert!(warned.next().unwrap().contains("WARN"), "{warning}");
    }
}
