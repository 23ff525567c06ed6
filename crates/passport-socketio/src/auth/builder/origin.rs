//! What the builder says about origins, and about the proxies that may say what the server's own is.

use std::sync::Arc;

use super::AuthorizerBuilder;

impl<U: Send + Sync + 'static> AuthorizerBuilder<U> {
    /// Allows pages of this origin, besides the server's own. May be called several times.
    ///
    /// | origin | whose pages |
    /// |---|---|
    /// | `https://app.example.com` | of this site, and no other scheme, name or port. `wss://` and `ws://` count as `https://` and `http://` |
    /// | `https://*.example.com` | of all names below `example.com`, whole labels and any number of them; not of `example.com` itself |
    /// | `capacitor://localhost`, `ionic://localhost`, `tauri://localhost`, `app://…` | of an app that brings its pages along |
    /// | `chrome-extension://ID`, `moz-extension://ID` | of a browser's extension |
    ///
    /// There is no `*` for everything, and none in front of a [public suffix](https://publicsuffix.org),
    /// such as `com`, `co.uk`, `github.io` or `vercel.app`: anybody can have a name there. Which of those
    /// are yours is for [`origin_if`](Self::origin_if) to say.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, ConfigError, Decision, Denial, store::MemoryStore};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = || Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id)));
    /// let auth = builder().origin("https://app.example.com").build()?;
    /// let from = |origin: &str| {
    ///     let request = http::Request::get("/").header("host", "api.example.com");
    ///     request.header("origin", origin).body(()).unwrap().into_parts().0
    /// };
    /// let refused = auth.authorize(&from("http://api.example.com")).await?;
    /// assert!(matches!(refused, Decision::Denied(Denial::OriginNotAllowed { .. })));
    /// let goes_on = auth.authorize(&from("https://app.example.com")).await?;
    /// assert!(matches!(goes_on, Decision::Denied(Denial::NoSessionCookie { .. })));
    ///
    /// assert!(builder().origin("https://*.example.com").origin("capacitor://localhost").build().is_ok());
    /// let anybodys = builder().origin("https://*.vercel.app").build();
    /// assert!(matches!(anybodys, Err(ConfigError::OriginPublicSuffix(_))));
    /// # Ok(()) }
    /// ```
    ///
    /// # Security
    /// A page of an allowed origin acts as the user who looks at it. With `https://*.example.com` that is
    /// each page of each name below, also of one that was given to somebody else, or forgotten.
    ///
    /// Beside an `https://` origin, the server's own is not allowed as `http://`: whoever sits on the wire
    /// can serve a page there. Under development name it, too: `.origin("http://127.0.0.1:3000")`.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Allows pages of the origins for which this function says `true`, besides the server's own and
    /// those that are [listed](Self::origin): for tenants' own domains and preview deployments.
    ///
    /// It is given an origin as browsers write it: in lower case, without a default port, with
    /// `https://` where a client said `wss://`; never `null` or `file://`. It is asked at each request
    /// that nothing else allows, so it should answer from memory.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, Decision, Denial, store::MemoryStore};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = || Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id)));
    /// // Vercel's previews of one project of one team.
    /// let auth = builder().origin_if(|origin| {
    ///     origin.starts_with("https://shop-") && origin.ends_with("-acme.vercel.app")
    /// }).build()?;
    /// let from = |origin: &str| {
    ///     let request = http::Request::get("/").header("host", "api.example.com");
    ///     request.header("origin", origin).body(()).unwrap().into_parts().0
    /// };
    /// let goes_on = auth.authorize(&from("https://shop-git-fix-acme.vercel.app")).await?;
    /// assert!(matches!(goes_on, Decision::Denied(Denial::NoSessionCookie { .. })));
    /// let refused = auth.authorize(&from("https://shop-evil.vercel.app")).await?;
    /// assert!(matches!(refused, Decision::Denied(Denial::OriginNotAllowed { .. })));
    /// # Ok(()) }
    /// ```
    ///
    /// # Security
    /// Compare from the scheme to the end: `ends_with("example.com")` also allows
    /// `https://evilexample.com`, and `starts_with("https://example.com")` also
    /// `https://example.com.evil.io`. A function that panics refuses (`origin_panicked`). What it allows
    /// does not count as an `https://` origin in the rule about the server's own `http://` one.
    pub fn origin_if(mut self, allows: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.origin_hook = Some(Arc::new(allows));
        self
    }

    /// Allows pages that have no origin which could be compared: `Origin: null` and
    /// `Origin: file://`. Warns at the start.
    ///
    /// Such are the pages of apps that load them from a file (Cordova, old Electron apps). Better serve
    /// them from an origin of their own, `app://…` for one, and name that.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, ConfigError, Decision, Denial, store::MemoryStore};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = || Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id)));
    /// let auth = builder().insecure_null_origin().build()?;
    /// let (from_file, ()) = http::Request::get("/").header("origin", "null").body(())?.into_parts();
    /// let goes_on = auth.authorize(&from_file).await?;
    /// assert!(matches!(goes_on, Decision::Denied(Denial::NoSessionCookie { .. })));
    /// assert!(matches!(builder().origin("null").build(), Err(ConfigError::OriginOpaque(_))));
    /// # Ok(()) }
    /// ```
    ///
    /// # Security
    /// Any site can make a page with the origin `null`, in a sandboxed frame: with this, every page on the
    /// web may act as the user who looks at it, as far as browsers send the session's cookie along
    /// (`SameSite=None`).
    pub fn insecure_null_origin(mut self) -> Self {
        self.opaque_origins = true;
        self
    }

    /// Believes what these addresses (CIDRs) say of the requests that they pass on: the proxies in front of
    /// this server. None by default.
    ///
    /// Read are `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`, and `Forwarded` (RFC 7239). They say which
    /// origin is the server's own, and whose address the limits count. Of several proxies the outermost that
    /// is trusted counts. Where both kinds of headers are there, only what both say alike is believed: one of
    /// them may be the client's. The guide's page `docs/behind-a-proxy.md` has configurations of nginx, Caddy,
    /// `HAProxy`, Traefik and Vite.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, ConfigError, Decision, Denial, PeerAddr, store::MemoryStore};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = || Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id)));
    /// let auth = builder().trust_proxy(["10.0.0.0/8"]).build()?;
    /// let from = |peer: [u8; 4]| {
    ///     let request = http::Request::get("/").header("origin", "https://app.example.com");
    ///     let request = request.header("host", "app.example.com").header("x-forwarded-proto", "https");
    ///     request.extension(PeerAddr((peer, 1).into())).body(()).unwrap().into_parts().0
    /// };
    /// let goes_on = auth.authorize(&from([10, 0, 0, 1])).await?;
    /// assert!(matches!(goes_on, Decision::Denied(Denial::NoSessionCookie { .. })));
    /// let refused = auth.authorize(&from([192, 0, 2, 1])).await?;
    /// assert!(matches!(refused, Decision::Denied(Denial::OriginNotAllowed { .. })));
    /// assert!(matches!(builder().trust_proxy(["proxy"]).build(), Err(ConfigError::Proxy(_))));
    /// # Ok(()) }
    /// ```
    ///
    /// # Security
    /// A client at one of these addresses can say that it is another one. Name the proxies, not the world, and
    /// let them set these headers rather than pass on what the client sent.
    ///
    /// Needs the peer's address: axum's `ConnectInfo` (feature `axum`) or
    /// [`PeerAddr`](crate::PeerAddr).
    pub fn trust_proxy(mut self, networks: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.proxies.extend(networks.into_iter().map(Into::into));
        self
    }
}
