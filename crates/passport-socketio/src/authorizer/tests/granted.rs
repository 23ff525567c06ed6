//! "Yes, this is the user."

use super::*;

#[tokio::test]
async fn every_truthy_json_value_and_zero_is_a_user() {
    for key in [
        json!(0),
        json!("0"),
        json!(42),
        json!(-1.5),
        json!({"id": 42, "tenant": "a"}),
        json!({}),
        json!(["ldap", 42]),
        json!([]),
        json!(true),
        json!("false"),
        json!(" "),
    ] {
        let identity = holding(session(&key)).grants(signed()).await;
        assert_eq!(*identity.user(), key);
        assert_eq!(*identity.user_key(), UserKey::from(key));
    }
    let written = |zero| format!(r#"{{"cookie":{{}},"passport":{{"user":{zero}}}}}"#);
    for zero in ["-0", "0.0", "0e7"] {
        let identity = holding(written(zero)).grants(signed()).await;
        assert_eq!(*identity.user_key(), UserKey::from(0), "{zero}");
    }
}

#[tokio::test]
async fn the_identity_holds_the_session_as_it_was_loaded() {
    let json = r#"{"cookie":{"originalMaxAge":60000},"passport":{"user":7},"cart":["tea"]}"#;
    let life = Life::For(Duration::from_secs(60));
    let identity = holding_for(json, life).grants(signed()).await;
    let session = identity.session();
    assert_eq!((session.id().as_str(), session.json()), (SID, json));
    assert_eq!(session.life(), life);
    assert_eq!(session.get("/cart/0"), Some("tea".to_owned()));
    assert_eq!(session.get::<i64>("/cart/0"), None);
    let minute = Some(Duration::from_secs(60));
    assert_eq!(session.cookie().unwrap().original_max_age, minute);
    let said = format!("{identity:?} {session:?}");
    assert!(!said.contains(SID) && !said.contains("tea"), "{said}");
}

#[tokio::test]
async fn the_expiry_inside_an_express_record_is_ignored() {
    let json = r#"{"cookie":{"expires":"2001-01-01T00:00:00.000Z","originalMaxAge":1000},
        "passport":{"user":42}}"#;
    holding_for(json, Life::Forever).grants(signed()).await;
    let left = Life::For(Duration::from_secs(60));
    holding_for(json, left).grants(signed()).await;
}

#[tokio::test]
async fn a_cookie_of_any_configured_secret_is_accepted() {
    let rotated = || logged_in().with(|builder| builder.secrets(["new secret", SECRET]));
    rotated().grants(signed()).await;
    rotated().grants(with_cookie(&cookie("new secret"))).await;
}

#[tokio::test]
async fn the_cookie_is_found_under_the_configured_name_only() {
    let named = || logged_in().with(|builder| builder.key("sid"));
    let renamed = cookie(SECRET).replace("connect.sid=", "sid=");
    named().grants(with_cookie(&renamed)).await;
    let expected = Expected::denied("no_session_cookie", 0);
    named().refuses(signed(), &expected).await;
}

#[tokio::test]
async fn the_user_is_found_where_the_pointer_says() {
    let at = |pointer: &'static str, json: &'static str| {
        holding(json).with(|builder| builder.user_pointer(pointer))
    };
    let fastify = r#"{"cookie":{},"passport":"ann"}"#;
    let identity = at("/passport", fastify).grants(signed()).await;
    assert_eq!(*identity.user_key(), UserKey::from("ann"));
    let elsewhere = r#"{"cookie":{},"passport":{"user":1},"auth":{"ids":[5,6]}}"#;
    let identity = at("/auth/ids/1", elsewhere).grants(signed()).await;
    assert_eq!(*identity.user_key(), UserKey::from(6));
}

#[tokio::test]
async fn the_user_key_is_the_value_of_user_id() {
    let world = holding(session(&json!({"id": 42, "tenant": "a"})))
        .with(|builder| builder.user_id(|user: &Value| user["id"].as_i64().unwrap()));
    let identity = world.grants(signed()).await;
    assert_eq!(*identity.user_key(), UserKey::from(42));
}

#[tokio::test]
async fn a_deserializer_can_read_the_request() {
    struct PerTenant;

    #[async_trait]
    impl DeserializeUser<Value> for PerTenant {
        async fn deserialize_user(
            &self,
            key: &Value,
            request: &Parts,
        ) -> Result<Option<Value>, BoxError> {
            let host = request.headers["host"].to_str()?;
            Ok(Some(json!({"key": key, "tenant": host})))
        }
    }

    let world = logged_in().with(|builder| builder.deserializer(PerTenant));
    let cookie = cookie(SECRET);
    let request = request(&[("host", "a.example"), ("cookie", &cookie)]);
    let identity = world.grants(request).await;
    assert_eq!(*identity.user(), json!({"key": KEY, "tenant": "a.example"}));
}

#[tokio::test]
async fn the_session_id_query_is_read_only_if_enabled_and_origin_allowed() {
    let query = cookie(SECRET).replace("connect.sid=", "session_id=");
    let with_query = |headers: &[_]| {
        let mut request = request(headers);
        let uri = format!("/socket.io/?EIO=4&{query}&transport=polling");
        request.uri = uri.parse().unwrap();
        request
    };
    let world = || logged_in().with(AuthorizerBuilder::insecure_session_id_query);
    world().grants(with_query(&[])).await;

    let no_cookie = Expected::denied("no_session_cookie", 0);
    logged_in().refuses(with_query(&[]), &no_cookie).await;
    let forged = cookie("another secret");
    let cookie_first = Expected::denied("bad_signature", 0);
    let both = with_query(&[("cookie", &forged)]);
    world().refuses(both, &cookie_first).await;
    let forbidden =
        Expected { client: "forbidden", guest: false, ..Expected::denied("origin_not_allowed", 0) };
    let foreign = with_query(&[("host", "a.example"), ("origin", "https://evil.example")]);
    world().refuses(foreign, &forbidden).await;
}
