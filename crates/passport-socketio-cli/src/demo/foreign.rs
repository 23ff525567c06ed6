//! A guest in a foreign house: no login, no user table, nothing written.

use axum::Router;
use axum::response::Html;
use axum::routing::get;

use super::House;
use super::user::Users;
use super::web;
use crate::Failed;
use crate::open_store;

/// The house of the app that keeps its sessions at `url`.
pub(super) async fn open(url: &str, secrets: &[String]) -> Result<House, Failed> {
    if secrets.is_empty() {
        return Err("--store needs --secret (or SESSION_SECRET): what your app gives express-session as `secret`".into());
    }
    Ok(House {
        store: open_store::open(url).await?,
        secrets: secrets.to_vec(),
        users: Users::Foreign,
        pages: Box::new(|_| {
            Router::new()
                .route("/", get(async || Html(include_str!("foreign.html"))))
                .route("/page.js", web::script(include_str!("foreign.js")))
        }),
    })
}
