//! Which node of a cluster has which keys.

use std::collections::{HashMap, HashSet};

use ::redis::Value;

/// The slots of a cluster's nodes, as `CLUSTER SLOTS` answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slots(Vec<Range>);

#[derive(Debug, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
    /// Its master.
    node: Node,
}

/// The address of a node: host and port.
pub(super) type Node = (Vec<u8>, u16);

/// Keys that one node has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// One of their slots: it leads to the node.
    pub(super) slot: u16,
    /// Their places in the list of all.
    pub(super) places: Vec<usize>,
}

impl Group {
    pub(super) fn keys<'a>(&self, all: &'a [String]) -> impl Iterator<Item = &'a String> {
        self.places.iter().filter_map(|place| all.get(*place))
    }
}

impl Slots {
    pub(super) fn read(answer: &Value) -> Option<Self> {
        let Value::Array(ranges) = answer else {
            return None;
        };
        let mut ranges: Vec<_> = ranges.iter().map(Range::read).collect::<Option<_>>()?;
        ranges.sort_by_key(|range| range.first);
        Some(Self(ranges))
    }

    /// The nodes that have any.
    pub(super) fn masters(&self) -> HashSet<Node> {
        self.0.iter().map(|range| range.node.clone()).collect()
    }

    /// The keys of each node. Those of a slot that nobody has are together, too: asking for them
    /// will say what is wrong.
    pub(super) fn groups(&self, keys: &[String]) -> Vec<Group> {
        let mut groups: HashMap<_, Group> = HashMap::new();
        for (place, key) in keys.iter().enumerate() {
            let slot = slot(key.as_bytes());
            let node = self.0.iter().find(|range| (range.first..=range.last).contains(&slot));
            groups
                .entry(node.map(|range| &range.node))
                .or_insert_with(|| Group { slot, places: Vec::new() })
                .places
                .push(place);
        }
        groups.into_values().collect()
    }
}

impl Range {
    /// `[first, last, [address, port, …], …]`: the master comes first.
    fn read(answer: &Value) -> Option<Self> {
        let Value::Array(parts) = answer else {
            return None;
        };
        let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = parts.as_slice()
        else {
            return None;
        };
        let [Value::BulkString(address), Value::Int(port), ..] = master.as_slice() else {
            return None;
        };
        let number = |number: &i64| u16::try_from(*number).ok();
        let node = (address.clone(), number(port)?);
        Some(Self { first: number(first)?, last: number(last)?, node })
    }
}

/// CRC16 (XMODEM) of the key, or of what is in its first braces if that is anything.
fn slot(key: &[u8]) -> u16 {
    let mut parts = key.splitn(2, |byte| *byte == b'{');
    let tag = match (parts.next(), parts.next()) {
        (Some(_), Some(rest)) => {
            rest.iter().position(|byte| *byte == b'}').and_then(|end| rest.get(..end))
        }
        _ => None,
    };
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    let crc = hashed.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    crc % 16384
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `CLUSTER KEYSLOT` of Redis 7.0.15 answers.
    #[test]
    fn a_key_has_the_same_slot_as_in_redis() {
        for (key, expected) in [
            ("foo", 12182),
            ("123456789", 12739),
            ("", 0),
            ("sess:{user1}:a", 8106),
            ("{user1}", 8106),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
            ("foo{bar", 15278),
        ] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }

    #[test]
    fn the_keys_of_a_node_are_grouped_across_slots() {
        let range = |first, last, port| {
            let master = vec![Value::BulkString(b"10.0.0.1".to_vec()), Value::Int(port)];
            Value::Array(vec![Value::Int(first), Value::Int(last), Value::Array(master)])
        };
        let slots =
            Value::Array(vec![range(0, 99, 1), range(100, 12181, 2), range(12182, 16000, 1)]);
        let slots = Slots::read(&slots).unwrap();
        // 12182, 0, 8106
        let keys = ["foo", "", "{user1}"].map(String::from);
        let mut groups = slots.groups(&keys);
        groups.sort_by_key(|group| group.places.clone());
        let group = |slot, places| Group { slot, places };
        assert_eq!(groups, [group(12182, vec![0, 1]), group(8106, vec![2])]);
        assert!(Slots::read(&Value::Nil).is_none());
    }
}
