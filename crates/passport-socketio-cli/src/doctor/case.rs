//! The request that is examined, put together from the command line.

use std::borrow::Cow;
use std::io::Read as _;
use std::sync::Arc;

use axum::http::header::{COOKIE, HOST, HeaderName, HeaderValue, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request};
use express_session::SessionRequest;
use express_session::source::SessionSource;

use crate::Failed;
use crate::args::DoctorArgs;

pub(super) struct Case<'a> {
    pub(super) args: &'a DoctorArgs,
    pub(super) request: Parts,
    /// The Cookie headers as the pipeline reads them: joined and decoded.
    pub(super) cookies: String,
}

impl<'a> Case<'a> {
    pub(super) fn from_args(args: &'a DoctorArgs) -> Result<Self, Failed> {
        let mut request = Request::new(());
        *request.headers_mut() = headers(args)?;
        let (request, ()) = request.into_parts();
        let cookies = request.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        let cookies = SessionRequest::from_cookie_headers(cookies);
        let cookies = cookies.and_then(|read| Some(read.cookies()?.to_owned())).unwrap_or_default();
        Ok(Self { args, request, cookies })
    }

    /// The names and raw values of all cookies.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.cookies
            .split(';')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim()))
    }

    /// How the pipeline would read its session, were these the secrets.
    pub(super) fn source(&self, secrets: &[String]) -> Option<Arc<dyn SessionSource>> {
        self.args.sessions.source(secrets, self.args.store.is_some()).ok()
    }

    /// The session cookie's value, decoded as the pipeline does.
    pub(super) fn session_cookie(&self) -> Option<String> {
        express_session::cookie::find(&self.cookies, self.args.sessions.cookie_name())
            .map(Cow::into_owned)
    }
}

fn headers(args: &DoctorArgs) -> Result<HeaderMap, Failed> {
    let mut headers = HeaderMap::new();
    for header in &args.headers {
        let (name, value) = header
            .split_once(':')
            .ok_or("--header needs a name and a value, such as 'Cookie: connect.sid=s%3A…'")?;
        let name: HeaderName =
            name.trim().parse().map_err(|_| "--header: this name can't be a header's")?;
        headers.append(name, header_value("--header", value)?);
    }
    if let Some(cookie) = &args.cookie {
        let value = if cookie == "-" { from_stdin()? } else { cookie.trim().to_owned() };
        headers.append(
            COOKIE,
            header_value("--cookie", &as_pair(args.sessions.cookie_name(), &value))?,
        );
    }
    if let Some(origin) = &args.origin {
        headers.append(ORIGIN, header_value("--origin", origin)?);
    }
    if let Some(host) = &args.host {
        headers.append(HOST, header_value("--host", host)?);
    }
    if headers.get(COOKIE).is_none() && args.cookie.is_none() && args.headers.is_empty() {
        return Err("nothing to examine: give --cookie 's%3A…' (the session cookie's value), --cookie - or --header 'Cookie: …'".into());
    }
    Ok(headers)
}

/// Some copy the value, some the whole `name=value`.
fn as_pair(name: &str, cookie: &str) -> String {
    if cookie.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')) {
        cookie.to_owned()
    } else {
        format!("{name}={cookie}")
    }
}

fn from_stdin() -> Result<String, Failed> {
    let mut text = String::new();
    // No cookie is longer; whatever else is piped in is not read to its end.
    std::io::stdin()
        .take(64 * 1024)
        .read_to_string(&mut text)
        .map_err(|error| format!("reading stdin: {error}"))?;
    Ok(text.trim().to_owned())
}

/// Says which option is wrong, and not its value: it may be a cookie.
fn header_value(option: &str, value: &str) -> Result<HeaderValue, Failed> {
    HeaderValue::from_str(value.trim())
        .or_else(|_| HeaderValue::from_bytes(value.trim().as_bytes()))
        .map_err(|_| format!("{option}: it has a character that no header can have").into())
}
