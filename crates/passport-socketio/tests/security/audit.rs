//! Every accept, refusal, end and order reaches the audit hook, with what is known of it.
#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crate::common::world::{self, ERRORS, Server, ignore};
use crate::common::{Client, eventually};
use express_session::SessionId;
use http::Request;
use passport_socketio::store::{SessionStore, StoreError, StoredSession};
use passport_socketio::{AuditEvent, AuditKind, Live, PeerAddr, Reject, UserKey};
use socketioxide::handler::ConnectHandler as _;
use testkit::secrecy;

/// An event, kept.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    kind: AuditKind,
    code: &'static str,
    session: Option<String>,
    user: Option<UserKey>,
    namespace: Option<String>,
    has_socket: bool,
    peer: Option<String>,
}

#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<Entry>>>);

impl Book {
    fn write(&self, event: &AuditEvent<'_>) {
        self.0.lock().unwrap().push(Entry {
            kind: event.kind,
            code: event.code,
            session: event.session.map(|hash| hash.short()),
            user: event.user.cloned(),
            namespace: event.namespace.map(str::to_owned),
            has_socket: event.socket.is_some(),
            peer: event.peer.map(|peer| peer.to_string()),
        });
    }

    fn all(&self) -> Vec<Entry> {
        self.0.lock().unwrap().clone()
    }

    fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn audited(layer: bool) -> (Server, Book) {
    let book = Book::default();
    let write = book.clone();
    let server = Server::with(layer, |builder| {
        builder.audit(move |event| write.write(event)).success(
            async |candidate: passport_socketio::Candidate<world::User>| {
                if candidate.user().id == 7 { Err(Reject::new("no")) } else { Ok(()) }
            },
        )
    });
    server.io.ns("/", ignore.with(server.auth.required()));
    server.io.ns("/lobby", (async || {}).with(server.auth.optional()));
    (server, book)
}

fn short(sid: &str) -> String {
    SessionId::from(sid).hash().short()
}

#[tokio::test(start_paused = true)]
async fn a_grant_is_audited_with_session_user_namespace_socket_and_peer() {
    let (server, book) = audited(true);
    let app = server
        .app
        .clone()
        .layer(axum::Extension(PeerAddr(SocketAddr::from(([203, 0, 113, 9], 4242)))));
    let mut ann = Client::of(&app, "ann").await;
    ann.connect("/").await.unwrap();
    let expected = Entry {
        kind: AuditKind::Granted,
        code: "granted",
        session: Some(short("ann")),
        user: Some(42.into()),
        namespace: Some("/".into()),
        has_socket: true,
        peer: Some("203.0.113.9".into()),
    };
    assert_eq!(book.take(), std::slice::from_ref(&expected));

    // The same of its end.
    server.live.end_session(&"ann".into(), passport_socketio::live::EndReason::LoggedOut);
    let ended = Entry { kind: AuditKind::Ended, code: "logged_out", ..expected };
    assert_eq!(book.take(), [ended]);
}

#[tokio::test(start_paused = true)]
async fn each_refusal_is_audited_once_with_its_code() {
    for layer in [true, false] {
        let (server, book) = audited(layer);
        for (who, kind, code) in [
            ("unknown", AuditKind::Denied, "session_not_found"),
            ("expired", AuditKind::Denied, "session_expired"),
            ("anonymous", AuditKind::Denied, "not_logged_in"),
            ("ghost", AuditKind::Denied, "user_not_found"),
            ("bob", AuditKind::Denied, "rejected"),
            ("down", AuditKind::Failed, "store_unavailable"),
            ("corrupt", AuditKind::Failed, "corrupt_session"),
            ("undecided", AuditKind::Failed, "deserializer_failed"),
        ] {
            let mut client = Client::of(&server.app, who).await;
            client.connect("/").await.unwrap_err();
            let recorded = book.take();
            let [entry] = &*recorded else { panic!("{who}: {recorded:?}") };
            assert_eq!((entry.kind, entry.code), (kind, code));
            assert_eq!(entry.session, Some(short(who)));
            assert_eq!(entry.user, (who == "bob").then(|| 7.into()));
            assert_eq!(entry.namespace.as_deref(), Some("/"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_a_revoked_session_is_audited_as_revoked() {
    for layer in [true, false] {
        let (server, book) = audited(layer);
        server.live.revoke_session(&"ann".into()).await;
        book.take();
        let mut ann = Client::of(&server.app, "ann").await;
        assert_eq!(ann.connect("/").await, Err("unauthorized".into()));
        ann.connect("/lobby").await.unwrap();
        let recorded: Vec<_> = book.take().into_iter().map(|it| (it.kind, it.code)).collect();
        assert_eq!(recorded, [(AuditKind::Denied, "revoked"), (AuditKind::Guest, "revoked")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_revoked_during_a_handshake_is_audited_as_revoked() {
    let book = Book::default();
    let write = book.clone();
    let live = Arc::new(OnceLock::<Live<world::User>>::new());
    let operator = live.clone();
    let server = Server::with(true, |builder| {
        builder.audit(move |event| write.write(event)).success(
            async move |candidate: passport_socketio::Candidate<world::User>| {
                operator.get().unwrap().revoke_user(candidate.user().id).await;
                Ok(())
            },
        )
    });
    live.set(server.live.clone()).unwrap();
    server.io.ns("/", ignore.with(server.auth.required()));
    let mut ann = Client::of(&server.app, "ann").await;
    assert_eq!(ann.connect("/").await, Err("unauthorized".into()));
    let recorded: Vec<_> = book.take().into_iter().map(|it| (it.kind, it.code)).collect();
    assert_eq!(recorded, [(AuditKind::Revoked, "revoked"), (AuditKind::Denied, "revoked")]);
}

/// Counts what is logged at `warn` by this thread.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl std::io::Write for Warnings {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().push(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Warnings {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Never answers.
#[derive(Debug)]
struct Hanging;

#[async_trait::async_trait]
impl SessionStore for Hanging {
    async fn load(&self, _: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_store_is_logged_in_few_lines_and_audited_each_time() {
    let (warnings, book) = (Warnings::default(), Book::default());
    let (writer, write) = (warnings.clone(), book.clone());
    let auth = world::auth_over(Hanging).audit(move |event| write.write(event)).build().unwrap();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::WARN)
        .with_writer(move || writer.clone())
        .finish();
    let _watched = tracing::subscriber::set_default(subscriber);
    let request = Request::get("/").header("cookie", world::cookie("ann")).body(()).unwrap();
    let (request, ()) = request.into_parts();
    for _ in 0..4 {
        let asked = (0..1000).map(|_| auth.authorize(&request));
        let answers = futures_util::future::join_all(asked).await;
        assert!(answers.iter().all(|it| it.as_ref().is_err_and(|e| e.code() == "store_timeout")));
    }
    let recorded = warnings.take();
    assert_eq!(recorded.len(), 1, "{} lines", recorded.len());
    assert!(
        recorded[0].contains("could not tell: refused") && recorded[0].contains("store_timeout")
    );
    // A repeated warning is summed up every 15 s, and ends with the first 15 s without one.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let recorded = warnings.take();
    assert_eq!(recorded.len(), 2, "{recorded:?}");
    assert!(
        recorded[0].contains("this goes on") && recorded[0].contains("times=3999"),
        "{recorded:?}"
    );
    assert!(
        recorded[1].contains("this is over") && recorded[1].contains("times=4000"),
        "{recorded:?}"
    );
    let audited = book.take();
    assert_eq!(audited.len(), 4000);
    assert!(audited.iter().all(|it| (it.kind, it.code) == (AuditKind::Failed, "store_timeout")));
}

#[tokio::test(start_paused = true)]
async fn an_unsigned_session_id_is_not_audited() {
    let (server, book) = audited(true);
    let forged = world::cookie("ann").replace("ann.", "bob.");
    for (cookie, code) in [(forged, "bad_signature"), ("a=b".to_owned(), "no_session_cookie")] {
        let mut client = Client::open(&server.app, [("cookie", cookie)]).await.unwrap();
        client.connect("/").await.unwrap_err();
        let recorded = book.take();
        let [entry] = &*recorded else { panic!("{recorded:?}") };
        assert_eq!((entry.code, &entry.session), (code, &None));
    }
}

#[tokio::test(start_paused = true)]
async fn the_layer_audits_a_foreign_origin_and_the_namespace_a_guest() {
    let (server, book) = audited(true);
    let foreign = [("origin", "https://evil.example.com".to_owned())];
    Client::open(&server.app, foreign).await.err().unwrap();
    let mut guest = Client::anonymous(&server.app).await;
    guest.connect("/lobby").await.unwrap();
    let recorded = book.all();
    let [refused, guest] = &*recorded else { panic!("{recorded:?}") };
    assert_eq!((refused.kind, refused.code), (AuditKind::Denied, "origin_not_allowed"));
    assert_eq!((&refused.namespace, refused.has_socket), (&None, false));
    assert_eq!((guest.kind, guest.code), (AuditKind::Guest, "no_session_cookie"));
    assert_eq!(guest.namespace.as_deref(), Some("/lobby"));
}

#[tokio::test(start_paused = true)]
async fn a_request_on_anothers_connection_is_audited_with_its_own_session() {
    let (server, book) = audited(true);
    let mut client = Client::of(&server.app, "ann").await;
    for (cookie, session) in [
        (Some(world::cookie("bob")), Some(short("bob"))),
        (Some(world::cookie("ann").replace("ann.", "bob.")), None),
        (None, None),
    ] {
        client.set_headers(cookie.map(|cookie| ("cookie", cookie)));
        client.request(http::Method::GET, "").await;
        let recorded = book.take();
        let [entry] = &*recorded else { panic!("{recorded:?}") };
        assert_eq!((entry.kind, entry.code), (AuditKind::Denied, "other_session"));
        assert_eq!(entry.session, session);
    }
}

#[tokio::test(start_paused = true)]
async fn authorize_is_audited_and_explain_is_not() {
    let (server, book) = audited(false);
    let request = Request::get("/").header("cookie", world::cookie("ann")).body(()).unwrap();
    let (request, ()) = request.into_parts();
    server.auth.authorize(&request).await.unwrap();
    server.auth.explain(&request).await;
    let recorded = book.all();
    let [entry] = &*recorded else { panic!("{recorded:?}") };
    assert_eq!((entry.kind, &entry.user), (AuditKind::Granted, &Some(42.into())));
    assert_eq!((&entry.namespace, entry.has_socket), (&None, false));
}

#[tokio::test(start_paused = true)]
async fn an_order_is_audited_after_the_ends_that_it_caused() {
    use AuditKind::{Disconnected, Ended, Refreshed, Revoked};
    // This store can't destroy sessions, and the event says so.
    let here = (Revoked, "revoked_here");
    for (order, expected) in [
        ("session", vec![(Ended, "revoked"), here]),
        ("user", vec![(Ended, "revoked"), here, (Revoked, "revoked")]),
        ("sockets", vec![(Ended, "evicted"), (Disconnected, "evicted")]),
        ("refresh", vec![(Refreshed, "refreshed")]),
    ] {
        let (server, book) = audited(true);
        let mut ann = Client::of(&server.app, "ann").await;
        ann.connect("/").await.unwrap();
        book.take();
        match order {
            "session" => assert_eq!(server.live.revoke_session(&"ann".into()).await.sockets, 1),
            "user" => assert_eq!(server.live.revoke_user(42).await.sockets, 1),
            "sockets" => assert_eq!(server.live.disconnect_user(42), 1),
            _ => assert_eq!(server.live.refresh_user(42).await.unwrap().kept.len(), 1),
        }
        let recorded: Vec<_> =
            book.take().into_iter().map(|entry| (entry.kind, entry.code)).collect();
        assert_eq!(recorded, expected, "{order}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panicking_audit_hook_changes_no_decision() {
    let server = Server::with(true, |builder| {
        builder
            .audit(|event| panic!("about {}", event.code))
            .on_session_end(|ended| panic!("about {}", ended.reason.code()))
    });
    server.io.ns("/", ignore.with(server.auth.required()));
    let mut ann = Client::of(&server.app, "ann").await;
    ann.connect("/").await.unwrap();
    for (who, read) in ERRORS {
        let mut client = Client::of(&server.app, who).await;
        assert_eq!(client.connect("/").await.unwrap_err(), read);
    }
    server.live.end_session(&"ann".into(), passport_socketio::live::EndReason::LoggedOut);
    eventually("she has left", || server.is_empty()).await;
    assert!(secrecy::logged().contains("the app's audit panicked"));
}

#[tokio::test(start_paused = true)]
async fn user_keys_are_logged_only_with_log_user_ids() {
    for asked in [false, true] {
        let server = Server::with(true, |builder| {
            let builder =
                builder.user_id(move |_: &world::User| format!("ann-{asked}\n@example.com"));
            if asked { builder.log_user_ids() } else { builder }
        });
        server.io.ns("/", ignore.with(server.auth.required()));
        let mut ann = Client::of(&server.app, "ann").await;
        ann.connect("/").await.unwrap();
        server.live.revoke_session(&"ann".into()).await;
    }
    let logged = secrecy::logged();
    assert!(!logged.contains("ann-false"), "{logged}");
    let named = logged.lines().filter(|line| line.contains("ann-true"));
    assert_eq!(named.count(), 2, "one line each for the grant and the end:\n{logged}");
}
