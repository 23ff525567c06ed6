//! The page, and the two forms on it.

use axum::Router;
use axum::extract::State;
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use express_session::SessionId;

use super::sessions::Sessions;
use crate::Failed;
use crate::demo::EndSession;
use crate::demo::user::{ROWS, Row, row};
use crate::demo::web;

/// What the forms act on.
#[derive(Clone)]
struct Desk {
    sessions: Sessions,
    end_session: EndSession,
}

pub(super) fn router(sessions: Sessions, end_session: EndSession) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route("/logout-everywhere", post(log_out_everywhere))
        .with_state(Desk { sessions, end_session })
        .route("/page.js", web::script(include_str!("page.js")))
}

/// The page as it is for whoever asks: who has no JavaScript sees who they are, too.
async fn page(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    let user = match desk.sessions.user(cookies(&headers)).await {
        Ok(user) => user.and_then(row),
        Err(error) => return failed(&*error),
    };
    let passports: String = ROWS.iter().map(passport).collect();
    let page = include_str!("page.html").replace("<!-- passports -->", &passports);
    Html(match user {
        Some(user) => page
            .replace(r#"data-who="guest""#, r#"data-who="member""#)
            .replace("<!-- me -->", &stamp(user)),
        None => page,
    })
    .into_response()
}

/// A button of the login form.
fn passport(Row { id, name, .. }: &Row) -> String {
    format!(
        r#"<button name="user" value="{id}" data-user="{id}"><img src="/emblem.svg" alt=""><span>Log in as <strong>{name}</strong> <small>№ {id}</small></span></button>
          "#
    )
}

/// A user, as `view.js` shows them.
fn stamp(Row { id, name, .. }: &Row) -> String {
    format!(r#"<span class="stamp" data-user="{id}"><b>{name}</b> <small>№ {id}</small></span>"#)
}

async fn log_in(State(desk): State<Desk>, headers: HeaderMap, form: String) -> Response {
    if asked_by_another_site(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let user = form.strip_prefix("user=").and_then(|id| row(id.parse().ok()?));
    let Some(user) = user else {
        return (StatusCode::BAD_REQUEST, "there is no such user").into_response();
    };
    match desk.sessions.log_in(user.id).await {
        Ok(cookie) => back_to_the_page(&cookie),
        Err(error) => failed(&*error),
    }
}

async fn log_out(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    if asked_by_another_site(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    desk.ended(desk.sessions.log_out(cookies(&headers)).await)
}

async fn log_out_everywhere(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    if asked_by_another_site(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    desk.ended(desk.sessions.log_out_everywhere(cookies(&headers)).await)
}

impl Desk {
    /// First the sessions, then their sockets: who comes back finds nothing to come back with.
    fn ended(&self, sessions: Result<Vec<SessionId>, Failed>) -> Response {
        match sessions {
            Ok(sessions) => {
                for sid in &sessions {
                    (self.end_session)(sid);
                }
                (StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response()
            }
            Err(error) => failed(&*error),
        }
    }
}

fn cookies(headers: &HeaderMap) -> &str {
    headers.get(COOKIE).and_then(|cookies| cookies.to_str().ok()).unwrap_or_default()
}

/// Another site's form must not log anybody in or out.
fn asked_by_another_site(headers: &HeaderMap) -> bool {
    let site = headers.get(HeaderName::from_static("sec-fetch-site"));
    site.is_some_and(|site| site != "same-origin" && site != "none")
}

fn back_to_the_page(cookie: &str) -> Response {
    let Ok(cookie) = HeaderValue::from_str(cookie) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [(LOCATION, HeaderValue::from_static("/")), (SET_COOKIE, cookie)];
    (StatusCode::SEE_OTHER, headers).into_response()
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Response {
    tracing::error!(error, "the demo's own sessions could not be read or written");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
