//! A request as it was pasted: whole, or a line of it.

use axum::http::header::{COOKIE, HOST, HeaderName, HeaderValue, SET_COOKIE};
use axum::http::{HeaderMap, Uri};

use crate::Failed;

/// What a pasted request says.
#[derive(Debug, Default)]
pub(super) struct Pasted {
    /// Of the request line, if there is one.
    pub(super) uri: Option<Uri>,
    pub(super) headers: HeaderMap,
}

/// Lines as servers get them, as `curl -v` shows them (`> Host: …`), or as browsers show HTTP/2
/// (`:authority: …`). Ends at the first empty line: what follows is the body.
pub(super) fn parse(text: &str) -> Result<Pasted, Failed> {
    let mut pasted = Pasted::default();
    let lines = text.trim_start().lines().map(|line| line.strip_prefix('>').unwrap_or(line).trim());
    for (number, line) in lines.take_while(|line| !line.is_empty()).enumerate() {
        if let Some(pseudo) = line.strip_prefix(':') {
            pasted.take_pseudo_header(pseudo)?;
        } else if let Some(target) = request_target(line).filter(|_| number == 0) {
            pasted.uri = Some(target.parse().map_err(|_| "--request: its first line has no URI")?);
        } else {
            let (name, value) = header_line("--request", line)?;
            pasted.headers.append(name, value);
        }
    }
    if pasted.headers.is_empty() {
        return Err("--request: there is no header in it".into());
    }
    Ok(pasted)
}

impl Pasted {
    fn take_pseudo_header(&mut self, line: &str) -> Result<(), Failed> {
        match line.split_once(':').map(|(name, value)| (name, value.trim())) {
            Some(("authority", value)) => {
                self.headers.insert(HOST, header_value("--request", value)?);
            }
            Some(("path", value)) => {
                self.uri = Some(value.parse().map_err(|_| "--request: its :path is none")?);
            }
            _ => {}
        }
        Ok(())
    }
}

/// `GET /socket.io/?EIO=4 HTTP/1.1`
fn request_target(line: &str) -> Option<&str> {
    let mut words = line.split(' ');
    let method = words.next()?;
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    words.next().filter(|target| is_method && !target.is_empty())
}

/// A `Set-Cookie` line is taken for the cookie that the browser sends back.
pub(super) fn header_line(option: &str, line: &str) -> Result<(HeaderName, HeaderValue), Failed> {
    let (name, value) = line.split_once(':').ok_or_else(|| {
        format!("{option} needs a name and a value, such as 'Cookie: connect.sid=s%3A…'")
    })?;
    let name: HeaderName =
        name.trim().parse().map_err(|_| format!("{option}: this name can't be a header's"))?;
    if name == SET_COOKIE {
        return Ok((COOKIE, header_value(option, sent_back(value))?));
    }
    Ok((name, header_value(option, value)?))
}

/// What was pasted as a cookie: a value, `name=value`, or a whole line.
pub(super) fn cookie_line(session_cookie: &str, text: &str) -> Result<HeaderValue, Failed> {
    let text = text.trim();
    let named = |name: &str| {
        let (start, value) = text.split_once(':')?;
        start.eq_ignore_ascii_case(name).then_some(value)
    };
    let pairs = match (named("cookie"), named("set-cookie")) {
        (Some(value), _) => value.to_owned(),
        (None, Some(value)) => sent_back(value).to_owned(),
        (None, None) if has_name(text, session_cookie) => text.to_owned(),
        (None, None) => format!("{session_cookie}={text}"),
    };
    header_value("--cookie", &pairs)
}

fn has_name(cookie: &str, name: &str) -> bool {
    cookie.strip_prefix(name).is_some_and(|rest| rest.starts_with('='))
}

/// Of `connect.sid=s%3A…; Path=/; HttpOnly` the pair.
fn sent_back(set_cookie: &str) -> &str {
    set_cookie.split_once(';').map_or(set_cookie, |(pair, _attributes)| pair)
}

/// Says which option is wrong, and not its value: it may be a cookie.
pub(super) fn header_value(option: &str, value: &str) -> Result<HeaderValue, Failed> {
    HeaderValue::from_str(value.trim())
        .or_else(|_| HeaderValue::from_bytes(value.trim().as_bytes()))
        .map_err(|_| format!("{option}: it has a character that no header can have").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pasted(text: &str) -> (Option<String>, Vec<(String, String)>) {
        let pasted = parse(text).unwrap();
        let headers = pasted.headers.iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()));
        (pasted.uri.map(|uri| uri.to_string()), headers.collect())
    }

    fn expected(headers: &[(&str, &str)]) -> Vec<(String, String)> {
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_whole_request_is_read_however_it_was_copied() {
        let headers =
            expected(&[("host", "a.example:8443"), ("cookie", "a=1; connect.sid=s%3Ax.y")]);
        let uri = Some("/socket.io/?EIO=4".to_owned());
        for text in [
            "GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: a.example:8443\r\nCookie: a=1; connect.sid=s%3Ax.y\r\n\r\n",
            "\n\nGET /socket.io/?EIO=4 HTTP/1.1\nHost:a.example:8443\ncookie:  a=1; connect.sid=s%3Ax.y",
            "> GET /socket.io/?EIO=4 HTTP/1.1\n> Host: a.example:8443\n> Cookie: a=1; connect.sid=s%3Ax.y\n>",
            ":method: GET\n:authority: a.example:8443\n:path: /socket.io/?EIO=4\n:scheme: https\n\
             cookie: a=1; connect.sid=s%3Ax.y\n\nnot: a header",
        ] {
            assert_eq!(pasted(text), (uri.clone(), headers.clone()), "{text}");
        }
        let only_headers = "Host: a.example:8443\nCookie: a=1; connect.sid=s%3Ax.y\n";
        assert_eq!(pasted(only_headers), (None, headers));
    }

    #[test]
    fn a_set_cookie_line_is_the_cookie_that_comes_back() {
        let line = "Set-Cookie: connect.sid=s%3Ax.y; Path=/; HttpOnly; SameSite=Lax";
        let headers = expected(&[("cookie", "connect.sid=s%3Ax.y")]);
        assert_eq!(pasted(line).1, headers);
        let (name, value) = header_line("--header", line).unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("cookie", "connect.sid=s%3Ax.y"));
    }

    #[test]
    fn a_cookie_is_a_value_a_pair_or_a_line() {
        for text in [
            "s%3Ax.y",
            " connect.sid=s%3Ax.y\n",
            "Cookie: connect.sid=s%3Ax.y",
            "cookie:connect.sid=s%3Ax.y",
            "Set-Cookie: connect.sid=s%3Ax.y; Path=/; Expires=Sat, 28 Nov 2026 15:50:27 GMT",
        ] {
            assert_eq!(cookie_line("connect.sid", text).unwrap(), "connect.sid=s%3Ax.y", "{text}");
        }
        let several = cookie_line("connect.sid", "Cookie: a=1; connect.sid=s%3Ax.y").unwrap();
        assert_eq!(several, "a=1; connect.sid=s%3Ax.y");
        // The value of a session is not a line, though it has a colon.
        assert_eq!(cookie_line("connect.sid", "s:x.y").unwrap(), "connect.sid=s:x.y");
    }

    #[test]
    fn what_is_no_request_is_refused_without_being_shown() {
        for text in [
            "",
            "GET / HTTP/1.1\n\nCookie: a=b",
            "GET",
            "a secret",
            "GET  HTTP/1.1",
            "Cookie: a\0b",
            "a b: c",
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with("--request") && !error.contains("secret"), "{error}");
        }
    }
}
