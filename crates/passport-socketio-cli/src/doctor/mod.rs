//! `passport-socketio doctor`: why is this cookie let in, or not?
//!
//! The library's own pipeline makes the checks and records what it sees. What is added here is only
//! what usually causes such a thing ([`hints`]), after a look around where that helps
//! ([`look_around`]).

mod case;
mod hints;
mod lazy_store;
mod look_around;
mod report;
mod request;
mod server;

use std::convert::Infallible;
use std::process::ExitCode;

use passport_socketio::Decision;
use passport_socketio::authorizer::Explanation;
use serde_json::Value;

use crate::Failed;
use crate::args::DoctorArgs;
use case::Case;
use lazy_store::LazyStore;
use server::OriginSettings;

/// The exit status for "could not tell".
pub(crate) const COULD_NOT_TELL: u8 = 2;

/// Examines one request. The exit status is the answer.
pub(crate) async fn run(args: &DoctorArgs) -> Result<ExitCode, Failed> {
    let case = Case::from_args(args)?;
    let kind = args.sessions.kind;
    let in_store = args.store.is_some() || !kind.may_be_without_store();
    let store = LazyStore::new(args.store.clone(), kind.prefix());
    let auth = args
        .sessions
        .authorizer::<Value>(&args.sessions.secrets, in_store)?
        .store(store)
        // The app's own deserializer can't be asked from here: whoever is logged in is somebody.
        .deserialize_user(async |key: Value| Ok::<_, Infallible>(Some(key)));
    let auth = OriginSettings::of(args).apply(auth).path(&args.path).build()?;
    let explanation = auth.explain(&case.request).await;
    let hints = hints::of(&case, &explanation).await;
    if args.json {
        report::json(&explanation, &hints)?;
    } else {
        report::text(&explanation, &hints)?;
    }
    Ok(exit_code(&explanation))
}

fn exit_code(explanation: &Explanation<Value>) -> ExitCode {
    match explanation.outcome {
        Ok(Decision::Granted(_)) => ExitCode::SUCCESS,
        Ok(Decision::Denied(_)) => ExitCode::FAILURE,
        Err(_) => COULD_NOT_TELL.into(),
    }
}
