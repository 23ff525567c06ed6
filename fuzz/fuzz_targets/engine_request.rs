#![no_main]
//! Whatever the path, the query and the method: the layer that holds the real engine gives the app what the
//! engine alone would have given it, and lets no stranger use the connection of somebody else.

use bytes::Bytes;
use fuzz::handshake::{OPEN, STRANGER, ask, authorizer, cookie, get, host, run};
use fuzz::unit;
use http::Method;
use libfuzzer_sys::fuzz_target;
use passport_socketio::Authorizer;
use socketioxide::SocketIo;
use tower::Layer as _;

const APP: &[u8] = b"the app's answer";

/// What stands for the id of the connection that is not the stranger's.
const ID: &str = "ID";

const METHODS: [Method; 8] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::TRACE,
];

fuzz_target!(|input: (&str, &str, u8, bool)| unit(|| {
    let (path, query, method, below) = input;
    let path = if below { format!("/socket.io{path}") } else { path.to_owned() };
    let method = METHODS.get(usize::from(method) % METHODS.len()).unwrap();
    run(check(&path, query, method));
}));

async fn check(path: &str, query: &str, method: &Method) {
    let auth: Authorizer<i64> = authorizer(|builder| builder);
    let app = || host(APP.to_vec());
    let (engine, io) = SocketIo::new_layer();
    let (alone, alone_io) = SocketIo::new_layer();
    let server = auth.layer_over(engine).layer(app());
    let alone = alone.layer(app());

    let own = get(STRANGER, OPEN, &[("cookie", &*cookie())]).unwrap();
    let (status, body) = ask(&server, own).await;
    assert_eq!(status, 200);
    let id = id_in(&body);

    let request = |query: &str| {
        let mut request = get(STRANGER, &format!("{path}?{query}"), &[])?;
        *request.method_mut() = method.clone();
        Some(request)
    };
    // What names no connection of its own is answered in the same way.
    if let Some((ours, theirs)) = request(query).zip(request(query)) {
        let (ours, theirs) = (ask(&server, ours).await, ask(&alone, theirs).await);
        assert_eq!((ours.0, ours.1 == APP), (theirs.0, theirs.1 == APP));
    }
    for named in [
        query.replace(ID, &id),
        format!("EIO=4&transport=polling&{query}&sid={id}"),
        format!("EIO=4&transport=polling&sid={id}{query}"),
        format!("transport=websocket&EIO=3&sid={id}&{query}"),
    ] {
        let Some(request) = request(&named) else { continue };
        let (status, body) = ask(&server, request).await;
        // 200 is the app's, or of a connection that was opened just now.
        let opened = body.windows(7).any(|window| window == br#""sid":""#) && id_in(&body) != id;
        assert!(status != 200 || body == APP || opened, "{status} {body:?}");
    }
    // It is still there.
    let close = format!("{OPEN}&sid={id}");
    let mut close = get(STRANGER, &close, &[("cookie", &*cookie())]).unwrap();
    *close.method_mut() = Method::POST;
    *close.body_mut() = "1".into();
    assert_eq!(ask(&server, close).await.0, 200);
    io.close().await;
    alone_io.close().await;
}

fn id_in(body: &Bytes) -> String {
    let text = str::from_utf8(body).unwrap_or_default();
    let id = text.split(r#""sid":""#).nth(1).and_then(|rest| rest.get(..16));
    id.unwrap_or_default().to_owned()
}
