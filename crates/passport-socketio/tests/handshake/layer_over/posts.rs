//! The body of a POST has to come within 30 seconds.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream::{self, StreamExt as _};
use http::{Method, Request, StatusCode, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt as _;

use super::newcomers::Pipes;
use super::{assert_about, server};
use crate::common::{Client, soon};

const POSTED_WITHIN: Duration = Duration::from_secs(30);

/// So many pings, one each second, and then nothing that would end it.
fn trickle(pings: usize) -> Body {
    let pieces = stream::iter(0..pings).then(async |_| {
        sleep(Duration::from_secs(1)).await;
        Ok::<_, std::io::Error>(Bytes::from_static(b"3\x1e"))
    });
    Body::from_stream(pieces.chain(stream::pending()))
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_is_answered_with_408_after_30_s() {
    for over in [false, true] {
        let server = server(over, |builder| builder);
        for pings in [0, 3, 1_000] {
            let mut client = Client::of(&server.app, "ann").await;
            client.connect("/").await.unwrap();
            let uri = format!("/socket.io/?EIO=4&transport=polling{}", client.sid());
            let (name, cookie) = ("cookie", super::cookie("ann"));
            let post = Request::post(uri).header(name, cookie).body(trickle(pings)).unwrap();
            let start = Instant::now();
            let answer = timeout(2 * POSTED_WITHIN, server.app.clone().oneshot(post)).await;
            let answer = answer.unwrap().unwrap();
            assert_about(start.elapsed(), POSTED_WITHIN);
            assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT, "over: {over}, {pings}");
            assert_eq!(answer.headers()["connection"], "close");
            // The connection of Engine.IO goes on, for the client that it belongs to.
            assert_eq!(client.request(Method::POST, "3").await.0, StatusCode::OK);
            client.close().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_body_in_http_2_closes_only_its_stream() {
    let server = server(true, |builder| builder);
    let client = Client::of(&server.app, "ann").await;
    let uri = format!("/socket.io/?EIO=4&transport=polling{}", client.sid());
    let post = Request::post(uri).version(Version::HTTP_2).header("cookie", super::cookie("ann"));
    let post = post.body(trickle(0)).unwrap();
    let answer = server.app.clone().oneshot(post).await.unwrap();
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    assert!(!answer.headers().contains_key("connection"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_that_arrives_in_time_is_accepted() {
    for over in [false, true] {
        let server = server(over, |builder| builder);
        let client = Client::of(&server.app, "ann").await;
        let uri = format!("/socket.io/?EIO=4&transport=polling{}", client.sid());
        let pieces = stream::iter(["3", "\x1e", "3"]).then(async |piece| {
            sleep(Duration::from_secs(9)).await;
            Ok::<_, std::io::Error>(piece)
        });
        let post = Request::post(uri).header("cookie", super::cookie("ann"));
        let post = post.body(Body::from_stream(pieces)).unwrap();
        let answer = server.app.clone().oneshot(post).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "over: {over}");
    }
}

#[tokio::test(start_paused = true)]
async fn connections_whose_body_never_arrives_are_closed() {
    for over in [false, true] {
        let server = server(over, |builder| builder);
        let (pipes, listener) = mpsc::channel(1);
        let serve = axum::serve(Pipes(listener), server.app.clone());
        tokio::spawn(async move { serve.await });
        let client = Client::of(&server.app, "ann").await;
        let head = format!(
            "POST /socket.io/?EIO=4&transport=polling{} HTTP/1.1\r\nhost: x\r\ncookie: {}\r\n\
             content-length: 100\r\n\r\n",
            client.sid(),
            super::cookie("ann"),
        );
        let mut open: Vec<DuplexStream> = Vec::new();
        for sent in 0..100 {
            let (mut ours, theirs) = duplex(1024);
            pipes.send(theirs).await.unwrap();
            ours.write_all(head.as_bytes()).await.unwrap();
            ours.write_all(&[b'x'; 100][..sent]).await.unwrap();
            open.push(ours);
        }
        let start = Instant::now();
        for mut connection in open {
            let mut answer = String::new();
            let read = connection.read_to_string(&mut answer);
            timeout(2 * POSTED_WITHIN, read).await.unwrap().unwrap();
            assert!(answer.starts_with("HTTP/1.1 408 "), "over: {over}: {answer}");
        }
        assert_about(start.elapsed(), POSTED_WITHIN);
        soon(client.close()).await;
    }
}
