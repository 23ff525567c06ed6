//! One event a decision, with its code. Sessions appear as a short hash; cookies, user keys and
//! session ids never do.

use std::error::Error;

use crate::live::Ended;
use crate::{Failure, Identity};

pub(crate) fn granted<U>(identity: &Identity<U>, namespace: &str) {
    let session = identity.session().id().hash().short();
    tracing::info!(code = "granted", namespace, session, "connected");
}

pub(crate) fn guest(failure: &Failure, namespace: &str) {
    tracing::info!(code = failure.code(), namespace, "connected as a guest");
}

/// `namespace` is empty for what is refused before one is known.
pub(crate) fn refused(failure: &Failure, namespace: &str) {
    let code = failure.code();
    if failure.is_error() {
        let source = failure.source();
        tracing::warn!(code, namespace, reason = %failure, source, "could not tell: refused");
    } else {
        tracing::info!(code, namespace, reason = %failure, "refused");
    }
}

pub(crate) fn ended(ended: &Ended<'_>) {
    let (code, namespace) = (ended.reason.code(), ended.namespace);
    tracing::info!(code, namespace, session = ended.session.hash().short(), "the login ended");
}

/// An error with all that caused it.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        chain.push_str(": ");
        chain.push_str(&cause.to_string());
        source = cause.source();
    }
    chain
}
