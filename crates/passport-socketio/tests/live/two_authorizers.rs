#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! Two authorizers on one server, each with users of its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::world::{SECRET, Store, User, auth_over, cookie, ignore, store, user_session};
use crate::common::{Client, eventually, soon};
use axum::Router;
use express_session::cookie::Signer;
use http::{Method, StatusCode};
use passport_socketio::live::EndReason;
use passport_socketio::store::{Life, MemoryStore};
use passport_socketio::{
    Auth, Authorizer, ConfigError, MaybeAuth, MaybeSession, Session, filter_sockets_by_user,
};
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use tokio::sync::Notify;
use tokio::time::sleep;

/// The staff's users: another type, another cookie, another secret, another store.
#[derive(Debug)]
struct Admin(String);

fn admins() -> Authorizer<Admin> {
    let store = MemoryStore::for_tests();
    let eve = r#"{"cookie":{},"passport":{"user":"eve"}}"#;
    store.set("admin", eve, Life::Forever);
    Authorizer::builder()
        .key("admin.sid")
        .secret("another cat")
        .store(store)
        .deserialize_user(async |name: String| Ok::<_, std::io::Error>(Some(Admin(name))))
        .build()
        .unwrap()
}

fn users() -> Authorizer<User> {
    auth_over(store()).build().unwrap()
}

/// Ann, who is logged in as an admin, too.
fn both_cookies() -> [(&'static str, String); 1] {
    let signer = Signer::new(["another cat"]).unwrap();
    let admin = signer.cookie_pair("admin.sid", "admin");
    [("cookie", format!("{}; {admin}", cookie("ann")))]
}

async fn greet(socket: SocketRef, user: MaybeAuth<User>, admin: MaybeAuth<Admin>) {
    let names = (user.user().map(|user| user.name), admin.user().map(|admin| &admin.0));
    let cookie_kept = socket.req_parts().headers.contains_key("cookie");
    socket.emit("welcome", &(names.0, names.1, cookie_kept)).unwrap();
}

fn serve(io: &SocketIo, users: &Authorizer<User>, admins: &Authorizer<Admin>) {
    io.ns("/", greet.with(users.required()));
    io.ns("/admin", greet.with(admins.required()));
    io.ns("/both", greet.with(users.required()).with(admins.required()));
}

#[tokio::test]
async fn two_authorizers_see_their_own_users_with_and_without_layers() {
    for (user_layer, admin_layer) in [(false, false), (true, false), (false, true), (true, true)] {
        let (users, admins) = (users(), admins());
        let (host, io) = SocketIo::new_layer();
        serve(&io, &users, &admins);
        let mut app = Router::new().layer(host);
        if user_layer {
            app = app.layer(users.layer());
        }
        if admin_layer {
            app = app.layer(admins.layer());
        }
        let kept = !user_layer && !admin_layer;

        let mut client = Client::open(&app, both_cookies()).await.unwrap();
        for (ns, expected) in [
            ("/", json!(["welcome", "ann", null, kept])),
            ("/admin", json!(["welcome", null, "eve", kept])),
            ("/both", json!(["welcome", "ann", "eve", kept])),
        ] {
            client.connect(ns).await.unwrap();
            assert_eq!(client.event(ns).await, expected, "{user_layer} {admin_layer}");
        }
        let mut user = Client::of(&app, "ann").await;
        assert_eq!(user.connect("/admin").await, Err("unauthorized".into()));
        assert_eq!(user.connect("/both").await, Err("unauthorized".into()));
        user.connect("/").await.unwrap();

        assert_eq!(users.attach(&io).unwrap().user(42).sockets().len(), 3);
        assert_eq!(admins.attach(&io).unwrap().user("eve").sockets().len(), 2);
        assert_eq!(filter_sockets_by_user(&io, |_: &User| true).len(), 3);
        assert_eq!(filter_sockets_by_user(&io, |_: &Admin| true).len(), 2);
    }
}

#[tokio::test]
async fn a_handler_of_the_other_authorizers_user_is_not_run() {
    let (users, admins) = (users(), admins());
    let (host, io) = SocketIo::new_layer();
    serve(&io, &users, &admins);
    let on_connect = async |socket: SocketRef| {
        socket.on("admin", async |_: Auth<Admin>, socket: SocketRef| {
            socket.emit("admin", "ran").unwrap();
        });
        socket.on("user", async |_: Auth<User>, socket: SocketRef| {
            socket.emit("user", "ran").unwrap();
        });
    };
    io.ns("/mixed-up", on_connect.with(users.required()));
    let app = Router::new().layer(host);
    let mut client = Client::open(&app, both_cookies()).await.unwrap();
    client.connect("/mixed-up").await.unwrap();
    client.emit("/mixed-up", "admin").await;
    client.emit("/mixed-up", "user").await;
    assert_eq!(client.event("/mixed-up").await, json!(["user", "ran"]));
}

#[tokio::test]
async fn two_authorizers_of_one_user_type_decide_separately() {
    let (first, second) = (store(), store());
    let strict = auth_over(first.clone()).build().unwrap();
    let other = auth_over(second.clone())
        .success(async |_| Err(passport_socketio::Reject::new("not here")))
        .build()
        .unwrap();
    let (host, io) = SocketIo::new_layer();
    io.ns("/", greet.with(strict.required()));
    io.ns("/other", greet.with(other.required()));
    let app = Router::new().layer(host).layer(strict.layer()).layer(other.layer());
    first.inner().0.set("bob", "null", Life::Forever);

    // Each is asked first once.
    for namespaces in [["/", "/other"], ["/other", "/"]] {
        let mut bob = Client::of(&app, "bob").await;
        for ns in namespaces {
            let text = if ns == "/" { "unauthorized" } else { "not here" };
            assert_eq!(bob.connect(ns).await, Err(text.into()));
        }
    }
    let mut ann = Client::of(&app, "ann").await;
    ann.connect("/").await.unwrap();
    assert!(other.attach(&io).unwrap().online().is_empty());
}

/// Two with one type of user, and a layer each. A namespace for each, the inner's first.
fn two_of_one_user_type() -> (Router, [Store; 2]) {
    let stores = [store(), store()];
    let [inner, outer] = stores.each_ref().map(|store| auth_over(store.clone()).build().unwrap());
    let (host, io) = SocketIo::new_layer();
    io.ns("/", ignore.with(inner.required()));
    io.ns("/outer", ignore.with(outer.required()));
    (Router::new().layer(host).layer(inner.layer()).layer(outer.layer()), stores)
}

#[tokio::test]
async fn two_authorizers_of_one_user_type_use_their_own_layers_lookup() {
    let (app, stores) = two_of_one_user_type();
    let mut ann = Client::of(&app, "ann").await;
    ann.connect("/").await.unwrap();
    ann.connect("/outer").await.unwrap();
    assert_eq!(stores.map(|store| store.loads()), [1, 1]);
}

#[tokio::test]
async fn two_gates_of_one_user_type_can_each_end_the_socket() {
    for which in [0, 1] {
        let both = [store(), store()].map(|store| auth_over(store).build().unwrap());
        let [first, second] = &both;
        let (host, io) = SocketIo::new_layer();
        let (began, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let wait = (began.clone(), go.clone());
        let seen = Arc::new(Mutex::new(None));
        let note = seen.clone();
        let on_connect = async move |socket: SocketRef, user: Auth<User>, _: Session| {
            assert!(user.is_live());
            wait.0.notify_one();
            wait.1.notified().await;
            let logged_in = MaybeAuth::<User>::of(&socket).logged_in();
            *note.lock().unwrap() = Some((user.is_live(), logged_in));
        };
        io.ns("/", on_connect.with(first.required()).with(second.required()));
        let lives = [first.attach(&io).unwrap(), second.attach(&io).unwrap()];
        let mut ann = Client::of(&Router::new().layer(host), "ann").await;
        ann.connect("/").await.unwrap();
        soon(began.notified()).await;
        assert_eq!(lives.each_ref().map(|live| live.user(42).sockets().len()), [1, 1]);

        assert_eq!(lives[which].end_session(&"ann".into(), EndReason::LoggedOut), 1);
        go.notify_one();
        eventually("the handler is done", || seen.lock().unwrap().is_some()).await;
        assert_eq!(*seen.lock().unwrap(), Some((false, false)));
        let ended = json!(["session_ended", {"code": "logged_out", "reconnect": false}]);
        assert_eq!(ann.event("/").await, ended);
        assert_eq!(ann.receive().await, "1");
        for live in &lives {
            let forgot = || format!("{live:?}").contains("sessions: 0, sockets: 0");
            eventually("both have forgotten her", forgot).await;
        }
    }
}

/// Ann connects to where both guard, and her login at the first ends while the second is asked.
async fn ends_at_the_first(second: Authorizer<User>, asked: Arc<Notify>, go: Arc<Notify>) {
    let first = auth_over(store()).build().unwrap();
    let (host, io) = SocketIo::new_layer();
    io.ns("/", ignore.with(second.required()).with(first.required()));
    let live = first.attach(&io).unwrap();
    let mut ann = Client::of(&Router::new().layer(host), "ann").await;
    ann.send("0").await;
    soon(asked.notified()).await;
    assert_eq!(live.end_session(&"ann".into(), EndReason::LoggedOut), 1);
    go.notify_one();
    assert_eq!(ann.connected("/").await, Err("unauthorized".into()));
    assert!(io.of("/").unwrap().sockets().is_empty());
    eventually("forgotten", || format!("{live:?}").contains("sessions: 0, sockets: 0")).await;
}

#[tokio::test]
async fn a_login_that_ended_after_the_first_gate_is_refused_by_the_second() {
    let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let wait = (asked.clone(), go.clone());
    let second = auth_over(store()).success(async move |_| {
        wait.0.notify_one();
        wait.1.notified().await;
        Ok(())
    });
    ends_at_the_first(second.build().unwrap(), asked, go).await;
}

#[tokio::test]
async fn a_login_that_ended_after_the_first_gate_is_no_guest_at_the_second() {
    let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let wait = (asked.clone(), go.clone());
    let second = Authorizer::<User>::builder()
        .secret(SECRET)
        .store(store())
        .deserialize_user(async move |_: i64| {
            wait.0.notify_one();
            wait.1.notified().await;
            Ok::<_, std::io::Error>(None)
        })
        .fail(passport_socketio::Failure::guest);
    ends_at_the_first(second.build().unwrap(), asked, go).await;
}

#[tokio::test]
async fn an_authorizer_with_two_gates_on_a_namespace_registers_one_socket() {
    let auth = auth_over(store()).build().unwrap();
    let (host, io) = SocketIo::new_layer();
    let on_connect = async |socket: SocketRef, user: Auth<User>, session: Session| {
        let views = session.get::<u32>("/views");
        socket.emit("welcome", &(user.is_live(), views)).unwrap();
    };
    io.ns("/", on_connect.with(auth.optional()).with(auth.required()));
    let live = auth.attach(&io).unwrap();
    let mut ann = Client::of(&Router::new().layer(host), "ann").await;
    ann.connect("/").await.unwrap();
    assert_eq!(ann.event("/").await, json!(["welcome", true, 3]));
    assert_eq!(live.user(42).sockets().len(), 1);
    assert_eq!(live.end_session(&"ann".into(), EndReason::LoggedOut), 1);
    assert_eq!(ann.event("/").await[0], "session_ended");
}

#[tokio::test(start_paused = true)]
async fn two_authorizers_of_one_user_type_each_bind_a_later_admitted_user() {
    for (asked, ns) in ["/", "/outer"].into_iter().enumerate() {
        let (app, stores) = two_of_one_user_type();
        let mut late = Client::of(&app, "unknown").await;
        stores[asked].inner().0.set("unknown", user_session(42), Life::Forever);
        // What the layers found out is out of date by then.
        sleep(Duration::from_secs(2)).await;
        late.connect(ns).await.unwrap();
        late.set_headers([("cookie", cookie("bob"))]);
        assert_eq!(late.request(Method::GET, "").await.0, StatusCode::FORBIDDEN, "{ns}");
    }
}

#[tokio::test]
async fn the_session_of_a_namespace_with_two_gates_is_that_of_the_user() {
    let (users, admins) = (users(), admins());
    let (host, io) = SocketIo::new_layer();
    io.ns("/", ignore.with(admins.optional()).with(users.required()));
    io.ns("/turned", ignore.with(users.required()).with(admins.optional()));
    let app = Router::new().layer(host);
    let mut client = Client::of(&app, "ann").await;
    for ns in ["/", "/turned"] {
        client.connect(ns).await.unwrap();
        let socket = io.of(ns).unwrap().sockets().pop().unwrap();
        let session = MaybeSession::of(&socket).0.unwrap();
        assert_eq!(session.get::<i64>("/passport/user"), Some(42), "{ns}");
    }
}

/// User 42 of one, on `/`, and user 42 of the other, on `/admin`.
#[tokio::test]
async fn users_with_equal_keys_of_two_authorizers_share_no_room() {
    let [users, admins] = [store(), store()].map(|store| auth_over(store).build().unwrap());
    let (host, io) = SocketIo::new_layer();
    io.ns("/", ignore.with(users.required()));
    io.ns("/admin", ignore.with(admins.required()));
    let app = Router::new().layer(host);
    let [mut user, mut admin] = [Client::of(&app, "ann").await, Client::of(&app, "ann").await];
    user.connect("/").await.unwrap();
    admin.connect("/admin").await.unwrap();

    let (users, admins) = (users.attach(&io).unwrap(), admins.attach(&io).unwrap());
    for ns in ["/", "/admin"] {
        admins.user(42).join(["control-room"]).await.unwrap();
        users.user(42).leave(["control-room"]).await.unwrap();
        let inside = io.of(ns).unwrap().within("control-room").sockets().len();
        assert_eq!(inside, usize::from(ns == "/admin"), "{ns}");
    }
    users.user(42).emit("news", "for the user").await.unwrap();
    admins.user(42).emit("news", "for the admin").await.unwrap();
    assert_eq!(user.event("/").await, json!(["news", "for the user"]));
    assert_eq!(admin.event("/admin").await, json!(["news", "for the admin"]));
    assert_eq!(users.disconnect_user(42), 1);
    assert_eq!(admins.online().len(), 1);
}

#[tokio::test]
async fn two_authorizers_of_one_name_can_not_attach_to_one_server() {
    let clustered = |name: &str| {
        auth_over(store()).cluster_secret("of the cluster").name(name).build().unwrap()
    };
    let [first, second, admins] = ["users", "users", "admins"].map(clustered);
    assert_eq!(first.user_room(42), second.user_room(42));
    let (host, io) = SocketIo::new_layer();
    for (ns, auth) in [("/", &first), ("/second", &second), ("/admins", &admins)] {
        io.ns(ns, ignore.with(auth.required()));
    }
    let app = Router::new().layer(host);
    let taken = ConfigError::NameTaken("users".into());
    {
        let _live = first.attach(&io).unwrap();
        assert_eq!(second.attach(&io).unwrap_err(), taken);
        let [_again, _admins] = [first.attach(&io).unwrap(), admins.attach(&io).unwrap()];
        // Another server is another node.
        let (_, elsewhere) = SocketIo::new_layer();
        second.attach(&elsewhere).unwrap();
    }
    // Without `attach`, the first that lets somebody in has the name.
    let mut ann = Client::of(&app, "ann").await;
    ann.connect("/").await.unwrap();
    ann.connect("/admins").await.unwrap();
    assert_eq!(ann.connect("/second").await, Err("server_error".into()));
    assert_eq!(second.attach(&io).unwrap_err(), taken);
    first.attach(&io).unwrap().user(42).emit("news", "hello").await.unwrap();
    assert_eq!(ann.event("/").await, json!(["news", "hello"]));
}
