//! A connection belongs to the session that was let in on it: polling, posting and upgrading.

#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

use crate::common::world::{Server, User, auth_over, cookie, ignore, store};
use crate::common::{Client, soon};
use axum::Router;
use express_session::cookie::{Keygrip, KeygripHash, Signer};
use http::{Method, StatusCode};
use passport_socketio::source::{CookieSessionSource, ExpressSource};
use passport_socketio::store::MemoryStore;
use passport_socketio::{Authorizer, AuthorizerBuilder};
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;

type Headers = Vec<(&'static str, String)>;

fn headers_of(who: &str) -> Headers {
    vec![("cookie", cookie(who))]
}

/// Headers of clients that know the connection's id and lack the owner's cookie.
fn strangers() -> [Headers; 5] {
    let forged = Signer::new(["another secret"]).unwrap().cookie_pair("connect.sid", "ann");
    [
        vec![],
        headers_of("bob"),
        headers_of("ann-too"),
        headers_of("unknown"),
        vec![("cookie", forged)],
    ]
}

fn server(layer: bool) -> Server {
    let server = Server::with(layer, AuthorizerBuilder::retry_at_http);
    server.io.ns("/", ignore.with(server.auth.required()));
    server.io.ns("/lobby", ignore.with(server.auth.optional()));
    server
}

fn forbidden() -> (StatusCode, String) {
    (StatusCode::FORBIDDEN, r#"{"code":"forbidden"}"#.to_owned())
}

/// Asserts that every request of a stranger is refused, and that the owner can go on.
async fn assert_bound(
    client: &mut Client,
    own: Headers,
    strangers: impl IntoIterator<Item = Headers>,
) {
    for stranger in strangers {
        client.set_headers(stranger);
        for (method, body) in [(Method::GET, ""), (Method::POST, "41"), (Method::POST, "1")] {
            assert_eq!(client.request(method, body).await, forbidden());
        }
        let upgrade = client.request_over("websocket", Method::GET, "").await;
        assert_eq!(upgrade, forbidden());
    }
    client.set_headers(own);
    client.connect("/lobby").await.unwrap();
    client.leave("/lobby").await;
}

#[tokio::test(start_paused = true)]
async fn only_the_owners_session_can_use_a_connection() {
    let server = server(true);
    let mut client = Client::of(&server.app, "ann").await;
    // Even before anybody was connected to a namespace.
    assert_bound(&mut client, headers_of("ann"), strangers()).await;
    client.connect("/").await.unwrap();
    assert_bound(&mut client, headers_of("ann"), strangers()).await;
    assert_eq!(server.live.user(42).sockets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_check_of_the_owner_does_not_load_the_session() {
    let server = server(true);
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    for who in [headers_of("bob"), headers_of("ann"), vec![]] {
        client.set_headers(who);
        client.request(Method::POST, "3").await;
    }
    assert_eq!(server.store.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_bound_to_a_user_who_is_admitted_later() {
    let server = server(true);
    let mut client = Client::of(&server.app, "unknown").await;
    client.connect("/lobby").await.unwrap();
    // A guest's connection is not bound: any client that has its id can use it.
    client.set_headers(headers_of("bob"));
    client.leave("/lobby").await;
    client.set_headers(headers_of("unknown"));
    let session = r#"{"cookie":{},"passport":{"user":42}}"#;
    let life = passport_socketio::store::Life::Forever;
    server.store.inner().0.set("unknown", session, life);
    client.connect("/").await.unwrap();
    let strangers = [vec![], headers_of("bob"), headers_of("ann")];
    assert_bound(&mut client, headers_of("unknown"), strangers).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_with_a_new_id_can_not_use_its_old_connection() {
    let server = server(true);
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    // A login in another tab: the browser's cookie is now the new session's, of the same user.
    client.set_headers(headers_of("ann-too"));
    assert_eq!(client.request(Method::GET, "").await, forbidden());
    let mut anew = Client::of(&server.app, "ann-too").await;
    anew.connect("/").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_ids_of_closed_connections_are_forgotten() {
    let server = server(true);
    for _ in 0..3 {
        let mut client = Client::of(&server.app, "ann").await;
        client.connect("/").await.unwrap();
        assert_eq!(client.request(Method::POST, "1").await.0, StatusCode::OK);
        soon(async {
            // socketioxide answers 400 to an unknown id; the layer answers 403 to a known one.
            client.set_headers(vec![]);
            while client.request(Method::GET, "").await.0 != StatusCode::BAD_REQUEST {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_an_admitted_user_is_not_bound() {
    let server = server(true);
    let mut guest = Client::anonymous(&server.app).await;
    guest.set_headers(headers_of("bob"));
    guest.connect("/lobby").await.unwrap();
    guest.set_headers(vec![]);
    // socketioxide keeps the request that opened the connection, which has no session of a user.
    assert_eq!(guest.connect("/").await, Err("unauthorized".into()));
}

/// `{"passport":{"user":42},"version":1}`, version 2, and user 7.
const CARRIED: [&str; 3] = [
    "eyJwYXNzcG9ydCI6eyJ1c2VyIjo0Mn0sInZlcnNpb24iOjF9",
    "eyJwYXNzcG9ydCI6eyJ1c2VyIjo0Mn0sInZlcnNpb24iOjJ9",
    "eyJwYXNzcG9ydCI6eyJ1c2VyIjo3fSwidmVyc2lvbiI6MX0=",
];

fn carried(value: &str) -> Headers {
    let keys = Keygrip::new(["key1"], KeygripHash::Sha1).unwrap();
    let sig = keys.sign(&format!("session={value}"));
    vec![("cookie", format!("session={value}; session.sig={sig}"))]
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_a_cookie_session_is_bound_to_its_user() {
    let auth = Authorizer::<User>::builder()
        .source(CookieSessionSource::new("session", ["key1"], KeygripHash::Sha1).unwrap())
        .deserialize_user(crate::common::world::find_user)
        .build()
        .unwrap();
    let (host, io) = SocketIo::new_layer();
    io.ns("/", ignore.with(auth.required()));
    io.ns("/lobby", ignore.with(auth.optional()));
    let app = Router::new().layer(host).layer(auth.layer());
    let [ann, changed, bob] = CARRIED.map(carried);
    let mut client = Client::open(&app, ann.clone()).await.unwrap();
    client.connect("/").await.unwrap();
    // Each change of a session makes another cookie of it.
    client.set_headers(changed);
    client.connect("/lobby").await.unwrap();
    client.leave("/lobby").await;
    assert_bound(&mut client, ann, [vec![], bob]).await;
}

#[tokio::test(start_paused = true)]
async fn two_layers_each_bind_their_own_user() {
    let (ours, theirs) = (store(), MemoryStore::for_tests());
    theirs.set(
        "admin",
        crate::common::world::user_session(7),
        passport_socketio::store::Life::Forever,
    );
    let auth = auth_over(ours).build().unwrap();
    let admin = Authorizer::<i64>::builder()
        .source(ExpressSource::new("admin.sid", ["other"]).unwrap())
        .store(theirs)
        .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id)))
        .build()
        .unwrap();
    let (host, io) = SocketIo::new_layer();
    io.ns("/", ignore.with(auth.required()));
    io.ns("/lobby", ignore.with(auth.optional()));
    let app = Router::new().layer(host).layer(auth.layer()).layer(admin.layer());
    let admins = Signer::new(["other"]).unwrap().cookie_pair("admin.sid", "admin");
    let both = vec![("cookie", format!("{}; {admins}", cookie("ann")))];
    let mut client = Client::open(&app, both.clone()).await.unwrap();
    client.connect("/").await.unwrap();
    assert_bound(&mut client, both, [headers_of("ann"), vec![("cookie", admins)]]).await;
}
