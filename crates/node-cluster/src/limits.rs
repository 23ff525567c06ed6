//! How large a message may be.

/// How large a message from the cluster may be. What is larger is dropped, and counted.
///
/// ```
/// use node_cluster::Limits;
///
/// let limits = Limits::default().max_message(64 * 1024);
/// assert_eq!(limits, Limits::default().max_message(65_536));
/// ```
///
/// # Security
/// Who may publish on the Redis may reach every socket. The limits do not keep such a publisher
/// out: they keep one message from taking all memory, or the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) message: usize,
    pub(crate) values: usize,
    pub(crate) depth: usize,
    pub(crate) rooms: usize,
    pub(crate) name: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: 4 * 1024 * 1024, values: 250_000, depth: 64, rooms: 1_000, name: 512 }
    }
}

impl Limits {
    /// For answers that were asked for: a server with many sockets has much to tell.
    pub(crate) fn of_answers(self) -> Self {
        let (message, values) = (self.message.saturating_mul(16), self.values.saturating_mul(16));
        Self { message, values, ..self }
    }

    /// The bytes of one message. 4 MiB unless set: what clients get is as large. The answer to a
    /// question of this server may have 16 times as much, and 16 times as many values.
    ///
    /// See [`Limits`] for an example.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.message = bytes;
        self
    }

    /// The values in one message: each number, text, array and key counts. 250,000 unless set, since
    /// a value of one byte takes about forty in memory.
    ///
    /// ```
    /// use node_cluster::{Limits, Malformed, Value};
    ///
    /// let limits = Limits::default().max_values(2);
    /// assert_eq!(Value::from_msgpack(&[0x92, 1, 2], &limits), Err(Malformed::TooManyValues));
    /// ```
    pub fn max_values(mut self, values: usize) -> Self {
        self.values = values;
        self
    }

    /// How deep arrays and objects may be nested. 64 unless set, and never more than 100.
    ///
    /// ```
    /// use node_cluster::{Limits, Malformed, Value};
    ///
    /// let limits = Limits::default().max_depth(1);
    /// assert!(Value::from_msgpack(&[0x91, 1], &limits).is_ok());
    /// assert_eq!(Value::from_msgpack(&[0x91, 0x90], &limits), Err(Malformed::TooDeep));
    /// ```
    pub fn max_depth(mut self, depth: usize) -> Self {
        self.depth = depth.min(100);
        self
    }

    /// How many rooms one message may name, and as many exceptions. 1,000 unless set.
    ///
    /// ```
    /// use node_cluster::Limits;
    ///
    /// assert_ne!(Limits::default().max_rooms(5), Limits::default());
    /// ```
    pub fn max_rooms(mut self, rooms: usize) -> Self {
        self.rooms = rooms;
        self
    }

    /// The bytes of a name: of a room, an event, a namespace, an id. 512 unless set.
    ///
    /// ```
    /// use node_cluster::Limits;
    ///
    /// assert_ne!(Limits::default().max_name(64), Limits::default());
    /// ```
    pub fn max_name(mut self, bytes: usize) -> Self {
        self.name = bytes;
        self
    }
}
