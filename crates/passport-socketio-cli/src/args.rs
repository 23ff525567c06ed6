//! What can be typed.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help")]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::sessions::SessionArgs;

/// Know the Passport user behind every Socket.IO connection.
///
/// `demo` is a Socket.IO server that knows its users. `doctor` says why a cookie is let in, or not.
#[derive(Debug, Parser)]
#[command(
    name = "passport-socketio",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  passport-socketio demo
  passport-socketio doctor --store redis://127.0.0.1/ --secret 'keyboard cat' --cookie 's%3A…'

`passport-socketio demo --help` and `passport-socketio doctor --help` say more."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
    Doctor(DoctorArgs),
}

/// A Socket.IO server that knows its users.
///
/// Without --store it keeps its own users and sessions, in ./demo.db. With --store it serves the
/// users who logged in through YOUR app: it reads that app's sessions and writes nothing.
///
/// Namespaces: `/` for members only, `/lobby` for guests too.
#[derive(Args)]
#[command(after_help = "\
Examples:
  passport-socketio demo
  passport-socketio demo --store redis://127.0.0.1/ --secret 'keyboard cat'
  passport-socketio demo --store 'redis://127.0.0.1/?prefix=myapp:' --secret new --secret old
  passport-socketio demo --store sqlite:./sessions --cookie-name my.sid --origin https://app.example.com
  passport-socketio demo --kind cookie-session --secret key1 --secret key2

Logging: RUST_LOG=passport_socketio=debug shows every decision and its reason.")]
pub(crate) struct DemoArgs {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3000")]
    pub(crate) listen: SocketAddr,

    /// Where your app keeps its sessions: redis://, rediss://, redis-sentinel://, postgres://,
    /// mysql://, mongodb://, memcached://, sqlite:PATH, file:DIR; with ?prefix=, ?layout=, ?table=
    /// where it is not usual
    /// [default: the demo's own sessions, in ./demo.db; memory: keeps them nowhere].
    /// What is not there yet, such as a server that is down, or a table that your app has still to
    /// create, is waited for
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,

    #[command(flatten)]
    pub(crate) sessions: SessionArgs,

    /// Another origin whose pages may connect, such as https://app.example.com, https://*.example.com or
    /// capacitor://localhost. Repeat it for several. Beside an https:// origin the server's own is no
    /// longer allowed as http://: name it, too
    #[arg(long = "origin", value_name = "URL")]
    pub(crate) origins: Vec<String>,

    /// A proxy whose X-Forwarded-For, -Proto, -Host and -Port, and Forwarded, are believed, such as
    /// 10.0.0.0/8. Repeat it for several
    #[arg(long = "trust-proxy", value_name = "CIDR")]
    pub(crate) trusted_proxies: Vec<String>,

    /// The path to serve Socket.IO at, such as /api/socket.io
    #[arg(long, value_name = "PATH", default_value = "/socket.io")]
    pub(crate) path: String,

    /// The longest that a login which ended in your app may keep its sockets, while the store answers
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = max_stale)]
    pub(crate) max_stale: Duration,

    /// A Redis that connects several demos to one: broadcasts reach the clients of all. Needs
    /// --cluster-secret
    #[arg(long, value_name = "URL")]
    pub(crate) redis_adapter: Option<String>,

    /// The Redis on which your app's @socket.io/redis-emitter publishes, or its Node servers on
    /// @socket.io/redis-adapter: what they send to user:<key>, session:<hash>, a room or all reaches the clients here.
    /// As for --store redis://…, with ?key=socket.io
    #[arg(long, value_name = "URL")]
    pub(crate) emitter: Option<String>,

    /// The name of the cluster: the same for all demos that are connected, and another one for each
    /// cluster that shares their Redis
    /// [default: passport-socketio]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster_name: Option<String>,

    /// What all demos of the cluster share, and nothing else knows: at least 32 random bytes, as of
    /// `openssl rand -hex 32`. Not the --secret of the sessions
    #[arg(
        long,
        value_name = "SECRET",
        env = "PASSPORT_SOCKETIO_CLUSTER_SECRET",
        hide_env_values = true
    )]
    pub(crate) cluster_secret: Option<String>,

    /// Also allow pages that have no origin (`null`, file://). Any site can make such a page in a frame!
    #[arg(long)]
    pub(crate) insecure_null_origin: bool,

    /// Also accept the signed session id from the query `session_id`. URLs end up in logs!
    #[arg(long)]
    pub(crate) insecure_session_id_query: bool,
}

/// Shorter than what a look at the store takes makes no sense.
fn max_stale(text: &str) -> Result<Duration, String> {
    let max_stale = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if max_stale < Duration::from_millis(100) {
        return Err("it takes at least 100ms".into());
    }
    Ok(max_stale)
}

/// Why is this cookie let in, or not?
///
/// Walks the checks of the library's own pipeline, one by one, as a server with the same options
/// would, and stops where that would stop. Connects to the store only if the cookie is good. Prints
/// no secret and no whole session id; reads, and never writes.
#[derive(Args)]
#[command(after_help = "\
Examples:
  The cookie's value, as the browser's developer tools show it:
    passport-socketio doctor --store redis://127.0.0.1/ --secret 'keyboard cat' --cookie 's%3A…'
  Without it in the shell's history:
    passport-socketio doctor --store redis://127.0.0.1/ --cookie - < cookie.txt
  A whole request, pasted from the browser's developer tools or a proxy's log:
    passport-socketio doctor --store redis://127.0.0.1/ --trust-proxy 10.0.0.0/8 --request request.txt
  Header by header, as a page of another origin sends it:
    passport-socketio doctor --store sqlite:./sessions --header 'Cookie: a=1; connect.sid=s%3A…' \\
        --origin https://app.example.com --host rt.example.com

Exit status: 0 granted, 1 denied, 2 could not tell (the store is down, a record is corrupt, or the
command line can not be right).")]
pub(crate) struct DoctorArgs {
    /// Where your app keeps its sessions: redis://, rediss://, redis-sentinel://, postgres://,
    /// mysql://, mongodb://, memcached://, sqlite:PATH, file:DIR; with ?prefix=, ?layout=, ?table=
    /// where it is not usual
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,

    #[command(flatten)]
    pub(crate) sessions: SessionArgs,

    /// The session cookie's value, encoded or not, or the whole line 'Cookie: …' or 'Set-Cookie: …';
    /// - reads it from stdin
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) cookie: Option<String>,

    /// The whole request, as your proxy or the browser's developer tools show it: a request line, if
    /// there is one, and headers; - reads it from stdin
    #[arg(long, value_name = "FILE", conflicts_with = "cookie")]
    pub(crate) request: Option<String>,

    /// A header of the request, such as 'Cookie: …'. Repeat it for several
    #[arg(long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<String>,

    /// The Origin header of the request, in place of any other: where the page comes from
    #[arg(long, value_name = "URL")]
    pub(crate) origin: Option<String>,

    /// The Host header of the request, in place of any other: what the page calls the server
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,

    /// The address that the request comes to your server from: your proxy's, if there is one
    /// [default: one that --trust-proxy trusts]
    #[arg(long, value_name = "ADDR")]
    pub(crate) peer: Option<IpAddr>,

    /// A proxy that your server trusts, such as 10.0.0.0/8. Repeat it for several
    #[arg(long = "trust-proxy", value_name = "CIDR")]
    pub(crate) trusted_proxies: Vec<String>,

    /// The path that your server serves Socket.IO at
    #[arg(long, value_name = "PATH", default_value = "/socket.io")]
    pub(crate) path: String,

    /// An origin that your server allows besides its own. Repeat it for several
    #[arg(long = "allow-origin", value_name = "URL")]
    pub(crate) allowed_origins: Vec<String>,

    /// Your server allows pages that have no origin, too (`null`, file://)
    #[arg(long)]
    pub(crate) insecure_null_origin: bool,

    /// One JSON document on stdout, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// Without the cookie, the secrets, and the passwords that URLs can hold.
impl std::fmt::Debug for DoctorArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DoctorArgs").field("json", &self.json).finish_non_exhaustive()
    }
}

/// Without the secrets, and without the passwords that URLs can hold.
impl std::fmt::Debug for DemoArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoArgs").field("listen", &self.listen).finish_non_exhaustive()
    }
}
