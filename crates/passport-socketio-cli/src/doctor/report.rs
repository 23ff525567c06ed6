//! What the doctor says: for people, or as JSON.

use std::io::{self, IsTerminal as _, Write};

use passport_socketio::authorizer::{Explanation, Step};
use passport_socketio::{AuthorizeError, Decision, Failure};
use serde_json::{Value, json};

use super::hints::Hint;

/// Steps, answer, hints. In colour on a terminal.
pub(super) fn text(explanation: &Explanation<Value>, hints: &[Hint]) -> io::Result<()> {
    let stdout = io::stdout();
    let colours = Colours(stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none());
    let mut out = stdout.lock();
    for step in &explanation.steps {
        write_step(&mut out, step, colours)?;
    }
    writeln!(out)?;
    match Answer::of(&explanation.outcome) {
        Answer { outcome: "granted", .. } => {
            let user = granted_key(&explanation.outcome).unwrap_or_default();
            let what = colours.paint(GREEN, "granted");
            writeln!(out, "{what}: the user key is {user}")?;
            writeln!(out, "(Your own deserializer and `success` hook are not asked here.)")?;
        }
        answer => {
            let what = colours.paint(RED, &format!("{}: {}", answer.outcome, answer.code));
            writeln!(
                out,
                "{what} (the client reads \"{}\")",
                answer.client_message.unwrap_or_default()
            )?;
        }
    }
    if !hints.is_empty() {
        writeln!(out, "\n{}", colours.paint(BOLD, "What usually causes this, and what to do"))?;
        for hint in hints {
            writeln!(out, "  - {}", hint.cause)?;
            writeln!(out, "    {}", hint.fix)?;
        }
    }
    Ok(())
}

fn write_step(out: &mut impl Write, step: &Step, colours: Colours) -> io::Result<()> {
    let mark = if step.passed { colours.paint(GREEN, "✓") } else { colours.paint(RED, "✗") };
    let line = format!("{:>2} {mark} {:<28}{}", step.check.number(), step.check.title(), step.saw);
    writeln!(out, "{}", line.trim_end())
}

/// One document.
pub(super) fn json(explanation: &Explanation<Value>, hints: &[Hint]) -> io::Result<()> {
    let answer = Answer::of(&explanation.outcome);
    let steps: Vec<_> = explanation
        .steps
        .iter()
        .map(|step| {
            json!({
                "number": step.check.number(),
                "check": step.check.title(),
                "passed": step.passed,
                "saw": step.saw,
            })
        })
        .collect();
    let document = json!({
        "outcome": answer.outcome,
        "code": answer.code,
        "client_message": answer.client_message,
        "user_key": granted_key(&explanation.outcome),
        "steps": steps,
        "hints": hints,
    });
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &document)?;
    writeln!(out)
}

struct Answer {
    outcome: &'static str,
    code: &'static str,
    client_message: Option<String>,
}

impl Answer {
    fn of(outcome: &Result<Decision<Value>, AuthorizeError>) -> Self {
        let (outcome, failure) = match outcome {
            Ok(Decision::Granted(_)) => {
                return Self { outcome: "granted", code: "granted", client_message: None };
            }
            Ok(Decision::Denied(denial)) => ("denied", Failure::from(denial.clone())),
            Err(error) => ("could not tell", Failure::from(error.clone())),
        };
        Self {
            outcome,
            code: failure.code(),
            client_message: Some(failure.client_message().into_owned()),
        }
    }
}

fn granted_key(outcome: &Result<Decision<Value>, AuthorizeError>) -> Option<Value> {
    match outcome {
        Ok(Decision::Granted(identity)) => Some(identity.user().clone()),
        _ => None,
    }
}

const RED: &str = "31";
const GREEN: &str = "32";
const BOLD: &str = "1";

#[derive(Clone, Copy)]
struct Colours(bool);

impl Colours {
    fn paint(self, colour: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
