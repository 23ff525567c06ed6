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
fn only_requests_that_open_a_connection_are_looked_up() {
    for open in [
        "/socket.io/?EIO=4&transport=polling",
        "/socket.io/?EIO=4&transport=websocket&sid",
        "/socket.io/?EIO=4&transport=websocket&%73id=x",
        "/socket.io/?EIO=4&transport=websocket&SID=x",
        "/socket.io/?EIO=3&transport=polling",
        "/socket.io/?EIO=4=x&transport=polling=x",
    ] {
        assert!(opens_connection(&get(open)), "{open}");
    }
    for other in [
        "/socket.io/?EIO=4&transport=polling&sid=x",
        "/socket.io/?EIO=4&transport=polling&sid=",
        "/socket.io/?EIO=4",
        "/socket.io/?EIO=2&transport=polling",
        "/socket.io/?EIO=5&EIO=4&transport=polling",
        "/socket.io/?EIO=4&transport=webtransport",
        "/socket.io/?EIO=4&transport=&transport=polling",
        "/socket.io/",
    ] {
        assert!(!opens_connection(&get(other)), "{other}");
    }
    let mut post = get("/socket.io/?EIO=4&transport=polling");
    post.method = Method::POST;
    assert!(!opens_connection(&post));
}

#[test]
fn the_id_is_read_as_the_engine_reads_it() {
    let (one, other) = ("AAAAAAAAAAAAAAAA", "aA0_-aA0_-aA0_-z");
    for (query, id) in [
        (format!("EIO=4&sid={one}"), Some(one)),
        (format!("sid={other}&sid={one}"), Some(other)),
        (format!("sid=&sid={one}"), None),
        (format!("SID={other}&sid={one}"), Some(one)),
        (format!("%73id={other}&sid={one}"), Some(one)),
        (format!("xsid={other}"), None),
        (format!("sid={one}A"), None),
        (format!("sid={one}="), None),
        ("sid=AAAAAAAAAAAAAAA%41".into(), None),
        ("sid=AAAAAAAAAAAAAAA+".into(), None),
        (String::new(), None),
    ] {
        let request = get(&format!("/socket.io/?{query}"));
        assert_eq!(EngineId::of(&request).as_ref().map(EngineId::as_str), id, "{query}");
    }
}

#[test]
fn a_websocket_request_is_recognized_as_the_engine_does() {
    for (query, websocket) in [
        ("EIO=4&transport=websocket", true),
        ("EIO=4&transport=websocket=x", true),
        ("EIO=4&transport=polling&transport=websocket", false),
        ("EIO=4&transport=WebSocket", false),
        ("EIO=4", false),
    ] {
        let request = get(&format!("/socket.io/?{query}"));
        assert_eq!(wants_websocket(&request), websocket, "{query}");
    }
}
