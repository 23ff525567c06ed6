//! `--emitter`: what an Express app publishes reaches the clients here.

#[cfg(feature = "redis")]
mod heard {
    use std::sync::Arc;

    use passport_socketio::Authorizer;
    use passport_socketio::node::NodeHooks;
    use passport_socketio::node_cluster::{Listener, Redis};
    use socketioxide::SocketIo;
    use socketioxide::adapter::Adapter;

    use super::super::prefix;
    use super::super::user::DemoUser;
    use crate::Failed;
    use crate::args::DemoArgs;

    /// Refuses what could not work, before anything is opened.
    pub(crate) fn check(args: &DemoArgs) -> Result<(), Failed> {
        let Some(url) = &args.emitter else { return Ok(()) };
        let redis = Redis::from_url(url).map_err(|error| format!("--emitter: {error}"))?;
        if args.redis_adapter.is_some() && redis.key() == prefix(args) {
            return Err("--emitter and --redis-adapter speak different protocols on channels of the same names: give --cluster-name another name than the emitter's key".into());
        }
        Ok(())
    }

    /// Returns when what is published is heard.
    pub(crate) async fn listen<A: Adapter>(
        args: &DemoArgs,
        io: &SocketIo<A>,
        auth: &Authorizer<DemoUser>,
    ) -> Result<Option<Listener>, Failed> {
        let Some(url) = &args.emitter else { return Ok(None) };
        let hooks = NodeHooks::new();
        hooks.serve(io, auth);
        let listener = Listener::builder(Redis::from_url(url)?).hooks(Arc::new(hooks)).start(io);
        Ok(Some(listener.await.map_err(|error| format!("--emitter: {error}"))?))
    }
}

#[cfg(not(feature = "redis"))]
mod heard {
    use passport_socketio::Authorizer;
    use socketioxide::SocketIo;

    use super::super::user::DemoUser;
    use crate::Failed;
    use crate::args::DemoArgs;

    pub(crate) fn check(args: &DemoArgs) -> Result<(), Failed> {
        match args.emitter {
            Some(_) => {
                Err("this build has no --emitter: it was built without the feature `redis`".into())
            }
            None => Ok(()),
        }
    }

    #[expect(clippy::unused_async, reason = "as with the feature")]
    pub(crate) async fn listen<A>(
        _: &DemoArgs,
        _: &SocketIo<A>,
        _: &Authorizer<DemoUser>,
    ) -> Result<(), Failed>
    where
        A: socketioxide::adapter::Adapter,
    {
        Ok(())
    }
}

pub(super) use heard::{check, listen};
