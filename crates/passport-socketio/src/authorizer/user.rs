//! From the session's user key to the app's user: Passport's `deserializeUser`.

use std::error::Error as StdError;
use std::future::Future;
use std::marker::PhantomData;

use async_trait::async_trait;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// Finds the user that a session's user key stands for.
///
/// An async closure is the short form
/// ([`deserialize_user`](crate::AuthorizerBuilder::deserialize_user)). Implement this where the
/// request matters, as for Passport's `deserializeUser((req, key, done) => …)`.
///
/// ```
/// use async_trait::async_trait;
/// use http::request::Parts;
/// use passport_socketio::DeserializeUser;
/// use serde_json::Value;
///
/// struct PerTenant;
///
/// #[async_trait]
/// impl DeserializeUser<String> for PerTenant {
///     async fn deserialize_user(
///         &self,
///         key: &Value,
///         request: &Parts,
///     ) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
///         let host = request.headers.get("host").map(|host| host.to_str()).transpose()?;
///         Ok(Some(format!("{key} of {}", host.unwrap_or("nowhere"))))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let (request, ()) = http::Request::get("/").header("host", "a.example").body(()).unwrap().into_parts();
/// let user = PerTenant.deserialize_user(&42.into(), &request).await.unwrap();
/// assert_eq!(user.as_deref(), Some("42 of a.example"));
/// # }
/// ```
#[async_trait]
pub trait DeserializeUser<U>: Send + Sync + 'static {
    /// The user, or `None` if there is no such user (any more).
    ///
    /// `request` is the handshake; behind [`layer`](crate::Authorizer::layer) it has no `Cookie`.
    ///
    /// # Errors
    /// Whatever keeps this from telling. The client reads `try_again`, never the error.
    async fn deserialize_user(&self, key: &Value, request: &Parts) -> Result<Option<U>, BoxError>;
}

/// An async closure over a typed key.
pub(crate) struct AsyncFnDeserializer<F, K> {
    function: F,
    key: PhantomData<fn(K)>,
}

impl<F, K> AsyncFnDeserializer<F, K> {
    pub(crate) fn new(function: F) -> Self {
        Self { function, key: PhantomData }
    }
}

#[async_trait]
impl<U, K, F, Fut, E> DeserializeUser<U> for AsyncFnDeserializer<F, K>
where
    K: DeserializeOwned + Send + 'static,
    F: FnOnce(K) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Option<U>, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
    U: Send + 'static,
{
    async fn deserialize_user(&self, key: &Value, _: &Parts) -> Result<Option<U>, BoxError> {
        // Serde's own message would quote the key.
        let typed = K::deserialize(key).map_err(|_| {
            let (found, expected) = (kind(key), std::any::type_name::<K>());
            format!("the session's user key is {found}, and the deserializer takes {expected}")
        })?;
        self.function.clone()(typed).await.map_err(Into::into)
    }
}

fn kind(key: &Value) -> &'static str {
    match key {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
