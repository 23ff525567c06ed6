//! What a request ends with, in the words that the harness uses for Node's middleware, too.

use express_session::SessionRecord;
use serde::Serialize;
use serde_json::Value;

/// What a request ends with.
#[derive(Serialize)]
pub(crate) struct Answer {
    /// The session id that the store is asked for.
    pub(crate) asked: Option<String>,
    pub(crate) session: Session,
    /// The user's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Value>,
    /// The user has an integer that is another one in JavaScript.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    keeps_digits: bool,
    /// The session's JSON, from the store or the cookie, as JavaScript decodes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<String>,
    /// Why there is no session: for the rules, never compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Session {
    /// No such configuration.
    Refused,
    /// There is none: Node's middleware would begin a new one.
    New,
    /// It was found.
    Found,
    /// Node's middleware would pass an error to the app.
    Error,
}

impl Answer {
    /// No session, and the reason.
    pub(crate) fn without(session: Session, why: &impl ToString) -> Self {
        Self {
            asked: None,
            session,
            user: None,
            keeps_digits: false,
            json: None,
            why: Some(why.to_string()),
        }
    }

    /// A session, and the user's key.
    pub(crate) fn of(record: &SessionRecord, user_pointer: &str) -> Self {
        match record.pointer(user_pointer) {
            Err(corrupt) => Self::without(Session::Error, &corrupt),
            Ok(user) => {
                let user = user.filter(is_user);
                Self {
                    asked: None,
                    session: Session::Found,
                    keeps_digits: user.as_ref().is_some_and(keeps_digits),
                    user,
                    json: Some(record.json().to_owned()),
                    why: None,
                }
            }
        }
    }

    /// The same answer, of a store that was asked for this session id.
    pub(crate) fn asked(self, sid: &str) -> Self {
        Self { asked: Some(sid.to_owned()), ..self }
    }
}

/// As the authorizer decides (`authorizer/decider.rs`).
fn is_user(key: &Value) -> bool {
    !matches!(key, Value::Null | Value::Bool(false)) && key != ""
}

/// JavaScript's numbers are doubles: it rounds integers beyond 2^53, Rust keeps them.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "it is the question"
)]
fn keeps_digits(value: &Value) -> bool {
    match value {
        Value::Number(number) => number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from))
            .is_some_and(|integer| integer as f64 as i128 != integer),
        Value::Array(values) => values.iter().any(keeps_digits),
        Value::Object(members) => members.values().any(keeps_digits),
        _ => false,
    }
}
