//! What each of the Node packages keeps in a document, and when it takes it for a session.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::mongodb::bson::{DateTime, Document, RawBsonRef, RawDocument, doc};

use super::to_json::to_json;
use crate::store::{Life, StoreError, StoredSession};

/// No text is not JSON: its reader calls it corrupt, as Node's `JSON.parse` throws.
const CORRUPT: String = String::new();

/// Which Node package keeps the sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// connect-mongo 3 to 6: `session` is JSON, or BSON with `stringify: false`.
    ConnectMongo,
    /// connect-mongodb-session 5: `session` is BSON.
    ConnectMongodbSession,
}

impl Layout {
    /// By the name that a URL gives it.
    pub(super) fn named(name: Option<&str>) -> Result<Self, StoreError> {
        match name {
            None | Some("connect-mongo") => Ok(Self::ConnectMongo),
            Some("connect-mongodb-session") => Ok(Self::ConnectMongodbSession),
            Some(other) => Err(StoreError::message(format!(
                "no such layout for MongoDB: {other:?}; there are connect-mongo and \
                 connect-mongodb-session"
            ))),
        }
    }

    /// The session that a document holds; `None` if its package would never return it.
    pub(super) fn session(self, document: &RawDocument) -> Option<StoredSession> {
        let Ok(expires) = document.get("expires") else {
            return Some(StoredSession::new(CORRUPT, Life::Forever));
        };
        let life = self.life(expires)?;
        let payload = document.get("session").map_or(CORRUPT, |session| self.payload(session));
        Some(StoredSession::new(payload, life))
    }

    /// Which documents are alive at `now`, for changes.
    pub(super) fn alive(self, now: SystemTime) -> Document {
        let no_expiry = match self {
            Self::ConnectMongo => doc! { "expires": { "$exists": false } },
            // Missing or null.
            Self::ConnectMongodbSession => doc! { "expires": null },
        };
        doc! { "$or": [no_expiry, { "expires": { "$gt": DateTime::from_system_time(now) } }] }
    }

    /// Both packages ask whether the date is after now, by the app's clock; they differ in what a
    /// document without a date means.
    fn life(self, expires: Option<RawBsonRef<'_>>) -> Option<Life> {
        match (self, expires) {
            (_, None) => Some(Life::Forever),
            (_, Some(RawBsonRef::DateTime(date))) => Some(until(date)),
            (Self::ConnectMongodbSession, Some(expires)) if is_falsy(expires) => {
                Some(Life::Forever)
            }
            // To MongoDB, nothing but a date is greater than a date.
            _ => None,
        }
    }

    fn payload(self, session: Option<RawBsonRef<'_>>) -> String {
        match (self, session) {
            (Self::ConnectMongo, Some(RawBsonRef::String(json))) => json.to_owned(),
            (_, Some(session @ (RawBsonRef::Document(_) | RawBsonRef::Null)))
            | (Self::ConnectMongodbSession, Some(session)) => to_json(session).unwrap_or(CORRUPT),
            (Self::ConnectMongodbSession, None) => "null".to_owned(),
            (Self::ConnectMongo, _) => CORRUPT,
        }
    }
}

/// The first moment at which `expires > now` is false: that date.
fn until(date: DateTime) -> Life {
    let ms = date.timestamp_millis();
    let away = Duration::from_millis(ms.unsigned_abs());
    let end = if ms < 0 { UNIX_EPOCH.checked_sub(away) } else { UNIX_EPOCH.checked_add(away) };
    // Before or after all that a clock can show.
    end.map_or(if ms < 0 { Life::Until(UNIX_EPOCH) } else { Life::Forever }, Life::Until)
}

/// `!value` in JavaScript.
fn is_falsy(value: RawBsonRef<'_>) -> bool {
    match value {
        RawBsonRef::Null | RawBsonRef::Undefined | RawBsonRef::Boolean(false) => true,
        RawBsonRef::Int32(number) => number == 0,
        RawBsonRef::Int64(number) => number == 0,
        RawBsonRef::Double(number) => number == 0.0 || number.is_nan(),
        RawBsonRef::String(text) => text.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use ::mongodb::bson::oid::ObjectId;
    use ::mongodb::bson::{Bson, RawDocumentBuf};

    use super::Layout::{ConnectMongo, ConnectMongodbSession};
    use super::*;

    const END_MS: i64 = 1_795_405_207_709;

    fn session(layout: Layout, document: &Document) -> Option<StoredSession> {
        layout.session(&RawDocumentBuf::try_from(document).unwrap())
    }

    fn payload(layout: Layout, session_field: impl Into<Bson>) -> String {
        let document = doc! { "_id": "sid", "session": session_field.into() };
        String::from_utf8(session(layout, &document).unwrap().payload().to_vec()).unwrap()
    }

    #[test]
    fn a_session_is_alive_until_its_date_and_for_ever_without_one() {
        let end = UNIX_EPOCH + Duration::from_millis(END_MS.unsigned_abs());
        for layout in [ConnectMongo, ConnectMongodbSession] {
            let life = |document: Document| session(layout, &document).map(|found| found.life());
            let date = DateTime::from_millis(END_MS);
            assert_eq!(life(doc! { "session": "{}", "expires": date }), Some(Life::Until(end)));
            assert_eq!(life(doc! { "session": "{}" }), Some(Life::Forever));
            let ancient = doc! { "session": "{}", "expires": DateTime::from_millis(-1) };
            assert!(life(ancient).unwrap().ended_at(UNIX_EPOCH).is_some());
            for odd in [doc! { "expires": "2099-01-01" }, doc! { "expires": true }] {
                assert_eq!(life(odd), None, "{layout:?}");
            }
            let falsy = (layout == ConnectMongodbSession).then_some(Life::Forever);
            for odd in [doc! { "expires": null }, doc! { "expires": 0 }, doc! { "expires": "" }] {
                assert_eq!(life(odd), falsy, "{layout:?}");
            }
        }
    }

    #[test]
    fn each_package_reads_its_own_representation() {
        let id = ObjectId::parse_str("64b7f8d2c3a1e5f609182736").unwrap();
        let bson = doc! { "cookie": {}, "passport": { "user": id } };
        let json = r#"{"cookie":{},"passport":{"user":"64b7f8d2c3a1e5f609182736"}}"#;
        assert_eq!(payload(ConnectMongo, bson.clone()), json);
        assert_eq!(payload(ConnectMongodbSession, bson), json);
        assert_eq!(payload(ConnectMongo, json), json);
        // It does not parse texts: to express-session this is a text, and no session.
        assert_eq!(payload(ConnectMongodbSession, "{}"), r#""{}""#);
    }

    #[test]
    fn values_that_are_no_session_are_read_as_in_node() {
        assert_eq!(payload(ConnectMongo, Bson::Null), "null");
        assert_eq!(payload(ConnectMongo, 7), "");
        assert_eq!(payload(ConnectMongodbSession, Bson::Null), "null");
        let none = |layout| session(layout, &doc! { "_id": "sid" }).unwrap().payload().to_vec();
        assert_eq!(none(ConnectMongo), b"");
        assert_eq!(none(ConnectMongodbSession), b"null");
    }

    #[test]
    fn the_error_for_an_unknown_layout_lists_the_known_ones() {
        assert_eq!(Layout::named(None).unwrap(), ConnectMongo);
        assert_eq!(Layout::named(Some("connect-mongodb-session")).unwrap(), ConnectMongodbSession);
        let error = Layout::named(Some("mongoose")).unwrap_err().to_string();
        assert!(error.contains("connect-mongo and connect-mongodb-session"), "{error}");
    }
}
