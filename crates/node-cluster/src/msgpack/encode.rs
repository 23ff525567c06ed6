//! A value to bytes, as notepack.io 3 writes it.

use std::convert::Infallible;

use rmp::encode::{self, ByteBuf, ValueWriteError};

use crate::Value;

pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut out = ByteBuf::new();
    // Writing to memory does not fail: the error has no values.
    let _ = write(&mut out, value);
    out.into_vec()
}

type Written = Result<(), ValueWriteError<Infallible>>;

/// Lengths beyond 32 bits cannot be written, and cannot come here: what is published is limited.
fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn write(out: &mut ByteBuf, value: &Value) -> Written {
    match value {
        Value::Undefined | Value::Null | Value::Date(None) => {
            encode::write_nil(out).map_err(ValueWriteError::InvalidMarkerWrite)?;
        }
        Value::Bool(yes) => {
            encode::write_bool(out, *yes).map_err(ValueWriteError::InvalidMarkerWrite)?;
        }
        Value::Int(number) => {
            encode::write_sint(out, *number)?;
        }
        Value::Float(number) => encode::write_f64(out, *number)?,
        Value::Str(text) => encode::write_str(out, text)?,
        Value::Bytes(bytes) => encode::write_bin(out, bytes)?,
        Value::Array(items) => {
            encode::write_array_len(out, length(items.len()))?;
            for item in items {
                write(out, item)?;
            }
        }
        Value::Map(entries) => {
            let there = || entries.iter().filter(|(_, value)| *value != Value::Undefined);
            encode::write_map_len(out, length(there().count()))?;
            for (key, value) in there() {
                encode::write_str(out, key)?;
                write(out, value)?;
            }
        }
        Value::Date(Some(millis)) => write_date(out, *millis)?,
    }
    Ok(())
}

/// msgpack's timestamp, in the shortest of its three forms.
fn write_date(out: &mut ByteBuf, millis: i64) -> Written {
    let (seconds, nanos) = (millis.div_euclid(1000), millis.rem_euclid(1000) * 1_000_000);
    let nanos = u32::try_from(nanos).unwrap_or_default();
    match (u32::try_from(seconds), u64::try_from(seconds)) {
        (Ok(seconds), _) if nanos == 0 => {
            encode::write_ext_meta(out, 4, -1)?;
            out.as_mut_vec().extend(seconds.to_be_bytes());
        }
        (_, Ok(seconds)) if seconds < 1 << 34 => {
            encode::write_ext_meta(out, 8, -1)?;
            out.as_mut_vec().extend((u64::from(nanos) << 34 | seconds).to_be_bytes());
        }
        _ => {
            encode::write_ext_meta(out, 12, -1)?;
            out.as_mut_vec().extend(nanos.to_be_bytes());
            out.as_mut_vec().extend(seconds.to_be_bytes());
        }
    }
    Ok(())
}
