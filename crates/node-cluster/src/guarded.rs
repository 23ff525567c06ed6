//! The app's hooks, without their panics: one would end the task that hears the cluster, or hands on what
//! waits for a socket. What a hook cannot say any more is a no.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::{Description, Hooks, Name, ServerEvent, SocketAddress};

pub(crate) struct Guarded(pub(crate) Arc<dyn Hooks>);

impl Guarded {
    fn call<T>(&self, or: T, call: impl FnOnce(&dyn Hooks) -> T) -> T {
        catch_unwind(AssertUnwindSafe(|| call(&*self.0))).unwrap_or_else(|_| {
            tracing::error!("a hook of the app panicked");
            or
        })
    }
}

impl Hooks for Guarded {
    fn may_receive(&self, socket: SocketAddress<'_>) -> bool {
        self.call(false, |hooks| hooks.may_receive(socket))
    }

    fn may_join(&self, socket: SocketAddress<'_>, room: &str) -> bool {
        self.call(false, |hooks| hooks.may_join(socket, room))
    }

    fn name(&self, namespace: &str, name: &str) -> Name {
        self.call(Name::Refused, |hooks| hooks.name(namespace, name))
    }

    fn public_name<'a>(&self, namespace: &str, room: &'a str) -> Option<Cow<'a, str>> {
        self.call(None, |hooks| hooks.public_name(namespace, room))
    }

    fn describe(&self, socket: SocketAddress<'_>) -> Description {
        self.call(Description::default(), |hooks| hooks.describe(socket))
    }

    fn disconnect(&self, socket: SocketAddress<'_>, close: bool) -> bool {
        self.call(false, |hooks| hooks.disconnect(socket, close))
    }

    fn close_connection(&self, socket: SocketAddress<'_>) -> bool {
        self.call(false, |hooks| hooks.close_connection(socket))
    }

    fn server_event(&self, event: ServerEvent<'_>) {
        self.call((), |hooks| hooks.server_event(event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Event;

    struct Panics;

    impl Hooks for Panics {
        fn may_receive(&self, _: SocketAddress<'_>) -> bool {
            panic!()
        }

        fn may_join(&self, _: SocketAddress<'_>, _: &str) -> bool {
            panic!()
        }

        fn name(&self, _: &str, _: &str) -> Name {
            panic!()
        }

        fn public_name<'a>(&self, _: &str, _: &'a str) -> Option<Cow<'a, str>> {
            panic!()
        }

        fn describe(&self, _: SocketAddress<'_>) -> Description {
            panic!()
        }

        fn disconnect(&self, _: SocketAddress<'_>, _: bool) -> bool {
            panic!()
        }

        fn close_connection(&self, _: SocketAddress<'_>) -> bool {
            panic!()
        }

        fn server_event(&self, _: ServerEvent<'_>) {
            panic!()
        }
    }

    #[test]
    fn a_hook_that_panics_says_no() {
        let hooks = Guarded(Arc::new(Panics));
        let socket = SocketAddress { namespace: "/", id: "a" };
        assert!(!hooks.may_receive(socket));
        assert!(!hooks.may_join(socket, "a"));
        assert_eq!(hooks.name("/", "a"), Name::Refused);
        assert_eq!(hooks.public_name("/", "a"), None);
        assert_eq!(hooks.describe(socket), Description::default());
        assert!(!hooks.disconnect(socket, true));
        assert!(!hooks.close_connection(socket));
        let event = Event::new("e", vec![]).unwrap();
        hooks.server_event(ServerEvent {
            namespace: "/",
            sender: None,
            event: &event,
            answer: None,
        });
    }
}
