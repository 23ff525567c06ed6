//! msgpack as notepack.io writes it, in its versions 2 and 3.
//!
//! The differences to plain msgpack are extensions: type -1 is a `Date` (version 3); type 0 (version
//! 2) is `undefined` as fixext 1, a `Date` as fixext 8, and an `ArrayBuffer` in the forms that carry
//! their length. Every other extension is read as notepack.io reads it: an array of its type and
//! its bytes.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use crate::{Limits, Malformed, Value};

impl Value {
    /// Reads msgpack as notepack.io writes it, in its versions 2 and 3.
    ///
    /// ```
    /// use node_cluster::{Limits, Value};
    ///
    /// // notepack.io 2 writes `[undefined]` so.
    /// let read = Value::from_msgpack(&[0x91, 0xd4, 0, 0], &Limits::default())?;
    /// assert_eq!(read, Value::Array(vec![Value::Undefined]));
    /// # Ok::<(), node_cluster::Malformed>(())
    /// ```
    ///
    /// # Errors
    /// [`Malformed`] if this is none, or larger than `limits` allow.
    pub fn from_msgpack(bytes: &[u8], limits: &Limits) -> Result<Self, Malformed> {
        decode::decode(bytes, limits)
    }

    /// Writes msgpack as notepack.io 3 does.
    ///
    /// ```
    /// use node_cluster::Value;
    ///
    /// assert_eq!(Value::Array(vec![Value::Undefined, Value::Int(-1)]).to_msgpack(), [0x92, 0xc0, 0xff]);
    /// ```
    pub fn to_msgpack(&self) -> Vec<u8> {
        encode::encode(self)
    }
}
