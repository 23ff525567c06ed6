//! The cookies of a request, wherever they are.

use std::fmt;
use std::sync::Arc;

use express_session::SessionRequest;
use http::header::COOKIE;
use http::request::Parts;
use http::{HeaderValue, Uri};

/// The cookie header, moved by our layer out of the headers, which handlers see and logs print,
/// into one place that every authorizer reads.
#[derive(Clone, Default)]
pub(crate) struct CookieContext {
    /// `None` also for a header that is too large to be read.
    cookies: Option<Arc<str>>,
    bytes: usize,
    /// The query, where the layer took a session id out of it.
    query: Option<Arc<str>>,
}

impl CookieContext {
    /// Where the layer has put it, or else from the headers. What has more than `limit` bytes is
    /// not read.
    pub(crate) fn of(request: &Parts, limit: usize) -> Self {
        request.extensions.get::<Self>().cloned().unwrap_or_else(|| Self::read(request, limit))
    }

    /// Several headers become one, as Node makes them.
    fn read(request: &Parts, limit: usize) -> Self {
        let headers = || request.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        let bytes = headers().map(<[u8]>::len).sum();
        if bytes > limit {
            return Self { bytes, ..Self::default() };
        }
        let read = SessionRequest::from_cookie_headers(headers());
        let cookies = read.and_then(|read| read.cookies().map(Arc::from));
        Self { cookies, bytes, query: None }
    }

    /// Takes the cookies out of the request's headers, unless somebody has already done so. (Whoever
    /// takes the session id out of the URI does that afterwards.)
    pub(crate) fn take(request: &mut Parts, limit: usize, keep: bool) {
        let mut cookies = Self::of(request, limit);
        let query = request.uri.query();
        if let Some(query) = query.filter(|query| query.split('&').any(Self::is_session_id)) {
            cookies.query = Some(query.into());
        }
        request.extensions.insert(cookies);
        if !keep {
            request.headers.remove(COOKIE);
        }
    }

    /// Whether this parameter is the one of `insecure_session_id_query`.
    pub(crate) fn is_session_id(pair: &str) -> bool {
        pair.starts_with("session_id=")
    }

    pub(crate) fn is_too_large(&self, limit: usize) -> bool {
        self.bytes > limit || (self.bytes > 0 && self.cookies.is_none())
    }

    /// Whether there are more than so many, of whatever names. Stops counting there.
    pub(crate) fn are_more_than(&self, limit: usize) -> bool {
        let cookies = self.cookies.as_deref().unwrap_or_default();
        cookies.split(';').nth(limit).is_some()
    }

    /// How many there are of this name.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.names().filter(|other| *other == name).count()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let pairs = self.cookies.as_deref().unwrap_or_default().split(';');
        pairs.filter_map(|pair| Some(pair.split_once('=')?.0.trim_matches([' ', '\t'])))
    }

    /// The cookies' names, which are no secrets.
    pub(crate) fn describe(&self) -> String {
        let names = self.names().collect::<Vec<_>>().join(", ").escape_debug().to_string();
        format!("a Cookie header of {} bytes with {names}", self.bytes)
    }

    /// With the query of `uri`, unless a session id was taken out of it.
    pub(crate) fn as_request<'r>(&'r self, uri: &'r Uri) -> SessionRequest<'r> {
        let cookies = self.cookies.as_deref().map(SessionRequest::from_cookie_header);
        cookies.unwrap_or_default().with_query(self.query.as_deref().or(uri.query()))
    }
}

impl fmt::Debug for CookieContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CookieContext({} bytes)", self.bytes)
    }
}
