//! Bytes to a value, within limits: memory is taken for what is there, never for what is announced.

use bytes::Bytes;
use rmp::Marker;

use crate::value::from_signed;
use crate::{Limits, Malformed, Value};

/// notepack.io 2 writes `undefined`, dates and array buffers with this extension type.
const NOTEPACK_2: i8 = 0;
/// msgpack's own extension type of timestamps.
const TIMESTAMP: i8 = -1;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Value, Malformed> {
    if bytes.len() > limits.message {
        return Err(Malformed::TooLarge);
    }
    let mut decoder = Decoder { rest: bytes, values_left: limits.values };
    let value = decoder.value(limits.depth)?;
    if decoder.rest.is_empty() { Ok(value) } else { Err(Malformed::TrailingBytes) }
}

struct Decoder<'a> {
    rest: &'a [u8],
    values_left: usize,
}

impl<'a> Decoder<'a> {
    fn value(&mut self, depth_left: usize) -> Result<Value, Malformed> {
        self.values_left = self.values_left.checked_sub(1).ok_or(Malformed::TooManyValues)?;
        let [marker] = self.array::<1>()?;
        Ok(match Marker::from_u8(marker) {
            Marker::Null => Value::Null,
            Marker::False => Value::Bool(false),
            Marker::True => Value::Bool(true),
            Marker::FixPos(number) => Value::Int(number.into()),
            Marker::FixNeg(number) => Value::Int(number.into()),
            Marker::U8 => Value::Int(u8::from_be_bytes(self.array()?).into()),
            Marker::U16 => Value::Int(u16::from_be_bytes(self.array()?).into()),
            Marker::U32 => Value::Int(u32::from_be_bytes(self.array()?).into()),
            Marker::U64 => Value::from_unsigned(u64::from_be_bytes(self.array()?)),
            Marker::I8 => Value::Int(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Value::Int(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Value::Int(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => from_signed(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Value::Float(f32::from_be_bytes(self.array()?).into()),
            Marker::F64 => Value::Float(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(length) => self.text(length.into())?,
            Marker::Str8 => self.length8().and_then(|length| self.text(length))?,
            Marker::Str16 => self.length16().and_then(|length| self.text(length))?,
            Marker::Str32 => self.length32().and_then(|length| self.text(length))?,
            Marker::Bin8 => self.length8().and_then(|length| self.bytes(length))?,
            Marker::Bin16 => self.length16().and_then(|length| self.bytes(length))?,
            Marker::Bin32 => self.length32().and_then(|length| self.bytes(length))?,
            Marker::FixArray(length) => self.items(length.into(), depth_left)?,
            Marker::Array16 => self.length16().and_then(|length| self.items(length, depth_left))?,
            Marker::Array32 => self.length32().and_then(|length| self.items(length, depth_left))?,
            Marker::FixMap(length) => self.entries(length.into(), depth_left)?,
            Marker::Map16 => self.length16().and_then(|length| self.entries(length, depth_left))?,
            Marker::Map32 => self.length32().and_then(|length| self.entries(length, depth_left))?,
            Marker::FixExt1 => self.extension(1, true)?,
            Marker::FixExt2 => self.extension(2, true)?,
            Marker::FixExt4 => self.extension(4, true)?,
            Marker::FixExt8 => self.extension(8, true)?,
            Marker::FixExt16 => self.extension(16, true)?,
            Marker::Ext8 => self.length8().and_then(|length| self.extension(length, false))?,
            Marker::Ext16 => self.length16().and_then(|length| self.extension(length, false))?,
            Marker::Ext32 => self.length32().and_then(|length| self.extension(length, false))?,
            Marker::Reserved => return Err(Malformed::NotMsgpack),
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn length8(&mut self) -> Result<usize, Malformed> {
        Ok(u8::from_be_bytes(self.array()?).into())
    }

    fn length16(&mut self) -> Result<usize, Malformed> {
        Ok(u16::from_be_bytes(self.array()?).into())
    }

    fn length32(&mut self) -> Result<usize, Malformed> {
        usize::try_from(u32::from_be_bytes(self.array()?)).map_err(|_| Malformed::TooLarge)
    }

    fn text(&mut self, length: usize) -> Result<Value, Malformed> {
        Ok(Value::Str(String::from_utf8_lossy(self.take(length)?).into_owned()))
    }

    fn bytes(&mut self, length: usize) -> Result<Value, Malformed> {
        Ok(Value::Bytes(Bytes::copy_from_slice(self.take(length)?)))
    }

    fn items(&mut self, length: usize, depth_left: usize) -> Result<Value, Malformed> {
        let depth_left = depth_left.checked_sub(1).ok_or(Malformed::TooDeep)?;
        // Each takes a byte at least.
        if length > self.rest.len() {
            return Err(Malformed::Truncated);
        }
        if length > self.values_left {
            return Err(Malformed::TooManyValues);
        }
        (0..length).map(|_| self.value(depth_left)).collect::<Result<_, _>>().map(Value::Array)
    }

    fn entries(&mut self, length: usize, depth_left: usize) -> Result<Value, Malformed> {
        let depth_left = depth_left.checked_sub(1).ok_or(Malformed::TooDeep)?;
        if length > self.rest.len() / 2 {
            return Err(Malformed::Truncated);
        }
        if length > self.values_left / 2 {
            return Err(Malformed::TooManyValues);
        }
        let mut entries = Vec::with_capacity(length);
        for _ in 0..length {
            // As JavaScript, which makes a text of whatever is a key. What is no text and no number
            // was never written by notepack.io.
            let key = self.value(0)?.room_name().ok_or(Malformed::UnknownShape)?;
            entries.push((key, self.value(depth_left)?));
        }
        Ok(Value::Map(entries))
    }

    fn extension(&mut self, length: usize, is_fixed: bool) -> Result<Value, Malformed> {
        let kind = i8::from_be_bytes(self.array()?);
        let content = self.take(length)?;
        Ok(match (kind, content) {
            (NOTEPACK_2, [_]) if is_fixed => Value::Undefined,
            (NOTEPACK_2, content) => match content.try_into() {
                Ok(millis) if is_fixed => Value::Date(Some(i64::from_be_bytes(millis))),
                _ => Value::Bytes(Bytes::copy_from_slice(content)),
            },
            (TIMESTAMP, content) => Value::Date(timestamp(content)?),
            (kind, content) => Value::Array(vec![
                Value::Int(kind.into()),
                Value::Bytes(Bytes::copy_from_slice(content)),
            ]),
        })
    }
}

/// The milliseconds of msgpack's three forms; `None` beyond what 64 bits hold.
fn timestamp(content: &[u8]) -> Result<Option<i64>, Malformed> {
    let four = |content: [u8; 4]| i64::from(u32::from_be_bytes(content));
    let (seconds, nanos) = match (content.len(), content.split_first_chunk()) {
        (4, Some((seconds, _))) => (four(*seconds), 0),
        // 30 bits of nanoseconds, 34 of seconds.
        (8, Some((high, low))) => {
            let low = low.try_into().map(four).map_err(|_| Malformed::NotMsgpack)?;
            ((four(*high) & 3) << 32 | low, four(*high) >> 2)
        }
        (12, Some((nanos, seconds))) => {
            let seconds = seconds.try_into().map_err(|_| Malformed::NotMsgpack)?;
            (i64::from_be_bytes(seconds), four(*nanos))
        }
        _ => return Err(Malformed::NotMsgpack),
    };
    Ok(seconds.checked_mul(1000).and_then(|millis| millis.checked_add(nanos / 1_000_000)))
}
