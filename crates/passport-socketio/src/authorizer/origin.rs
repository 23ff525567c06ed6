//! Check 1: which pages may ask.
//!
//! A browser sends the user's cookie along with any page's WebSocket; CORS does not apply there.
//! Without this check every page on the web could open a socket as the user who looks at it
//! (cross-site WebSocket hijacking).
//!
//! 1. `Origin` is there: it must be the server's own (scheme, host and port), or in the allow-list.
//!    Clients outside browsers send the URL they connect to: `ws://` counts as `http://`, `wss://` as
//!    `https://`. The list can hold the pages of apps (`capacitor://localhost`), and all names below a
//!    domain (`https://*.example.com`); a function of the app's comes last. `null` and `file://`, which
//!    pages of any site can have, are allowed only by a setting of their own. Several are none. Once the list has an
//!    `https://` origin, the server's own is allowed as `https://` only: a page on `http://` may come from
//!    whoever sits on the wire, and would use the cookies of the real site. (A server that is reached over
//!    cleartext all the same, such as one under development, has its own origin listed.)
//! 2. `Origin` is missing: a browser's page of another site would have sent one with a WebSocket.
//!    Allowed, unless `Sec-Fetch-Site` says that another site asks: same-origin polling sends no
//!    `Origin`, programs send neither.
//!
//! The server's own origin is `http://` and the `Host` header, and behind trusted proxies what
//! [they say](super::proxies) of the request.

use std::fmt;
use std::sync::Once;

use http::HeaderMap;
use http::header::ORIGIN;
use http::request::Parts;

use super::proxies::{self, TrustedProxies};
use crate::model::{AuthorizeError, Denial, Failure};
use crate::observe::events;

mod allowed;
mod page;

pub(crate) use allowed::{AllowedOrigins, Listed, NotListed};
pub(crate) use page::{Origin, Page, Scheme};

/// Where an allowed request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provenance {
    /// It has no `Origin`, and no browser says that another site asks.
    Unnamed,
    Own,
    Listed,
    ByHook,
    Opaque,
}

impl Provenance {
    pub(crate) fn is_cross_origin(self) -> bool {
        match self {
            Self::Unnamed | Self::Own => false,
            Self::Listed | Self::ByHook | Self::Opaque => true,
        }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unnamed => "no Origin header: not another site's page",
            Self::Own => "the server's own",
            Self::Listed => "in the list of allowed origins",
            Self::ByHook => "allowed by the app's function",
            Self::Opaque => "none that could be compared, which is allowed (insecure)",
        })
    }
}

/// The origins that may ask, and the proxies that may say what the server's own is.
#[derive(Clone, Debug, Default)]
pub(crate) struct OriginPolicy {
    pub(crate) allowed: AllowedOrigins,
    pub(crate) proxies: TrustedProxies,
}

impl OriginPolicy {
    pub(crate) fn check(&self, request: &Parts) -> Result<Provenance, Failure> {
        let denied = |origin: Option<Box<str>>| {
            let own = self.own_origin(request).map(|own| shorten(&own.to_string()));
            Failure::from(Denial::OriginNotAllowed { origin, own })
        };
        let mut origins = request.headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) if is_asked_by_another_site(&request.headers) => {
                Err(denied(Some("(none, but asked by another site)".into())))
            }
            (None, _) => Ok(Provenance::Unnamed),
            (Some(_), Some(_)) => Err(denied(None)),
            (Some(origin), None) => {
                let text = origin.to_str().ok();
                let provenance = match text.and_then(Page::parse) {
                    Some(page) => self.find(&page, request)?,
                    None => None,
                };
                provenance.ok_or_else(|| denied(text.map(shorten)))
            }
        }
    }

    fn find(&self, page: &Page, request: &Parts) -> Result<Option<Provenance>, AuthorizeError> {
        if let (Page::Web(origin), Some(own)) = (page, self.own_origin(request))
            && *origin == own
            && !self.is_cleartext_beside_https(origin)
        {
            return Ok(Some(Provenance::Own));
        }
        self.allowed.find(page)
    }

    /// Whether this is cleartext where the app's pages are known to come over TLS.
    ///
    /// Whatever its host: behind a proxy that terminates TLS, and is not trusted, the server can't see
    /// that its own pages are `https://`, and takes `http://` for its own origin.
    fn is_cleartext_beside_https(&self, origin: &Origin) -> bool {
        origin.scheme == Scheme::Http && self.allowed.have_https()
    }

    fn own_origin(&self, request: &Parts) -> Option<Origin> {
        if self.proxies.are_none() {
            return proxies::own_origin(request);
        }
        if let Some(sent) = self.proxies.sent(request) {
            return sent.own_origin;
        }
        warn_of_unknown_peers();
        proxies::own_origin(request)
    }
}

fn warn_of_unknown_peers() {
    static ONCE: Once = Once::new();
    ONCE.call_once(events::no_peer_to_trust);
}

fn is_asked_by_another_site(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let site = (sites.next().map(http::HeaderValue::as_bytes), sites.next());
    !matches!(site, (None | Some(b"same-origin" | b"none"), None))
}

/// Foreign text, for a log.
fn shorten(origin: &str) -> Box<str> {
    origin.chars().take(100).collect::<String>().escape_default().to_string().into()
}

#[cfg(test)]
mod tests;
