//! The path of Socket.IO: the layer guards the requests that socketioxide takes.

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use passport_socketio::{Authorizer, AuthorizerBuilder};
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use testkit::secrecy;

use crate::common::world::{self, User, auth_over, cookie, ignore};
use crate::common::{Client, ask};

fn auth(path: Option<&str>) -> Authorizer<User> {
    let builder = auth_over(world::store());
    path.into_iter().fold(builder, AuthorizerBuilder::path).build().unwrap()
}

async fn get(app: &Router, uri: &str) -> (StatusCode, String) {
    ask(app, Request::get(uri).body(Body::empty()).unwrap()).await
}

/// How many lines of this level name this path.
fn count(level: &str, path: &str) -> usize {
    let log = secrecy::logged();
    let path = format!("path=\"{path}");
    log.lines().filter(|line| line.contains(level) && line.contains(&path)).count()
}

#[test]
fn a_path_that_no_request_can_have_is_a_config_error() {
    for path in
        ["", "socket.io", "socket.io/", "/socket.io?x", "/socket.io#x", "/a b", "/socket.io//", "*"]
    {
        assert!(auth_over(world::store()).path(path).build().is_err(), "{path:?}");
    }
    for path in ["/", "/socket.io", "/socket.io/", "/a/b", "/a/b/", "/%41", "/chät"] {
        assert!(auth_over(world::store()).path(path).build().is_ok(), "{path:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_path_is_guarded_with_and_without_its_trailing_slash() {
    for over in [false, true] {
        let auth = auth(Some("/socket.io/"));
        let (engine, io) = SocketIo::new_layer();
        io.ns("/", ignore.with(auth.required()));
        let app = if over {
            Router::new().layer(auth.layer_over(engine))
        } else {
            Router::new().layer(engine).layer(auth.layer())
        };
        let mut ann = Client::of(&app, "ann").await;
        ann.connect("/").await.unwrap();
        // The engine answers at both, so both have to ask for Ann's cookie.
        for path in ["/socket.io", "/socket.io/"] {
            ann.set_headers([]);
            let uri = format!("{path}?EIO=4&transport=polling{}", ann.sid());
            assert_eq!(get(&app, &uri).await.0, StatusCode::FORBIDDEN, "{path} over: {over}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn socketioxide_at_another_path_is_not_served_under_layer_over() {
    let errors = || count("ERROR", "/unserved/");
    for (n, req_path) in ["/rt", "/unserved/rt", "/unserve", "/UNSERVED"].into_iter().enumerate() {
        let auth = auth(Some("/unserved"));
        let (engine, io) = SocketIo::builder().req_path(req_path).build_layer();
        io.ns("/", async || {});
        let page = axum::routing::get(async || "the app's");
        let app: Router = Router::new().route("/rt/", page).layer(auth.layer_over(engine));
        assert_eq!(errors(), n + 1, "{req_path}");
        let at = async |path| get(&app, &format!("{path}/?EIO=4&transport=polling")).await;
        assert_eq!(at("/rt").await, (StatusCode::OK, "the app's".to_owned()), "{req_path}");
        for path in [req_path, "/unserved", "/unserved/rt/x"] {
            if path != "/rt" {
                assert_eq!(at(path).await.0, StatusCode::NOT_FOUND, "{path} of {req_path}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn layer_over_leaves_all_requests_beside_its_path_to_the_app() {
    for req_path in ["/", "/served"] {
        let auth = auth(Some("/served/here"));
        let (engine, io) = SocketIo::builder().req_path(req_path).build_layer();
        io.ns("/", async || {});
        let page = axum::routing::get(async || "the app's");
        let app: Router = Router::new().route("/served/", page).layer(auth.layer_over(engine));
        let (status, body) = get(&app, "/served/?EIO=4&transport=polling").await;
        assert_eq!((status, &*body), (StatusCode::OK, "the app's"), "{req_path}");
        let (status, body) = get(&app, "/served/here/?EIO=4&transport=polling").await;
        assert_eq!(status, StatusCode::OK, "{req_path}");
        assert!(body.starts_with("0{"), "{req_path}: {body}");
    }
    assert_eq!(count("ERROR", "/served/here"), 0);
}

#[tokio::test(start_paused = true)]
async fn layer_over_serves_its_path_with_and_without_a_trailing_slash() {
    for (path, req_path) in [("/rt", "/rt"), ("/rt/", "/rt"), ("/rt", "/rt/"), ("/", "/")] {
        let auth = auth(Some(path));
        let (engine, io) = SocketIo::builder().req_path(req_path).build_layer();
        io.ns("/", ignore.with(auth.required()));
        let app: Router = Router::new().layer(auth.layer_over(engine));
        let (status, body) = get(&app, "/rt/?EIO=4&transport=polling").await;
        assert_eq!(status, StatusCode::OK, "{path} {req_path}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_warning_is_logged_for_sockets_that_passed_no_layer() {
    let path = "/guarded-here-alone";
    let warnings = || count("WARN", path);
    let auth = auth(Some(path));
    let (engine, io) = SocketIo::new_layer();
    io.ns("/", ignore.with(auth.required()));
    let unguarded = Router::new().layer(engine);
    Client::of(&unguarded, "ann").await.connect("/").await.unwrap();
    assert_eq!(warnings(), 0, "no layer was made");
    let guarded = unguarded.layer(auth.layer());
    for _ in 0..2 {
        Client::of(&guarded, "ann").await.connect("/").await.unwrap();
        assert_eq!(warnings(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn no_warning_is_logged_for_a_socket_that_passed_its_layer() {
    let path = "/guarded-and-served";
    let auth = auth(Some(path));
    let (engine, io) = SocketIo::builder().req_path(path).build_layer();
    let at = |socket: SocketRef| socket.emit("at", socket.req_parts().uri.path()).unwrap();
    io.ns("/", (async move |socket: SocketRef| at(socket)).with(auth.required()));
    let app: Router = Router::new().layer(engine).layer(auth.layer());
    let mut ann = Client::open_at(&app, path, [("cookie", cookie("ann"))]).await.unwrap();
    ann.connect("/").await.unwrap();
    assert_eq!(ann.event("/").await[1], format!("{path}/"));
    assert_eq!(count("WARN", path), 0);
}
