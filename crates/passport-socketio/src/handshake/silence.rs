//! A client that opens a connection and sends nothing is disconnected after `.connect_within`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Connection;

/// Gives the client of a new connection some time to send something.
pub(super) fn watch(connection: &Arc<Connection>, within: Duration) {
    let weak = Arc::downgrade(connection);
    let watch = tokio::spawn(async move {
        sleep(within).await;
        if let Some(connection) = weak.upgrade()
            && !connection.connects().is_begun()
            && !connection.has_received()
        {
            connection.cut("it never said anything");
        }
    });
    connection.ends(&watch);
}
