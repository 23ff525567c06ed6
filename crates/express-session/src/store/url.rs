//! `SCHEME://…?layout=…&table=…`: what a store's URL says beside what its driver reads.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::StoreError;

/// A store's URL, out of which each store takes the parameters that are its own; what is left is
/// its driver's.
///
/// ```
/// use express_session::store::StoreUrl;
///
/// let mut url = StoreUrl::new("postgres://ann:secret@db/app?layout=knex&sslmode=require");
/// assert_eq!(url.scheme(), "postgres");
/// assert_eq!(url.take("layout").unwrap().as_deref(), Some("knex"));
/// assert_eq!(url.take("table").unwrap(), None);
/// assert_eq!(url.rest(), "postgres://ann:secret@db/app?sslmode=require");
/// assert_eq!(format!("{url:?}"), r#"StoreUrl { scheme: "postgres", .. }"#);
/// ```
#[derive(Clone)]
pub struct StoreUrl {
    base: String,
    /// `name=value`, still encoded.
    parameters: Vec<String>,
}

impl StoreUrl {
    /// Any URL; whether it is a good one is for the store to say.
    pub fn new(url: &str) -> Self {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
        Self { base: base.to_owned(), parameters: parameters.map(str::to_owned).collect() }
    }

    /// What stands before the first colon.
    pub fn scheme(&self) -> &str {
        self.base.split_once(':').map_or("", |(scheme, _)| scheme)
    }

    /// Takes a parameter out, percent-decoded: the last one, if there are several.
    ///
    /// # Errors
    /// [`StoreError`] if its value is not UTF-8, or if the URL's `?` may be one of a password.
    pub fn take(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        // A password's raw `?` would make the rest of it a parameter, which errors name.
        if self.parameters.iter().any(|parameter| parameter.contains('@')) {
            return Err(StoreError::message(
                "reading the URL: in a user or password write ? as %3F, elsewhere @ as %40",
            ));
        }
        let mut found = None;
        self.parameters.retain(|parameter| match parameter.split_once('=') {
            Some((its_name, value)) if its_name == name => {
                found = Some(value.to_owned());
                false
            }
            _ => true,
        });
        let Some(value) = found else {
            return Ok(None);
        };
        match percent_decode_str(&value).decode_utf8() {
            Ok(value) => Ok(Some(value.into_owned())),
            Err(error) => Err(StoreError::new(format!("reading `{name}` in the URL"), error)),
        }
    }

    /// Takes out what stands after a `#`, percent-decoded where that is UTF-8.
    #[cfg(feature = "redis")]
    pub(super) fn take_fragment(&mut self) -> Option<String> {
        // A parameter may have been added behind it.
        let parts = [&mut self.base].into_iter().chain(&mut self.parameters);
        let (at, part) = parts.into_iter().find_map(|part| Some((part.find('#')?, part)))?;
        let fragment = part.split_off(at);
        let decoded = percent_decode_str(fragment.trim_start_matches('#')).decode_utf8();
        decoded.ok().map(std::borrow::Cow::into_owned)
    }

    /// Adds a parameter, unless the URL has it.
    ///
    /// ```
    /// use express_session::store::StoreUrl;
    ///
    /// let mut url = StoreUrl::new("redis://127.0.0.1/");
    /// url.set_default("prefix", "koa:sess:");
    /// url.set_default("prefix", "sess:");
    /// assert_eq!(url.rest(), "redis://127.0.0.1/?prefix=koa%3Asess%3A");
    /// ```
    pub fn set_default(&mut self, name: &str, value: &str) {
        let names = |parameter: &str| parameter.split('=').next() == Some(name);
        if !self.parameters.iter().any(|parameter| names(parameter)) {
            let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
            self.parameters.push(format!("{name}={value}"));
        }
    }

    /// The names of the parameters that nobody has taken.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter_map(|parameter| parameter.split('=').next())
    }

    /// What is left of the URL, as it was written.
    pub fn rest(&self) -> String {
        match self.parameters.as_slice() {
            [] => self.base.clone(),
            parameters => format!("{}?{}", self.base, parameters.join("&")),
        }
    }
}

/// The scheme alone: the rest can hold a password.
impl std::fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreUrl").field("scheme", &self.scheme()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_removed_from_the_url_without_other_changes() {
        for (url, left, prefix) in [
            ("redis://h/", "redis://h/", None),
            ("redis://h/?prefix=a:", "redis://h/", Some("a:")),
            (
                "redis://:p%40ss@h/1?prefix=a%3Ab&protocol=resp3",
                "redis://:p%40ss@h/1?protocol=resp3",
                Some("a:b"),
            ),
            ("redis://h/?a=%20&prefix=1&prefix=2&b", "redis://h/?a=%20&b", Some("2")),
            ("redis://h/?prefix=", "redis://h/", Some("")),
            ("redis://h/?prefixes=x", "redis://h/?prefixes=x", None),
        ] {
            let mut url = StoreUrl::new(url);
            assert_eq!(url.take("prefix").unwrap().as_deref(), prefix);
            assert_eq!(url.rest(), left);
        }
        assert!(StoreUrl::new("redis://h/?prefix=%ff").take("prefix").is_err());
        for torn in ["redis://:hun?ter2@h/", "mysql://ann:1234?ter2@h/db?table=x"] {
            let error = StoreUrl::new(torn).take("prefix").unwrap_err();
            assert!(!format!("{error} {error:?}").contains("ter2"));
        }
    }
}
