//! The names of channels.

/// The channels of one key.
#[derive(Clone, Debug)]
pub(crate) struct Channels {
    key: String,
}

impl Channels {
    pub(crate) fn new(key: impl Into<String>) -> Self {
        Self { key: key.into() }
    }

    /// What all broadcasts start with, of all namespaces.
    pub(crate) fn all_broadcasts(&self) -> String {
        format!("{}#/", self.key)
    }

    /// What all requests start with, of all namespaces.
    pub(crate) fn all_requests(&self) -> String {
        format!("{}-request#/", self.key)
    }

    /// Broadcasts of a namespace.
    pub(crate) fn broadcast(&self, namespace: &str) -> String {
        format!("{}#{namespace}#", self.key)
    }

    /// Broadcasts to exactly one room.
    pub(crate) fn broadcast_to(&self, namespace: &str, room: &str) -> String {
        format!("{}#{namespace}#{room}#", self.key)
    }

    /// Whether this is a channel of answers.
    pub(crate) fn is_response(&self, channel: &str) -> bool {
        let rest = channel.strip_prefix(&self.key);
        rest.is_some_and(|rest| rest.starts_with("-response#"))
    }

    /// Requests to a namespace.
    pub(crate) fn request(&self, namespace: &str) -> String {
        format!("{}-request#{namespace}#", self.key)
    }

    /// Answers to all.
    pub(crate) fn response(&self, namespace: &str) -> String {
        format!("{}-response#{namespace}#", self.key)
    }

    /// Answers to one server.
    pub(crate) fn response_to(&self, namespace: &str, server: &str) -> String {
        format!("{}-response#{namespace}#{server}#", self.key)
    }

    /// The namespace and the room, if there is exactly one, of a broadcast's channel. Both may hold a
    /// `#`, so the namespace is the shortest one that `is_known`.
    pub(crate) fn read_broadcast<'a>(
        &self,
        channel: &'a str,
        is_known: impl Fn(&str) -> bool,
    ) -> Option<(&'a str, Option<&'a str>)> {
        let rest = channel.strip_prefix(&self.key)?.strip_prefix('#')?;
        rest.match_indices('#').find_map(|(at, _)| {
            let namespace = rest.get(..at).filter(|namespace| is_known(namespace))?;
            let room = rest.get(at + 1..)?;
            Some((namespace, if room.is_empty() { None } else { room.strip_suffix('#') }))
        })
    }

    /// The namespace of a request's channel.
    pub(crate) fn read_request<'a>(&self, channel: &'a str) -> Option<&'a str> {
        channel.strip_prefix(&self.key)?.strip_prefix("-request#")?.strip_suffix('#')
    }
}

#[cfg(test)]
mod tests {
    use super::Channels;

    #[test]
    fn channels_are_those_of_the_packages() {
        let channels = Channels::new("socket.io");
        assert_eq!(channels.broadcast("/"), "socket.io#/#");
        assert_eq!(channels.broadcast_to("/chat", "r#1"), "socket.io#/chat#r#1#");
        assert_eq!(channels.request("/"), "socket.io-request#/#");
        assert_eq!(channels.response("/"), "socket.io-response#/#");
        assert_eq!(channels.response_to("/", "yodURL"), "socket.io-response#/#yodURL#");
    }

    #[test]
    fn a_broadcast_channel_names_its_namespace_and_room() {
        let channels = Channels::new("a#b");
        let read = |channel| {
            channels
                .read_broadcast(channel, |namespace| matches!(namespace, "/" | "/chat" | "/x#y"))
        };
        for (channel, expected) in [
            ("a#b#/#", Some(("/", None))),
            ("a#b#/#room#", Some(("/", Some("room")))),
            ("a#b#/chat#r#1#", Some(("/chat", Some("r#1")))),
            ("a#b#/x#y#", Some(("/x#y", None))),
            ("a#b#/x#y#r#", Some(("/x#y", Some("r")))),
            ("a#b#/#room", Some(("/", None))),
            ("a#b#/other#", None),
            ("a#b#/", None),
            ("a-request#/#", None),
            ("other#/#", None),
        ] {
            assert_eq!(read(channel), expected, "{channel}");
        }
    }

    #[test]
    fn a_request_channel_names_its_namespace() {
        let channels = Channels::new("socket.io");
        assert_eq!(channels.read_request("socket.io-request#/#"), Some("/"));
        assert_eq!(channels.read_request("socket.io-request#/x#y#"), Some("/x#y"));
        assert_eq!(channels.read_request("socket.io-request#/#yodURL"), None);
        assert_eq!(channels.read_request("socket.io#/#"), None);
    }
}
