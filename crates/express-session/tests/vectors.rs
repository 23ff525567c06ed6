//! Everything that the real npm packages answered, and our code asked the same (`testkit::vectors`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

#[cfg(feature = "secure-session")]
use std::time::Duration;

#[cfg(feature = "secure-session")]
use express_session::cookie::decode_base64;
use express_session::cookie::{Keygrip, KeygripHash, Signer, cookies_get, find};
#[cfg(feature = "secure-session")]
use express_session::source::SecureSessionSource;
use express_session::source::{
    CookieSessionSource, ExpressSource, FastifySource, KoaGenericSource, KoaSource, Located,
    SessionSource,
};
use express_session::{RecordLimits, SessionRequest};
use serde_json::Value;
use testkit::vectors::{self, App, Expected, Hash, Outcome, SessionVector};

#[test]
fn signatures_are_those_of_cookie_signature() {
    for vector in vectors::cookie_signature() {
        let signer = Signer::new([&vector.secret]).unwrap();
        assert_eq!(signer.unsign(&vector.signed), vector.value.as_deref(), "{}", vector.name);
        if let Some(value) = &vector.value {
            assert_eq!(signer.sign(value), vector.signed, "{}", vector.name);
        }
    }
}

#[test]
fn signatures_are_those_of_keygrip() {
    for vector in vectors::keygrip() {
        let keys = Keygrip::new(&vector.keys, keygrip_hash(vector.hash)).unwrap();
        let verifies = keys.verify(&vector.data, &vector.signature);
        assert_eq!(verifies, vector.verifies, "{}", vector.name);
        let signs = |key| {
            let keys = Keygrip::new([key], keygrip_hash(vector.hash)).unwrap();
            keys.sign(&vector.data) == vector.signature
        };
        assert_eq!(vector.keys.iter().any(signs), vector.verifies, "{}", vector.name);
    }
}

#[test]
fn cookies_are_read_as_by_npm_cookie() {
    for vector in vectors::cookie() {
        let value = find(&vector.header, &vector.cookie);
        assert_eq!(value.as_deref(), vector.value.as_deref(), "{}", vector.name);
    }
}

#[test]
fn cookie_names_are_those_of_npm_cookie() {
    for vector in vectors::cookie_names() {
        let name = &vector.cookie;
        assert_eq!(ExpressSource::new(name, ["secret"]).is_ok(), vector.kept, "{name:?}");
        if vector.kept {
            assert_eq!(find(&format!("a=1; {name}=v"), name).as_deref(), Some("v"), "{name:?}");
        }
    }
}

#[test]
fn cookies_are_read_as_by_npm_cookies() {
    for vector in vectors::cookies() {
        let value = cookies_get(&vector.header, &vector.cookie);
        assert_eq!(value, vector.value.as_deref(), "{}", vector.name);
    }
}

#[test]
fn requests_are_decided_as_in_the_apps_of_every_kind() {
    let mut sources: Vec<(App, Box<dyn SessionSource>)> = Vec::new();
    for vector in vectors::sessions().into_iter().filter(|vector| is_compiled(&vector.app)) {
        // Not once a vector: a secret is stretched for half a second.
        if sources.iter().all(|(app, _)| *app != vector.app) {
            sources.push((vector.app.clone(), source(&vector.app)));
        }
        let (_, source) = sources.iter().find(|(app, _)| *app == vector.app).unwrap();
        assert_eq!(
            answer(&**source, &vector),
            vector.expected,
            "{:?}: {}",
            vector.app,
            vector.name
        );
    }
}

/// Whether its source is not behind a feature that is off.
fn is_compiled(app: &App) -> bool {
    cfg!(feature = "secure-session") || !is_secure_session(app)
}

fn is_secure_session(app: &App) -> bool {
    matches!(app, App::SecureSession { .. } | App::SecureSessionSecret { .. })
}

/// Our source for an app with these options.
fn source(app: &App) -> Box<dyn SessionSource> {
    match app {
        App::Express { cookie, secrets } => Box::new(ExpressSource::new(cookie, secrets).unwrap()),
        App::CookieSession { cookie, keys, hash } => {
            Box::new(CookieSessionSource::new(cookie, keys, keygrip_hash(*hash)).unwrap())
        }
        App::Koa { cookie, keys, hash, in_store: true } => {
            Box::new(KoaSource::in_store(cookie, keys, keygrip_hash(*hash)).unwrap())
        }
        App::Koa { cookie, keys, hash, in_store: false } => {
            Box::new(KoaSource::in_cookie(cookie, keys, keygrip_hash(*hash)).unwrap())
        }
        App::KoaGeneric { cookie, keys, hash } => {
            Box::new(KoaGenericSource::new(cookie, keys, keygrip_hash(*hash)).unwrap())
        }
        App::Fastify { cookie, secrets, cookie_prefix } => {
            let source = FastifySource::new(cookie, secrets).unwrap();
            Box::new(source.with_cookie_prefix(cookie_prefix))
        }
        #[cfg(feature = "secure-session")]
        App::SecureSession { cookie, keys, expiry } => {
            let keys = keys.iter().map(|key| decode_base64(key).try_into().unwrap());
            let source = SecureSessionSource::with_keys(cookie, keys).unwrap();
            match expiry {
                Some(seconds) => Box::new(source.with_expiry(Duration::from_secs(*seconds))),
                None => Box::new(source),
            }
        }
        #[cfg(feature = "secure-session")]
        App::SecureSessionSecret { cookie, secret, salt } => {
            let salt = salt.as_ref().map(|salt| salt.as_bytes().try_into().unwrap());
            Box::new(SecureSessionSource::with_secret(cookie, secret, salt).unwrap())
        }
        #[cfg(not(feature = "secure-session"))]
        App::SecureSession { .. } | App::SecureSessionSecret { .. } => panic!("not compiled"),
    }
}

/// What our source makes of the request, in the words of the vectors.
fn answer(source: &dyn SessionSource, vector: &SessionVector) -> Expected {
    let mut answer = Expected { asked: None, session: Outcome::New, user: None };
    let request = match &vector.cookies {
        Some(cookies) => SessionRequest::from_cookie_header(cookies),
        None => SessionRequest::default(),
    };
    let payload = match source.locate(&request) {
        Err(_) => return answer,
        Ok(Located::Carried(carried)) => carried.payload().to_vec(),
        Ok(Located::Stored(id)) => {
            answer.asked = Some(id.as_str().to_owned());
            let Some(stored) = &vector.stored else { return answer };
            stored.clone().into_bytes()
        }
    };
    let record = match source.read(&payload, &RecordLimits::default()) {
        Err(_) => return Expected { session: Outcome::Error, ..answer },
        Ok(None) => return answer,
        Ok(Some(record)) => record,
    };
    if source.expiry(&record).is_some_and(|end| end <= vector.at) {
        return answer;
    }
    let user = record.pointer(user_pointer(&vector.app)).unwrap();
    Expected { session: Outcome::Found, user: user.filter(|user| *user != Value::Null), ..answer }
}

fn user_pointer(app: &App) -> &'static str {
    let is_fastify = matches!(app, App::Fastify { .. }) || is_secure_session(app);
    if is_fastify { "/passport" } else { "/passport/user" }
}

fn keygrip_hash(hash: Hash) -> KeygripHash {
    match hash {
        Hash::Sha1 => KeygripHash::Sha1,
        Hash::Sha256 => KeygripHash::Sha256,
    }
}
