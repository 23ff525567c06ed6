//! Vectors made by bson 7.3.4, where bson 6.10.4 says the same: `BSON.serialize({ v: value })`, and
//! `JSON.stringify(BSON.deserialize(bytes).v)`.

use ::mongodb::bson::{DateTime, RawBson, RawDocumentBuf, rawdoc};

use super::*;

#[rustfmt::skip]
const VECTORS: &[(&str, &str, &str)] = &[
    ("object_id", "1400000007760064b7f8d2c3a1e5f60918273600", r#""64b7f8d2c3a1e5f609182736""#),
    ("date", "100000000976009d587d06a201000000", r#""2026-11-23T03:40:07.709Z""#),
    ("before_1970", "10000000097600ffffffffffffffff00", r#""1969-12-31T23:59:59.999Z""#),
    ("before_year_0", "1000000009760000744a396ec7ffff00", r#""-000001-01-01T00:00:00.000Z""#),
    ("after_9999", "1000000009760000dc1fd277e6000000", r#""+010000-01-01T00:00:00.000Z""#),
    ("leap_day", "1000000009760000e0a69add00000000", r#""2000-02-29T00:00:00.000Z""#),
    ("int64", "100000001276002a0000000000000000", "42"),
    ("whole_double", "10000000017600000000000000454000", "42"),
    ("half", "10000000017600000000000000e0bf00", "-0.5"),
    ("nan", "10000000017600000000000000f87f00", "null"),
    ("infinity", "10000000017600000000000000f0ff00", "null"),
    ("negative_zero", "10000000017600000000000000008000", "0"),
    ("large_double", "10000000017600408cb5781daf154400", "100000000000000000000"),
    ("huge", "100000000176009c7500883ce4377e00", "1e+300"),
    ("tiny", "1000000001760048afbc9af2d77a3e00", "1e-7"),
    ("small", "100000000176008dedb5a0f7c6b03e00", "0.000001"),
    ("e21", "1000000001760050efe2d6e41a4b4400", "1e+21"),
    ("decimal", "1800000013760096000000000000000000000000003c3000", r#"{"$numberDecimal":"1.50"}"#),
    ("binary", "0f0000000576000200000000686900", r#""aGk=""#),
    ("uuid", "1d00000005760010000000040e8400e29b414d44a71644665544000000", r#""0e8400e2-9b41-4d44-a716-446655440000""#),
    ("md5", "1d00000005760010000000053031323334353637383961626364656600", r#""MDEyMzQ1Njc4OWFiY2RlZg==""#),
    ("regex", "0f0000000b76006122620069730000", "{}"),
    ("code", "100000000d7600040000007822790000", r#"{"code":"x\"y"}"#),
    ("code_with_scope", "260000000f76001e0000000200000078001400000007610064b7f8d2c3a1e5f6091827360000", r#"{"code":"x","scope":{"a":"64b7f8d2c3a1e5f609182736"}}"#),
    ("symbol", "0e0000000e760002000000730000", r#""s""#),
    ("timestamp", "10000000117600060000000500000000", r#"{"$timestamp":"21474836486"}"#),
    ("min_key", "08000000ff760000", "{}"),
    ("max_key", "080000007f760000", "{}"),
    ("reference", "2a00000003760022000000022472656600020000006300072469640064b7f8d2c3a1e5f6091827360000", r#"{"$ref":"c","$id":"64b7f8d2c3a1e5f609182736"}"#),
    ("text", "170000000276000b000000c3a9f09f9880225c0a010000", r#""é😀\"\\\n\u0001""#),
    ("list", "2b00000004760023000000103000010000000a3100083200010333000d0000000461000500000000000000", r#"[1,null,true,{"a":[]}]"#),
    ("empty", "0d000000037600050000000000", "{}"),
];

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |n| u8::from_str_radix(&hex[n..n + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn json_of(document: &RawDocumentBuf, name: &str) -> Result<String, Malformed> {
    to_json(document.get(name)?.expect("it has that member"))
}

#[test]
fn bson_becomes_the_same_json_as_in_node() {
    for (name, hex, json) in VECTORS {
        let document = RawDocumentBuf::from_bytes(bytes(hex)).unwrap();
        let got = json_of(&document, "v").unwrap();
        if name == &"e21" || name == &"huge" {
            // Node writes the plus sign of an exponent; the number is the same.
            assert_eq!(got, json.replace('+', ""), "{name}");
        } else {
            assert_eq!(&got, json, "{name}");
        }
    }
}

#[test]
fn a_long_that_exceeds_a_double_keeps_its_digits() {
    let document = rawdoc! { "v": 9_007_199_254_740_993_i64 };
    assert_eq!(json_of(&document, "v").unwrap(), "9007199254740993");
}

#[test]
fn an_undefined_member_is_left_out_and_an_undefined_element_is_null() {
    let undefined = RawBson::Undefined;
    let document = rawdoc! { "v": { "a": undefined.clone(), "b": 1, "c": undefined.clone() },
    "list": [1, undefined.clone()], "gone": undefined };
    assert_eq!(json_of(&document, "v").unwrap(), r#"{"b":1}"#);
    assert_eq!(json_of(&document, "list").unwrap(), "[1,null]");
    assert_eq!(json_of(&document, "gone").unwrap(), "null");
}

#[test]
fn dates_have_the_range_of_javascript() {
    let json = |ms| json_of(&rawdoc! { "v": DateTime::from_millis(ms) }, "v").unwrap();
    assert_eq!(json(MAX_DATE), r#""+275760-09-13T00:00:00.000Z""#);
    assert_eq!(json(-MAX_DATE), r#""-271821-04-20T00:00:00.000Z""#);
    for beyond in [MAX_DATE + 1, -MAX_DATE - 1, i64::MAX, i64::MIN] {
        assert_eq!(json(beyond), "null");
    }
}

#[test]
fn bson_that_is_cut_or_changed_anywhere_is_an_error() {
    for (name, hex, _) in VECTORS {
        let whole = bytes(hex);
        for at in 4..whole.len() - 1 {
            let mut broken = whole.clone();
            broken[at] ^= 0x81;
            // Whatever it says now, it neither panics nor makes what is not JSON.
            if let Ok(document) = RawDocumentBuf::from_bytes(broken)
                && let Ok(json) = to_json(RawBsonRef::Document(&document))
            {
                let read: Result<serde_json::Value, _> = serde_json::from_str(&json);
                assert!(read.is_ok(), "{name}: {json}");
            }
        }
    }
    let mut text = bytes(VECTORS.iter().find(|(name, ..)| *name == "symbol").unwrap().1);
    let at = text.len() - 3;
    text[at] = 0xff;
    let document = RawDocumentBuf::from_bytes(text).unwrap();
    assert_eq!(to_json(RawBsonRef::Document(&document)), Err(Malformed));
}

#[test]
fn bson_that_nests_too_deep_is_an_error_and_no_stack_overflow() {
    let nested = |levels: usize| {
        // By hand: it would take long to copy it anew for each level.
        let mut document = Vec::new();
        for level in (0..=levels).rev() {
            let size = i32::try_from(level * 8 + 5).unwrap();
            document.extend(size.to_le_bytes());
            if level > 0 {
                document.extend(b"\x03a\0");
            }
        }
        document.extend(vec![0; levels + 1]);
        RawDocumentBuf::from_bytes(document).unwrap()
    };
    let json = to_json(RawBsonRef::Document(&nested(100))).unwrap();
    assert_eq!(json.len(), "{\"a\":".len() * 100 + "{}".len() + 100);
    assert_eq!(to_json(RawBsonRef::Document(&nested(500_000))), Err(Malformed));
}
