//! Why a message was dropped.

/// Why a message could not be read. Its text names no content.
///
/// ```
/// use node_cluster::{Limits, Malformed, Value};
///
/// let cut_off = Value::from_msgpack(&[0x92, 1], &Limits::default());
/// assert_eq!(cut_off, Err(Malformed::Truncated));
/// assert_eq!(Malformed::Truncated.code(), "truncated");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It is larger than [`Limits::max_message`](crate::Limits::max_message).
    #[error("the message is too large")]
    TooLarge,
    /// It ends in the middle of a value.
    #[error("the message ends in the middle of a value")]
    Truncated,
    /// Something follows the message.
    #[error("something follows the message")]
    TrailingBytes,
    /// It is nested deeper than [`Limits::max_depth`](crate::Limits::max_depth).
    #[error("the message is nested too deeply")]
    TooDeep,
    /// It has more values than [`Limits::max_values`](crate::Limits::max_values).
    #[error("the message has too many values")]
    TooManyValues,
    /// It names more rooms than [`Limits::max_rooms`](crate::Limits::max_rooms).
    #[error("the message names too many rooms")]
    TooManyRooms,
    /// A name is longer than [`Limits::max_name`](crate::Limits::max_name).
    #[error("a name in the message is too long")]
    NameTooLong,
    /// It is no msgpack.
    #[error("the message is no msgpack")]
    NotMsgpack,
    /// It is no JSON.
    #[error("the message is no JSON")]
    NotJson,
    /// It is no message of the protocol: a field is missing, or has another type.
    #[error("the message is none of the protocol")]
    UnknownShape,
    /// It has a type that the protocol does not have.
    #[error("the message has an unknown type")]
    UnknownType,
    /// An event that only the library itself may send, such as `disconnect`.
    #[error("the event's name is reserved")]
    ReservedEvent,
    /// It is for another namespace than its channel.
    #[error("the message is for another namespace than its channel")]
    OtherNamespace,
}

impl Malformed {
    /// A stable word, for logs and metrics.
    ///
    /// See [`Malformed`] for an example.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Truncated => "truncated",
            Self::TrailingBytes => "trailing_bytes",
            Self::TooDeep => "too_deep",
            Self::TooManyValues => "too_many_values",
            Self::TooManyRooms => "too_many_rooms",
            Self::NameTooLong => "name_too_long",
            Self::NotMsgpack => "not_msgpack",
            Self::NotJson => "not_json",
            Self::UnknownShape => "unknown_shape",
            Self::UnknownType => "unknown_type",
            Self::ReservedEvent => "reserved_event",
            Self::OtherNamespace => "other_namespace",
        }
    }
}
