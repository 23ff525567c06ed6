//! What a store is asked has an answer within a time, or none.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use express_session::store::StoreError;
use futures_util::FutureExt as _;
use tokio::time::{Instant, timeout};

use crate::model::AuthorizeError;
use crate::observe::metrics;

/// Waits no longer than `after`. A store that panics could not tell.
pub(super) async fn in_time<T>(
    operation: &'static str,
    after: Duration,
    asked: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, AuthorizeError> {
    let began = Instant::now();
    let answer = match timeout(after, AssertUnwindSafe(asked).catch_unwind()).await {
        Ok(Ok(Ok(answer))) => Ok(answer),
        Ok(Ok(Err(error))) => Err(AuthorizeError::StoreUnavailable(error)),
        Ok(Err(_panic)) => Err(AuthorizeError::StorePanicked),
        Err(_) => Err(AuthorizeError::StoreTimeout { after }),
    };
    metrics::store(operation, &answer, began.elapsed());
    answer
}
