//! The page, and the forms on it.

use axum::Router;
use axum::extract::State;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
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
async fn page(State(desk): State<Desk>, headers: HeaderMap) -> Result<Html<String>, Broken> {
    let user = desk.sessions.user(cookies(&headers)).await?.and_then(row);
    let passports: String = ROWS.iter().map(passport).collect();
    let page = include_str!("page.html").replace("<!-- passports -->", &passports);
    Ok(Html(match user {
        Some(user) => page
            .replace(r#"data-who="guest""#, r#"data-who="member""#)
            .replace("<!-- me -->", &stamp(user)),
        None => page,
    }))
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

async fn log_in(State(desk): State<Desk>, headers: HeaderMap, form: String) -> Answer {
    if asked_by_another_site(&headers) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    let user = form.strip_prefix("user=").and_then(|id| row(id.parse().ok()?));
    let Some(user) = user else {
        return Ok((StatusCode::BAD_REQUEST, "there is no such user").into_response());
    };
    // Passport regenerates the session: whoever was logged in here is so no longer.
    desk.end(&desk.sessions.log_out(cookies(&headers)).await?);
    let cookie = desk.sessions.log_in(user.id).await?;
    let cookie = [(SET_COOKIE, HeaderValue::from_str(&cookie)?)];
    Ok((cookie, Redirect::to("/")).into_response())
}

async fn log_out(State(desk): State<Desk>, headers: HeaderMap) -> Answer {
    if asked_by_another_site(&headers) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    desk.end(&desk.sessions.log_out(cookies(&headers)).await?);
    Ok(Redirect::to("/").into_response())
}

async fn log_out_everywhere(State(desk): State<Desk>, headers: HeaderMap) -> Answer {
    if asked_by_another_site(&headers) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    desk.end(&desk.sessions.log_out_everywhere(cookies(&headers)).await?);
    Ok(Redirect::to("/").into_response())
}

impl Desk {
    /// The sockets of sessions that are gone: who comes back finds nothing to come back with.
    fn end(&self, sessions: &[SessionId]) {
        for sid in sessions {
            (self.end_session)(sid);
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

type Answer = Result<Response, Broken>;

/// The demo's own sessions could not be read or written. The browser is told no details.
struct Broken(Failed);

impl<E: Into<Failed>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Broken {
    fn into_response(self) -> Response {
        tracing::error!(
            error = &*self.0 as &dyn std::error::Error,
            "the demo's own sessions failed"
        );
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
