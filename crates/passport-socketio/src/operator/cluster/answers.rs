//! What the nodes answered to an order, and which did not.

use super::NodeId;
use crate::operator::Revoked;

/// What the nodes answered.
///
/// ```
/// # use passport_socketio::{Revoked, cluster::Answers};
/// fn say(answers: &Answers<Revoked>) {
///     let sockets: usize = answers.answers.iter().map(|(_, revoked)| revoked.sockets).sum();
///     println!("{sockets} sockets closed on {} nodes", answers.answers.len());
///     if !answers.is_complete() {
///         println!("not confirmed by {:?}", answers.missing);
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answers<T> {
    /// What each node did: this one first.
    pub answers: Vec<(NodeId, T)>,
    /// Nodes that did not answer in time or could not do it, and those that fell silent without
    /// [leaving](super::Cluster::leave): crashed, or cut off from this Redis and serving on. These are not
    /// waited for, and named for as long as they may have sockets: for 6 s, their outage grace and their
    /// `max_stale`. By then a node that is cut off has closed them, unless it is to
    /// [serve on](crate::AuthorizerBuilder::serve_when_cut_off): such a one is named until it is back.
    pub missing: Vec<NodeId>,
    /// Whether the others could be asked at all, and heard.
    pub is_reached: bool,
}

impl<T> Answers<T> {
    /// Whether every node has answered that may have sockets.
    pub fn is_complete(&self) -> bool {
        self.is_reached && self.missing.is_empty()
    }

    pub(super) fn map<R>(self, read: impl Fn(T) -> R) -> Answers<R> {
        let answers = self.answers.into_iter().map(|(node, answer)| (node, read(answer)));
        Answers { answers: answers.collect(), missing: self.missing, is_reached: self.is_reached }
    }
}

impl Answers<Revoked> {
    /// What was done in two rounds. Who was missing in one is missing.
    pub(super) fn and(mut self, then: Self) -> Self {
        for (node, revoked) in &mut self.answers {
            if let Some((_, more)) = then.answers.iter().find(|(other, _)| other == node) {
                *revoked = revoked.clone().and(more);
            }
        }
        self.missing.extend(then.missing);
        self.missing.sort();
        self.missing.dedup();
        self.answers.retain(|(node, _)| !self.missing.contains(node));
        self.is_reached &= then.is_reached;
        self
    }
}

/// What [`Cluster::refresh_user`](super::Cluster::refresh_user) did on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefreshedCount {
    /// Sockets that stay, with the user as they are now.
    pub kept: usize,
    /// Sockets that were closed.
    pub ended: usize,
}
