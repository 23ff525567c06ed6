//! What can be typed.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};

/// Know the Passport user behind every Socket.IO connection.
#[derive(Debug, Parser)]
#[command(name = "passport-socketio", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
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

Logging: RUST_LOG=passport_socketio=debug shows every decision and its reason.")]
pub(crate) struct DemoArgs {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3000")]
    pub(crate) listen: SocketAddr,

    /// Where your app keeps its sessions: redis://HOST/?prefix=sess:, sqlite:PATH
    /// [default: the demo's own sessions, in ./demo.db; memory: keeps them nowhere]
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,

    /// What your app gives express-session as `secret`. Repeat it for several, newest first
    #[arg(
        long = "secret",
        value_name = "SECRET",
        env = "SESSION_SECRET",
        hide_env_values = true
    )]
    pub(crate) secrets: Vec<String>,

    /// The session cookie's name: express-session's `name`
    #[arg(long, value_name = "NAME", default_value = "connect.sid")]
    pub(crate) cookie_name: String,

    /// Where the user's key is in the session, as a JSON pointer
    #[arg(long, value_name = "POINTER", default_value = "/passport/user")]
    pub(crate) user_pointer: String,

    /// Another origin whose pages may connect, such as https://app.example.com. Repeat it for several
    #[arg(long = "origin", value_name = "URL")]
    pub(crate) origins: Vec<String>,

    /// A proxy whose X-Forwarded-Proto and X-Forwarded-Host are believed, such as 10.0.0.0/8
    #[arg(long = "trust-proxy", value_name = "CIDR")]
    pub(crate) trusted_proxies: Vec<String>,

    /// A Redis that connects several demos to one: broadcasts reach the clients of all
    #[arg(long, value_name = "URL")]
    pub(crate) redis_adapter: Option<String>,

    /// Also accept the signed session id from the query `session_id`. URLs end up in logs!
    #[arg(long)]
    pub(crate) insecure_session_id_query: bool,
}

/// Without the secrets, and without the passwords that URLs can hold.
impl std::fmt::Debug for DemoArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoArgs")
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}
