//! Which origins may ask besides the server's own.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Provenance;
use super::page::{Origin, Page, Scheme};
use crate::model::{AuthorizeError, OriginHook};

/// The origins that the app has named, and those it decides about itself.
#[derive(Clone, Default)]
pub(crate) struct AllowedOrigins {
    pub(crate) listed: Vec<Listed>,
    pub(crate) hook: Option<OriginHook>,
    /// `null` and `file://`, too.
    pub(crate) opaque: bool,
}

impl AllowedOrigins {
    /// Whether no other origin than the server's own is ever allowed.
    pub(crate) fn are_none(&self) -> bool {
        self.listed.is_empty() && self.hook.is_none() && !self.opaque
    }

    /// Whether the app's pages are known to come over TLS.
    pub(super) fn have_https(&self) -> bool {
        self.listed.iter().any(|listed| match listed {
            Listed::Page(page) => {
                matches!(page, Page::Web(origin) if origin.scheme == Scheme::Https)
            }
            Listed::Subdomains(_) => true,
        })
    }

    /// Why it is allowed. `None` if it is not. The app's function is asked last; a panic of it
    /// decides nothing.
    pub(super) fn find(&self, page: &Page) -> Result<Option<Provenance>, AuthorizeError> {
        if *page == Page::Opaque {
            return Ok(self.opaque.then_some(Provenance::Opaque));
        }
        if self.listed.iter().any(|listed| listed.contains(page)) {
            return Ok(Some(Provenance::Listed));
        }
        let Some(hook) = &self.hook else {
            return Ok(None);
        };
        let allowed = catch_unwind(AssertUnwindSafe(|| hook(&page.to_string())));
        let allowed = allowed.map_err(|_panic| AuthorizeError::OriginPanicked)?;
        Ok(allowed.then_some(Provenance::ByHook))
    }
}

impl fmt::Debug for AllowedOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllowedOrigins")
            .field("listed", &self.listed)
            .field("hook", &self.hook.is_some())
            .field("opaque", &self.opaque)
            .finish()
    }
}

/// One that was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    Page(Page),
    Subdomains(Subdomains),
}

/// Why an origin can't be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotListed {
    /// It is none.
    NoOrigin,
    /// `*` stands where it can't.
    Pattern,
    /// Strangers can have names below it.
    PublicSuffix,
    /// Pages of all sites can have it.
    Opaque,
}

impl Listed {
    pub(crate) fn parse(text: &str) -> Result<Self, NotListed> {
        if text.contains('*') {
            return Subdomains::parse(text).map(Self::Subdomains);
        }
        match Page::parse(text) {
            None if text.starts_with("file:") => Err(NotListed::Opaque),
            None => Err(NotListed::NoOrigin),
            Some(Page::Opaque) => Err(NotListed::Opaque),
            Some(page) => Ok(Self::Page(page)),
        }
    }

    fn contains(&self, page: &Page) -> bool {
        match (self, page) {
            (Self::Page(listed), _) => listed == page,
            (Self::Subdomains(subdomains), Page::Web(origin)) => subdomains.contain(origin),
            (Self::Subdomains(_), Page::App(_) | Page::Opaque) => false,
        }
    }
}

/// `https://*.example.com`: all names below one of the app's own, over TLS, with this port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subdomains {
    /// `.example.com`
    ending: String,
    /// The part of it that somebody has registered. Below a name of one owner there can be names that
    /// anybody may have (`s3.amazonaws.com`): those are not meant.
    registered: String,
    port: u16,
}

impl Subdomains {
    fn parse(text: &str) -> Result<Self, NotListed> {
        let (scheme, pattern) = text.split_once("://").ok_or(NotListed::Pattern)?;
        let scheme = Scheme::parse(scheme).filter(|scheme| *scheme == Scheme::Https);
        let scheme = scheme.ok_or(NotListed::Pattern)?;
        if pattern == "*" {
            return Err(NotListed::PublicSuffix);
        }
        let below = pattern.strip_prefix("*.").ok_or(NotListed::Pattern)?;
        let Origin { host, port, .. } = Origin::new(scheme, below).ok_or(NotListed::Pattern)?;
        if !labels_are_whole(&host) || ends_in_a_number(&host) {
            return Err(NotListed::Pattern);
        }
        let registered = psl::domain_str(&host).ok_or(NotListed::PublicSuffix)?.to_owned();
        // Of some names only what is directly below them is public (`*.kobe.jp`).
        if psl::domain_str(&format!("any-name.{host}")) != Some(&registered) {
            return Err(NotListed::PublicSuffix);
        }
        Ok(Self { ending: format!(".{host}"), registered, port })
    }

    fn contain(&self, origin: &Origin) -> bool {
        origin.scheme == Scheme::Https
            && origin.port == self.port
            && origin.host.strip_suffix(&self.ending).is_some_and(labels_are_whole)
            && psl::domain_str(&origin.host) == Some(&self.registered)
    }
}

fn labels_are_whole(host: &str) -> bool {
    let is_in_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    host.split('.').all(|label| !label.is_empty() && label.bytes().all(is_in_name))
}

/// An address is no name, and has nothing below it (URL standard, "ends in a number").
fn ends_in_a_number(host: &str) -> bool {
    host.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()))
}
