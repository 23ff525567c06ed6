//! `GET` and `PTTL`: a session and what is left of its life.
//!
//! Many are loaded in one round trip. In a cluster each node is asked for those that it has, all
//! nodes at once; where slots are on their way from one node to another, one by one.

use std::time::Duration;

use ::redis::cluster_async::ClusterConnection;
use ::redis::cluster_routing::{Route, SingleNodeRoutingInfo, SlotAddr};
use ::redis::{Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use futures_util::future::{try_join, try_join_all};

use super::super::{Life, StoredSession};
use super::address::Connection;
use super::slots::Group;

/// How many are asked for at once where each goes its own way.
const AT_ONCE: usize = 64;

type Loaded = Option<StoredSession>;

pub(super) async fn load(connection: Connection, key: &str) -> Result<Loaded, RedisError> {
    match connection {
        Connection::Server { to: mut server, .. } => {
            let (payload, ttl) =
                ::redis::pipe().get(key).pttl(key).query_async(&mut server).await?;
            Ok(session(payload, ttl))
        }
        Connection::Cluster(cluster) => load_alone(cluster.connection, key).await,
    }
}

pub(super) async fn load_many(
    connection: Connection,
    keys: &[String],
) -> Result<Vec<Loaded>, RedisError> {
    let cluster = match connection {
        Connection::Server { to: mut server, .. } => {
            let answers: Vec<Value> = questions(keys).query_async(&mut server).await?;
            return sessions(&answers);
        }
        Connection::Cluster(cluster) => cluster,
    };
    let slots = cluster.slots().await?;
    let groups = slots.groups(keys);
    let loading = groups.iter().map(|group| async {
        match load_group(cluster.connection.clone(), keys, group).await {
            Err(error) if is_on_its_way(&error) => {
                cluster.forget_slots();
                load_each(cluster.connection.clone(), keys, group).await
            }
            answer => answer,
        }
    });
    let loaded = try_join_all(loading).await?;
    let mut sessions = vec![None; keys.len()];
    let places = groups.into_iter().flat_map(|group| group.places);
    for (place, session) in places.zip(loaded.into_iter().flatten()) {
        if let Some(found) = sessions.get_mut(place) {
            *found = session;
        }
    }
    Ok(sessions)
}

/// From the node that has all of them.
async fn load_group(
    mut cluster: ClusterConnection,
    keys: &[String],
    group: &Group,
) -> Result<Vec<Loaded>, RedisError> {
    let keys: Vec<_> = group.keys(keys).collect();
    let route = Route::new(group.slot, SlotAddr::Master);
    let answers = cluster
        .route_pipeline(
            questions(&keys),
            0,
            2 * keys.len(),
            SingleNodeRoutingInfo::SpecificNode(route),
        )
        .await?;
    sessions(&answers)
}

async fn load_each(
    cluster: ClusterConnection,
    keys: &[String],
    group: &Group,
) -> Result<Vec<Loaded>, RedisError> {
    let (keys, mut loaded) = (group.keys(keys).collect::<Vec<_>>(), Vec::new());
    for some in keys.chunks(AT_ONCE) {
        let loading = some.iter().map(|key| load_alone(cluster.clone(), key));
        loaded.extend(try_join_all(loading).await?);
    }
    Ok(loaded)
}

/// By single commands: while a slot is on its way, only those are sent after it.
async fn load_alone(mut cluster: ClusterConnection, key: &str) -> Result<Loaded, RedisError> {
    let mut too = cluster.clone();
    let (get, pttl) = (Cmd::get(key), Cmd::pttl(key));
    let (payload, ttl) =
        try_join(get.query_async(&mut cluster), pttl.query_async(&mut too)).await?;
    Ok(session(payload, ttl))
}

fn is_on_its_way(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, ClusterDown, Moved, TryAgain};

    matches!(error.kind(), ErrorKind::Server(Ask | ClusterDown | Moved | TryAgain))
}

fn questions(keys: &[impl AsRef<str>]) -> Pipeline {
    let mut questions = ::redis::pipe();
    for key in keys {
        questions.get(key.as_ref()).pttl(key.as_ref());
    }
    questions
}

/// One flat list of answers, two for each session.
fn sessions(answers: &[Value]) -> Result<Vec<Loaded>, RedisError> {
    let sessions = answers.chunks(2).map(|pair| {
        if let Some(Value::ServerError(error)) = pair.iter().find(|answer| is_error(answer)) {
            return Err(error.clone().into());
        }
        let (payload, ttl) = ::redis::from_redis_value(Value::Array(pair.to_vec()))?;
        Ok(session(payload, ttl))
    });
    sessions.collect()
}

fn is_error(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(_))
}

fn session(payload: Option<Vec<u8>>, ttl: i64) -> Loaded {
    // -1: no expiry; -2: no key, gone between the two commands.
    let life = match ttl {
        -1 => Life::Forever,
        ttl => Life::For(Duration::from_millis(u64::try_from(ttl).ok()?)),
    };
    let payload = payload.filter(|payload| !payload.is_empty())?;
    Some(StoredSession::new(payload, life))
}
