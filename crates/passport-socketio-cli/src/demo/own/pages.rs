//! The page, and the two forms on it.

use axum::Router;
use axum::extract::State;
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};

use super::sessions::Sessions;
use crate::demo::user::{ROWS, row};

pub(super) fn router(sessions: Sessions) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .with_state(sessions)
}

async fn page() -> Html<String> {
    let buttons: String = ROWS
        .iter()
        .map(|row| {
            format!(
                r#"<button name="user" value="{}">{}</button> "#,
                row.id, row.name
            )
        })
        .collect();
    Html(include_str!("page.html").replace("<!-- users -->", &buttons))
}

async fn log_in(State(sessions): State<Sessions>, headers: HeaderMap, form: String) -> Response {
    if asked_by_another_site(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let user = form
        .strip_prefix("user=")
        .and_then(|id| row(id.parse().ok()?));
    let Some(user) = user else {
        return (StatusCode::BAD_REQUEST, "there is no such user").into_response();
    };
    match sessions.log_in(user.id).await {
        Ok(cookie) => back_to_the_page(&cookie),
        Err(error) => failed(&*error),
    }
}

async fn log_out(State(sessions): State<Sessions>, headers: HeaderMap) -> Response {
    if asked_by_another_site(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let cookies = headers
        .get(COOKIE)
        .and_then(|cookies| cookies.to_str().ok());
    match sessions.log_out(cookies.unwrap_or_default()).await {
        Ok(()) => (StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response(),
        Err(error) => failed(&error),
    }
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
    let headers = [
        (LOCATION, HeaderValue::from_static("/")),
        (SET_COOKIE, cookie),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Response {
    tracing::error!(error, "the demo's own sessions could not be written");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
