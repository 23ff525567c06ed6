//! A guest in a foreign house: no login, no user table, nothing written.

use axum::Router;
use axum::response::Html;
use axum::routing::get;

use super::House;
use super::user::Users;
use super::web;
use crate::Failed;
use crate::args::DemoArgs;
use crate::open_store;

/// The house of an app: its sessions are in its store, or in its cookies.
pub(super) async fn open(args: &DemoArgs) -> Result<House, Failed> {
    let secrets = &args.sessions.secrets;
    if secrets.is_empty() {
        return Err("your app's sessions need --secret (or SESSION_SECRET): what it gives its session middleware as `secret` or `keys`".into());
    }
    let store = match &args.store {
        Some(url) => Some(open_store::open(url, args.sessions.kind.prefix()).await?),
        None => None,
    };
    Ok(House {
        store,
        secrets: secrets.clone(),
        users: Users::Foreign,
        pages: Box::new(|_| {
            Router::new()
                .route("/", get(async || Html(include_str!("foreign.html"))))
                .route("/page.js", web::script(include_str!("foreign.js")))
        }),
    })
}
