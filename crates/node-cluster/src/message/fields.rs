//! What messages have in common: names, targets, events.

use std::time::Duration;

use crate::value::from_signed;
use crate::{Limits, Malformed, Value};

/// Events that only the library itself may send.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Which sockets of a namespace are meant.
///
/// ```
/// use node_cluster::Target;
///
/// let target = Target { rooms: vec!["a".into()], ..Target::default() };
/// assert!(target.except.is_empty() && !target.volatile);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The sockets in any of these rooms; all of the namespace if there are none.
    pub rooms: Vec<String>,
    /// But not those in any of these.
    pub except: Vec<String>,
    /// Whether a socket that is not ready may miss it.
    pub volatile: bool,
    /// How long acknowledgements are waited for.
    pub timeout: Option<Duration>,
}

/// An event and its arguments.
///
/// ```
/// use node_cluster::{Event, Malformed, Value};
///
/// let event = Event::new("news", vec![Value::Int(1)])?;
/// assert_eq!((event.name(), event.args()), ("news", &[Value::Int(1)][..]));
/// assert_eq!(Event::new("disconnect", vec![]), Err(Malformed::ReservedEvent));
/// # Ok::<(), Malformed>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    name: String,
    args: Vec<Value>,
}

impl Event {
    /// An event with its arguments.
    ///
    /// See [`Event`] for an example.
    ///
    /// # Errors
    /// [`Malformed::ReservedEvent`] for a name that only the library itself may send.
    pub fn new(name: impl Into<String>, args: Vec<Value>) -> Result<Self, Malformed> {
        let name = name.into();
        if RESERVED.contains(&name.as_str()) {
            return Err(Malformed::ReservedEvent);
        }
        Ok(Self { name, args })
    }

    /// Its name.
    ///
    /// See [`Event`] for an example.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its arguments.
    ///
    /// See [`Event`] for an example.
    pub fn args(&self) -> &[Value] {
        &self.args
    }

    /// Its arguments, for their new owner.
    ///
    /// ```
    /// use node_cluster::{Event, Value};
    ///
    /// assert_eq!(Event::new("a", vec![Value::Null])?.into_args(), [Value::Null]);
    /// # Ok::<(), node_cluster::Malformed>(())
    /// ```
    pub fn into_args(self) -> Vec<Value> {
        self.args
    }

    /// `[name, …args]`, as it stands in a message.
    pub(super) fn read(value: Option<&Value>, limits: &Limits) -> Result<Self, Malformed> {
        let Some(Value::Array(items)) = value else {
            return Err(Malformed::UnknownShape);
        };
        let (name, args) = items.split_first().ok_or(Malformed::UnknownShape)?;
        let name = name.room_name().ok_or(Malformed::UnknownShape)?;
        if name.len() > limits.name {
            return Err(Malformed::NameTooLong);
        }
        Self::new(name, args.to_vec())
    }

    pub(super) fn write(&self) -> Value {
        let name = std::iter::once(Value::Str(self.name.clone()));
        Value::Array(name.chain(self.args.iter().cloned()).collect())
    }
}

impl Target {
    /// `{rooms, except, flags}`; each may be missing.
    pub(super) fn read(value: &Value, limits: &Limits) -> Result<Self, Malformed> {
        if !matches!(value, Value::Map(_)) {
            return Err(Malformed::UnknownShape);
        }
        let flag = |name| value.field("flags").and_then(|flags| flags.field(name));
        let timeout = flag("timeout").and_then(Value::as_int).and_then(|ms| u64::try_from(ms).ok());
        Ok(Self {
            rooms: names(value.field("rooms"), limits)?,
            except: names(value.field("except"), limits)?,
            volatile: matches!(flag("volatile"), Some(Value::Bool(true))),
            timeout: timeout.map(Duration::from_millis),
        })
    }

    pub(super) fn write(&self, with_flags: bool) -> Value {
        let mut fields = vec![
            ("rooms".into(), write_names_of_either(&self.rooms)),
            ("except".into(), write_names_of_either(&self.except)),
        ];
        if with_flags {
            let mut flags = Vec::new();
            if self.volatile {
                flags.push(("volatile".into(), Value::Bool(true)));
            }
            if let Some(timeout) = self.timeout {
                let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                flags.push(("timeout".into(), Value::from_unsigned(millis)));
            }
            fields.push(("flags".into(), Value::Map(flags)));
        }
        Value::Map(fields)
    }
}

/// A list of rooms, which may be missing. A number names a room as its text does.
pub(super) fn names(value: Option<&Value>, limits: &Limits) -> Result<Vec<String>, Malformed> {
    let items = match value {
        None => return Ok(Vec::new()),
        Some(value) if value.is_nullish() => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(Malformed::UnknownShape),
    };
    // Twice as many, for those that name each room as text and as a number.
    if items.len() > limits.rooms.saturating_mul(2) {
        return Err(Malformed::TooManyRooms);
    }
    let mut names: Vec<String> =
        items.iter().map(|item| name(Some(item), limits)).collect::<Result<_, _>>()?;
    names.dedup();
    if names.len() > limits.rooms { Err(Malformed::TooManyRooms) } else { Ok(names) }
}

pub(super) fn write_names(names: &[String]) -> Value {
    Value::Array(names.iter().cloned().map(Value::Str).collect())
}

/// The same where sockets are meant that are in these rooms: to Node the rooms `7` and `"7"` are two, and its
/// sockets may be in either.
pub(super) fn write_names_of_either(names: &[String]) -> Value {
    let either = names
        .iter()
        .flat_map(|name| [Some(Value::Str(name.clone())), number(name)].into_iter().flatten());
    Value::Array(either.collect())
}

/// The whole number that JavaScript writes like this.
fn number(name: &str) -> Option<Value> {
    let number: i64 = name.parse().ok()?;
    match from_signed(number) {
        Value::Int(_) if number.to_string() == name => Some(Value::Int(number)),
        _ => None,
    }
}

/// A name that has to be there.
pub(super) fn name(value: Option<&Value>, limits: &Limits) -> Result<String, Malformed> {
    let name = value.and_then(Value::room_name).ok_or(Malformed::UnknownShape)?;
    if name.len() > limits.name { Err(Malformed::NameTooLong) } else { Ok(name) }
}

/// A name that may be missing.
pub(super) fn optional_name(
    value: Option<&Value>,
    limits: &Limits,
) -> Result<Option<String>, Malformed> {
    match value {
        Some(there) if !there.is_nullish() => name(value, limits).map(Some),
        _ => Ok(None),
    }
}

/// A message is JSON if it starts with a brace, else msgpack: that is what Node's adapter asks, too.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Value, Malformed> {
    if bytes.first() == Some(&b'{') {
        Value::from_json(bytes, limits)
    } else {
        Value::from_msgpack(bytes, limits)
    }
}
