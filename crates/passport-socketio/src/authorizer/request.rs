//! The cookies of a request, wherever they are.

use std::fmt;
use std::sync::Arc;

use express_session::SessionRequest;
use http::header::COOKIE;
use http::request::Parts;

/// The cookie header, taken out of the headers by our layer into one place that every authorizer
/// reads, and that the host does not keep.
#[derive(Clone, Default)]
pub(crate) struct CookieContext(Option<Arc<str>>);

impl CookieContext {
    /// Where the layer has put it, or else from the headers.
    pub(crate) fn of(request: &Parts) -> Self {
        request.extensions.get::<Self>().cloned().unwrap_or_else(|| Self::read(request))
    }

    /// Several headers become one, as Node makes them.
    fn read(request: &Parts) -> Self {
        let headers = request.headers.get_all(COOKIE).iter().map(http::HeaderValue::as_bytes);
        let read = SessionRequest::from_cookie_headers(headers);
        Self(read.and_then(|read| read.cookies().map(Arc::from)))
    }

    /// Takes the cookies out of the request's headers, unless somebody has already done so.
    pub(crate) fn take(request: &mut Parts, keep: bool) {
        let cookies = Self::of(request);
        request.extensions.insert(cookies);
        if !keep {
            request.headers.remove(COOKIE);
        }
    }

    /// In the header's bytes: decoded as latin1, each of them is one character.
    pub(crate) fn len(&self) -> usize {
        self.0.as_deref().map_or(0, |cookies| cookies.chars().count())
    }

    /// The cookies' names, which are no secrets.
    pub(crate) fn describe(&self) -> String {
        let cookies = self.0.as_deref().unwrap_or_default();
        let names = cookies.split(';').filter_map(|pair| Some(pair.split_once('=')?.0.trim()));
        let names = names.collect::<Vec<_>>().join(", ");
        format!("a Cookie header of {} bytes with {names}", self.len()).escape_debug().to_string()
    }

    pub(crate) fn as_request(&self) -> SessionRequest<'_> {
        self.0.as_deref().map(SessionRequest::from_cookie_header).unwrap_or_default()
    }
}

impl fmt::Debug for CookieContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CookieContext({} bytes)", self.len())
    }
}
