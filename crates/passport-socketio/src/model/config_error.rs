//! What is missing, or can't be.

/// Why an [`Authorizer`](crate::Authorizer) can't be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No secret was given, or an empty one.
    #[error(
        "no secret: give `.secret(…)` what the app gives express-session as `secret`; without it no cookie can be trusted"
    )]
    MissingSecret,
    /// No store was given.
    #[error("no store: give `.store(…)` the store that the app keeps its sessions in")]
    MissingStore,
    /// No deserializer was given.
    #[error(
        "no deserializer: give `.deserialize_user(…)` what the app gives Passport's `deserializeUser`"
    )]
    MissingDeserializer,
    /// The cookie's name can't be one.
    #[error(
        "{0:?} can't be a cookie's name: give `.key(…)` the `name` (or `key`) of the app's express-session"
    )]
    CookieName(String),
    /// `.source(…)` was combined with options of the built-in source.
    #[error(
        "`.source(…)` replaces the built-in cookie reading, so `.key`, `.secret` and `.insecure_session_id_query` have no effect with it"
    )]
    SourceAndSecret,
    /// An origin is none.
    #[error(
        "{0:?} is no origin: write https://app.example.com, with a port where it is not the default one, and nothing behind it; for the pages of an app or an extension what its client sends, such as capacitor://localhost"
    )]
    Origin(String),
    /// An origin has a `*` where none can be.
    #[error(
        "{0:?} is no pattern of origins: `*` stands for whole labels, at the beginning of a name and over https only, as in https://*.example.com; for anything else give `.origin_if(…)` a function"
    )]
    OriginPattern(String),
    /// An origin's `*` stands for names that anybody can have.
    #[error(
        "{0:?} allows the pages of strangers, who can have names there, too: name each origin of yours, or give `.origin_if(…)` a function that knows which are yours"
    )]
    OriginPublicSuffix(String),
    /// `null` or `file://` was listed.
    #[error(
        "{0:?} is what pages of any site can send: serve the page from an origin of its own, or, where its users have nothing to lose, use `.insecure_null_origin()`"
    )]
    OriginOpaque(String),
    /// A proxy's network is none.
    #[error("{0:?} is no network: write an address or a CIDR such as 10.0.0.0/8")]
    Proxy(String),
    /// `.touch_on_events` with a store that can't, or without one.
    #[error("the store can't prolong sessions: leave out `.touch_on_events`")]
    StoreCantTouch,
    /// `.max_store_loads(0)`.
    #[error("no store load is allowed: give `.max_store_loads(…)` at least 1")]
    NoStoreLoads,
    /// `.cache_sessions_for` with a time that would leave too little of `max_stale`.
    #[error(
        "sessions can be cached for a tenth of `.max_stale(…)` at most, {at_most:?}: longer, and a login that ended could keep a socket for longer than promised"
    )]
    CachedForTooLong {
        /// The longest that can be.
        at_most: std::time::Duration,
    },
    /// A limit that would never let anybody in: none, or more than one each nanosecond.
    #[error(
        "{0:?} lets nobody in: give `RateLimit` a number of times from 1 to a billion a second"
    )]
    RateLimit(crate::RateLimit),
    /// The path is none that a request can have.
    #[error(
        "{0:?} can't be the path of a request: write /socket.io, or whatever socketioxide's `req_path` is, beginning with a slash"
    )]
    Path(String),
    /// The authorizer's name can't be one.
    #[error(
        "{0:?} can't be an authorizer's name: give `.name(…)` up to 64 letters, digits, `.`, `_` and `-`"
    )]
    Name(String),
    /// The cluster's name can't be one.
    #[error(
        "{0:?} can't be a cluster's name: give `.cluster_name(…)` up to 64 letters, digits, `.`, `_`, `-` and `:`"
    )]
    ClusterName(String),
    /// The cluster's secret is empty.
    #[error("the cluster's secret is empty: give `.cluster_secret(…)` at least 32 random bytes")]
    EmptyClusterSecret,
    /// The server's adapter reaches other nodes, and no secret was given: rooms of users would differ
    /// from node to node.
    #[error(
        "the adapter reaches other nodes, so the users' rooms need the nodes' common secret: give `.cluster_secret(…)`"
    )]
    AdapterNeedsClusterSecret,
    /// Two authorizers of one server have one name, and one cluster secret.
    #[error(
        "another authorizer of this server has the name {0:?}, so their users would be taken for each other: give each its own `.name(…)`"
    )]
    NameTaken(String),
    /// The operating system gave no random numbers.
    #[error("the operating system gave no random numbers for the names of rooms")]
    NoRandomness,
    /// The user pointer is no JSON pointer.
    #[error("{0:?} is no JSON pointer: write /passport/user, or /passport for @fastify/passport")]
    UserPointer(String),
}
