//! Engine.IO's requests, told apart exactly as the engine tells them
//! (engineioxide 0.17, `service/mod.rs`, `service/parser.rs`).
//!
//! A layer that decoded the URL would disagree with an engine that does not: `&%73id=x` opens a
//! new connection there.

use http::request::Parts;
use http::{Method, Uri};

/// Whether the engine at `path` would take a request for this URI.
pub(super) fn is_for_engine(uri: &Uri, path: &str) -> bool {
    uri.path()
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || path.ends_with('/'))
}

/// Whether the engine would open a connection for it: no `sid`, and nothing it answers with 400.
pub(super) fn opens_connection(request: &Parts) -> bool {
    let query = request.uri.query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|pair| pair.starts_with(name));
    request.method == Method::GET && !has("sid=") && has("EIO=") && has("transport=")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(uri: &str) -> Parts {
        http::Request::get(uri).body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_path_is_matched_as_the_engine_does() {
        for (uri, path, matches) in [
            ("/socket.io/?EIO=4", "/socket.io", true),
            ("/socket.io?EIO=4", "/socket.io", true),
            ("/socket.io/x", "/socket.io", true),
            ("/socket.iox/", "/socket.io", false),
            ("/", "/socket.io", false),
            ("/socket.io", "/socket.io/", false),
            ("/anything", "/", true),
        ] {
            assert_eq!(is_for_engine(&uri.parse().unwrap(), path), matches, "{uri} at {path}");
        }
    }

    #[test]
    fn only_what_opens_a_connection_is_looked_up() {
        for open in [
            "/socket.io/?EIO=4&transport=polling",
            "/socket.io/?EIO=4&transport=websocket&sid",
            "/socket.io/?EIO=4&transport=websocket&%73id=x",
            "/socket.io/?EIO=4&transport=websocket&SID=x",
        ] {
            assert!(opens_connection(&get(open)), "{open}");
        }
        for other in [
            "/socket.io/?EIO=4&transport=polling&sid=x",
            "/socket.io/?EIO=4&transport=polling&sid=",
            "/socket.io/?EIO=4",
            "/socket.io/",
        ] {
            assert!(!opens_connection(&get(other)), "{other}");
        }
        let mut post = get("/socket.io/?EIO=4&transport=polling");
        post.method = Method::POST;
        assert!(!opens_connection(&post));
    }
}
