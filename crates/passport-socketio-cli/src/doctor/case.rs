//! The request that is examined, put together from the command line.

use std::borrow::Cow;
use std::io::Read as _;
use std::net::IpAddr;
use std::sync::Arc;

use axum::http::Request;
use axum::http::header::{COOKIE, HOST, HeaderValue, ORIGIN};
use axum::http::request::Parts;
use express_session::SessionRequest;
use express_session::source::SessionSource;
use passport_socketio::PeerAddr;

use super::request::{self, Pasted, header_value};
use super::server::an_address_of;
use crate::Failed;
use crate::args::DoctorArgs;

pub(super) struct Case<'a> {
    pub(super) args: &'a DoctorArgs,
    pub(super) request: Parts,
    /// The Cookie headers as the pipeline reads them: joined and decoded.
    pub(super) cookies: String,
    /// The path that the request asks for, if that was pasted, too.
    pub(super) path: Option<String>,
}

impl<'a> Case<'a> {
    pub(super) fn from_args(args: &'a DoctorArgs) -> Result<Self, Failed> {
        let Pasted { uri, headers } = pasted(args)?;
        let mut request = Request::new(());
        *request.uri_mut() = uri.clone().unwrap_or_default();
        *request.headers_mut() = headers;
        if let Some(peer) = peer(args) {
            request.extensions_mut().insert(PeerAddr((peer, 0).into()));
        }
        let (request, ()) = request.into_parts();
        let cookies = request.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        let cookies = SessionRequest::from_cookie_headers(cookies);
        let cookies = cookies.and_then(|read| Some(read.cookies()?.to_owned())).unwrap_or_default();
        Ok(Self { args, request, cookies, path: uri.map(|uri| uri.path().to_owned()) })
    }

    /// A header's text, if there is exactly one of its name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.request.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
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

/// What was typed and pasted, put together.
fn pasted(args: &DoctorArgs) -> Result<Pasted, Failed> {
    let mut pasted = match args.request.as_deref() {
        Some("-") => request::parse(&from_stdin()?)?,
        Some(path) => {
            let text = std::fs::read_to_string(path);
            request::parse(&text.map_err(|error| format!("--request: reading {path}: {error}"))?)?
        }
        None => Pasted::default(),
    };
    let headers = &mut pasted.headers;
    for header in &args.headers {
        let (name, value) = request::header_line("--header", header)?;
        headers.append(name, value);
    }
    if let Some(cookie) = &args.cookie {
        let text = if cookie == "-" { from_stdin()? } else { cookie.clone() };
        headers.append(COOKIE, request::cookie_line(args.sessions.cookie_name(), &text)?);
    }
    if let Some(origin) = &args.origin {
        headers.insert(ORIGIN, header_value("--origin", origin)?);
    }
    if let Some(host) = &args.host {
        headers.insert(HOST, header_value("--host", host)?);
    }
    let nothing = args.cookie.is_none() && args.headers.is_empty() && args.request.is_none();
    if nothing {
        return Err("nothing to examine: give --cookie 's%3A…' (the session cookie's value), --cookie -, --header 'Cookie: …' or --request FILE (a whole request)".into());
    }
    Ok(pasted)
}

/// Who the request comes from: a proxy that is trusted, unless it is said.
fn peer(args: &DoctorArgs) -> Option<IpAddr> {
    args.peer.or_else(|| an_address_of(args.trusted_proxies.first()?))
}

fn from_stdin() -> Result<String, Failed> {
    let mut text = String::new();
    // No request is longer; whatever else is piped in is not read to its end.
    std::io::stdin()
        .take(64 * 1024)
        .read_to_string(&mut text)
        .map_err(|error| format!("reading stdin: {error}"))?;
    Ok(text.trim().to_owned())
}
