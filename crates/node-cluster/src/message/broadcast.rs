//! An event for sockets: one msgpack array, `[uid, packet, opts]`.

use super::fields::{Event, Target, name};
use crate::{Limits, Malformed, Value};

/// What socket.io-parser calls an event, with binary in it or not.
const EVENT: [i64; 2] = [2, 5];

/// An event that a server or an emitter sends to sockets.
///
/// ```
/// use node_cluster::{Broadcast, Event, Limits, Target};
///
/// let broadcast = Broadcast {
///     sender: "emitter".into(),
///     namespace: "/".into(),
///     event: Event::new("hi", vec![])?,
///     target: Target::default(),
/// };
/// assert_eq!(Broadcast::read(&broadcast.write(), &Limits::default())?, broadcast);
/// # Ok::<(), node_cluster::Malformed>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Broadcast {
    /// Which server sent it; `emitter` for an emitter.
    pub sender: String,
    /// The namespace, with its slash.
    pub namespace: String,
    /// The event.
    pub event: Event,
    /// For which sockets.
    pub target: Target,
}

impl Broadcast {
    /// Reads a message of the broadcast channel.
    ///
    /// See [`Broadcast`] for an example.
    ///
    /// # Errors
    /// [`Malformed`] if this is none, larger than `limits` allow, or a reserved event.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, Malformed> {
        let Value::Array(items) = Value::from_msgpack(bytes, limits)? else {
            return Err(Malformed::UnknownShape);
        };
        // More than three are left alone, as Node does.
        let (Some(sender), Some(packet), Some(target)) =
            (items.first(), items.get(1), items.get(2))
        else {
            return Err(Malformed::UnknownShape);
        };
        let (namespace, event) = read_packet(packet, limits)?;
        Ok(Self {
            sender: name(Some(sender), limits)?,
            namespace,
            event,
            target: Target::read(target, limits)?,
        })
    }

    /// Writes it for the broadcast channel.
    ///
    /// See [`Broadcast`] for an example.
    pub fn write(&self) -> Vec<u8> {
        Value::Array(vec![
            Value::Str(self.sender.clone()),
            write_packet(&self.namespace, &self.event),
            self.target.write(true),
        ])
        .to_msgpack()
    }
}

/// `{type, data: [event, …args], nsp}`.
pub(super) fn read_packet(packet: &Value, limits: &Limits) -> Result<(String, Event), Malformed> {
    let kind = packet.field("type").and_then(Value::as_int).ok_or(Malformed::UnknownShape)?;
    if !EVENT.contains(&kind) {
        return Err(Malformed::UnknownType);
    }
    let namespace = match packet.field("nsp") {
        None | Some(Value::Undefined) => "/".to_owned(),
        Some(Value::Str(namespace)) if namespace.len() > limits.name => {
            return Err(Malformed::NameTooLong);
        }
        Some(Value::Str(namespace)) => namespace.clone(),
        Some(_) => return Err(Malformed::UnknownShape),
    };
    Ok((namespace, Event::read(packet.field("data"), limits)?))
}

pub(super) fn write_packet(namespace: &str, event: &Event) -> Value {
    Value::Map(vec![
        ("type".into(), Value::Int(2)),
        ("data".into(), event.write()),
        ("nsp".into(), Value::Str(namespace.to_owned())),
    ])
}
