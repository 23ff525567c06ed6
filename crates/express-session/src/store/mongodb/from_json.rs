//! JSON as the BSON that Node's driver makes of it, for changing a session that is kept as BSON.
//!
//! JSON knows fewer types. Where a value of the new session says the same as the old one did, the
//! old one stays as it is: an ObjectId that the app put there does not become a text.

use ::mongodb::bson::{Bson, Document, RawBsonRef};
use serde_json::{Map, Number, Value};

use super::to_json::to_json;

/// `json` as BSON, with the types of `old` wherever the two agree.
pub(super) fn to_bson(json: &Value, old: Option<RawBsonRef<'_>>) -> Bson {
    if let Some(old) = old
        && is_the_json_of(json, old)
        && let Ok(kept) = Bson::try_from(old)
    {
        return kept;
    }
    match json {
        Value::Null => Bson::Null,
        Value::Bool(value) => Bson::Boolean(*value),
        Value::String(text) => Bson::String(text.clone()),
        Value::Number(number) => to_bson_number(number),
        Value::Array(elements) => {
            let old = |n| old.and_then(|old| old.as_array()?.get(n).ok().flatten());
            let elements = elements.iter().enumerate();
            Bson::Array(elements.map(|(n, element)| to_bson(element, old(n))).collect())
        }
        Value::Object(members) => Bson::Document(to_document(members, old)),
    }
}

fn to_document(members: &Map<String, Value>, old: Option<RawBsonRef<'_>>) -> Document {
    let old = |name: &str| old.and_then(|old| old.as_document()?.get(name).ok().flatten());
    members.iter().map(|(name, value)| (name.clone(), to_bson(value, old(name)))).collect()
}

fn is_the_json_of(json: &Value, bson: RawBsonRef<'_>) -> bool {
    // What holds others is compared by its members.
    !matches!(bson, RawBsonRef::Document(_) | RawBsonRef::Array(_) | RawBsonRef::Undefined)
        && to_json(bson)
            .is_ok_and(|text| serde_json::from_str(&text).is_ok_and(|old: Value| old == *json))
}

/// Node's driver writes an int32 where the number is one, else a double.
fn to_bson_number(number: &Number) -> Bson {
    match number.as_i64().and_then(|number| i32::try_from(number).ok()) {
        Some(number) => Bson::Int32(number),
        None => number.as_f64().map_or(Bson::Null, Bson::Double),
    }
}

#[cfg(test)]
mod tests {
    use ::mongodb::bson::oid::ObjectId;
    use ::mongodb::bson::{DateTime, RawDocumentBuf, doc};
    use serde_json::json;

    use super::*;

    fn changed(old: &Document, json: &Value) -> Bson {
        let old = RawDocumentBuf::try_from(old).unwrap();
        to_bson(json, Some(RawBsonRef::Document(&old)))
    }

    #[test]
    fn what_stays_the_same_keeps_its_type() {
        let id = ObjectId::parse_str("64b7f8d2c3a1e5f609182736").unwrap();
        let date = DateTime::from_millis(1_795_405_207_709);
        let old = doc! { "passport": { "user": id, "since": date }, "list": [id, 1_i64], "n": 1.0 };
        let new = json!({
            "passport": { "user": id.to_hex(), "since": "2026-11-23T03:40:07.709Z" },
            "list": [id.to_hex(), 1, 2],
            "n": 1,
        });
        let mut expected = old.clone();
        expected.insert("list", vec![Bson::ObjectId(id), Bson::Int64(1), Bson::Int32(2)]);
        let Bson::Document(got) = changed(&old, &new) else { panic!("a document") };
        for (name, value) in &expected {
            assert_eq!(got.get(name), Some(value), "{name}");
        }
    }

    #[test]
    fn what_changes_is_what_node_writes() {
        let id = ObjectId::parse_str("64b7f8d2c3a1e5f609182736").unwrap();
        let old = doc! { "user": id, "gone": 1 };
        let new =
            json!({ "user": "ann", "int": 7, "wide": 2_147_483_648_u64, "half": 0.5, "no": null });
        let expected = doc! {
            "half": 0.5, "int": 7, "no": null, "user": "ann", "wide": 2_147_483_648.0,
        };
        assert_eq!(changed(&old, &new), Bson::Document(expected));
    }
}
