//! The parts of a request that name its session.

use std::borrow::Cow;
use std::fmt;

/// The parts of a request that a session can be found in.
///
/// Node decodes header bytes as latin1 and joins several `Cookie` headers with `"; "`
/// ([`_http_incoming.js`][node]); so does [`from_cookie_headers`](Self::from_cookie_headers).
///
/// ```
/// use express_session::SessionRequest;
///
/// let request = SessionRequest::from_cookie_headers([&b"a=1"[..], b"b=\xe9"]).unwrap();
/// assert_eq!(request.cookies(), Some("a=1; b=é"));
/// assert_eq!(request.query(), None);
/// ```
///
/// [node]: https://github.com/nodejs/node/blob/v20.x/lib/_http_incoming.js
#[derive(Clone, Default)]
pub struct SessionRequest<'a> {
    cookies: Option<Cow<'a, str>>,
    query: Option<&'a str>,
}

impl<'a> SessionRequest<'a> {
    /// A request with this cookie header, already decoded.
    pub fn from_cookie_header(cookies: &'a str) -> Self {
        Self { cookies: Some(Cow::Borrowed(cookies)), query: None }
    }

    /// A request with these raw `Cookie` headers, in their order. `None` if there is none.
    pub fn from_cookie_headers<'h>(headers: impl IntoIterator<Item = &'h [u8]>) -> Option<Self> {
        let mut joined: Option<String> = None;
        for header in headers {
            let cookies = joined.get_or_insert_with(|| String::with_capacity(header.len()));
            if !cookies.is_empty() {
                cookies.push_str("; ");
            }
            cookies.extend(header.iter().copied().map(char::from));
        }
        Some(Self { cookies: Some(Cow::Owned(joined?)), query: None })
    }

    /// The same request, with the query of its URI (without the `?`).
    #[must_use]
    pub fn with_query(mut self, query: Option<&'a str>) -> Self {
        self.query = query;
        self
    }

    /// The cookie header.
    pub fn cookies(&self) -> Option<&str> {
        self.cookies.as_deref()
    }

    /// The query of the URI.
    pub fn query(&self) -> Option<&str> {
        self.query
    }
}

/// Shows which parts are there, never their values.
impl fmt::Debug for SessionRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRequest")
            .field("cookie_bytes", &self.cookies().map(str::len))
            .field("query_bytes", &self.query.map(str::len))
            .finish()
    }
}
