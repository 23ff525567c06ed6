//! Faults that were mended, put back for the model test to find (`scripts/model --mutants`).
//!
//! Only a build with `--cfg model_mutants` can have one. In all others there is none, and the compiler
//! knows it.

use std::sync::LazyLock;

/// A fault, by its number in issue 12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "some are faults of the cluster"))]
pub(crate) enum Mutant {
    /// An outage ends those who were there, once.
    OneGraceForAll = 3,
    /// What the store answered may be used however old it is.
    OldAnswers = 4,
    /// A handshake begins anew whenever it has waited.
    ManyBeginnings = 5,
    /// Only the list of nodes on the bus says who is there.
    #[cfg(feature = "redis")]
    OnlyTheList = 6,
    /// What a second gate knows of a socket takes the place of what the first one knows.
    SecondTakesFirst = 9,
    /// A node obeys orders that were not given to it.
    #[cfg(feature = "redis")]
    OrdersToAll = 11,
    /// A node that is cut off serves on when the others have forgotten it. (No fault of its own there: it
    /// is what was left of 6.)
    ServesOn = 60,
}

impl Mutant {
    /// Whether this build can have the fault, and was started with it.
    pub(crate) fn is_here(self) -> bool {
        cfg!(model_mutants) && *HERE == Some(self as u8)
    }
}

static HERE: LazyLock<Option<u8>> =
    LazyLock::new(|| std::env::var("MODEL_MUTANT").ok()?.parse().ok());
