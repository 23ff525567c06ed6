//! Looks for a sequence after which a rule does not hold, and makes it as small as it can be.
//!
//! A run is known by its seed. It is played the same again but for the order in which the library's hash
//! maps are walked: so what is said to hold is played several times.

use std::env;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::operations::Op;
use crate::play::play;
use crate::random::any_config;
use crate::rules::Violation;
use crate::story::any_story;

/// Operations of one run.
const LENGTH: usize = 80;
/// How often a smaller sequence is played before it is believed that every rule holds.
const TRIES: usize = 3;
/// How often a seed that is given is.
const REPLAYS: u32 = 20;

/// How long is searched.
pub(crate) struct Plan {
    seed: u64,
    /// Only this run.
    only: bool,
    steps: u64,
    time: Duration,
    shows_progress: bool,
}

impl Plan {
    /// `MODEL_SEED`: one run again; `MODEL_STEPS`, `MODEL_SECONDS`: how long, whichever is reached first.
    /// Without them the same 40,000 steps each time, so that a failure is due to the change that is tested.
    pub(crate) fn from_environment() -> Self {
        let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
        let (seed, steps, seconds) =
            (number("MODEL_SEED"), number("MODEL_STEPS"), number("MODEL_SECONDS"));
        let is_long = steps.is_some() || seconds.is_some();
        Self {
            seed: seed.unwrap_or_else(|| if is_long { fastrand::u64(..) } else { 0 }),
            only: seed.is_some(),
            steps: steps.unwrap_or(if is_long { u64::MAX } else { 40_000 }),
            time: Duration::from_secs(seconds.unwrap_or(u64::MAX >> 8)),
            shows_progress: is_long,
        }
    }
}

/// Panics with the smallest sequence that it finds.
pub(crate) fn search(plan: &Plan) {
    let (began, mut said) = (Instant::now(), Instant::now());
    let (mut steps, mut runs) = (0, 0);
    let mut seeds = fastrand::Rng::with_seed(plan.seed);
    while steps < plan.steps && began.elapsed() < plan.time {
        let seed = if plan.only { plan.seed } else { seeds.u64(..) };
        let (config, ops) = sequence(seed);
        if let Err((step, violation)) = play(seed, config, &ops) {
            let (ops, violation) = shrink(seed, config, ops[..step].to_vec(), violation);
            panic!("{}", report(seed, &config, &ops, &violation, steps, began.elapsed()));
        }
        steps += ops.len() as u64;
        runs += 1;
        if plan.only && runs == u64::from(REPLAYS) {
            return;
        }
        if plan.shows_progress && said.elapsed() > Duration::from_secs(10) {
            said = Instant::now();
            eprintln!("{}, and on", so_far(steps, runs, began.elapsed()));
        }
    }
    eprintln!("{}; its seeds came from {}", so_far(steps, runs, began.elapsed()), plan.seed);
}

fn so_far(steps: u64, runs: u64, took: Duration) -> String {
    let pace = u128::from(steps) * 1000 / took.as_millis().max(1);
    format!("{steps} steps in {runs} runs, {pace} a second: every rule holds")
}

fn sequence(seed: u64) -> (Config, Vec<Op>) {
    let mut random = fastrand::Rng::with_seed(seed);
    let config = any_config(&mut random);
    let ops = any_story(&mut random, &config, LENGTH);
    (config, ops)
}

/// Leaves out what can be left out, in ever smaller pieces, while the same rule does not hold.
fn shrink(
    seed: u64,
    config: Config,
    mut ops: Vec<Op>,
    mut violation: Violation,
) -> (Vec<Op>, Violation) {
    let mut piece = ops.len().div_ceil(2);
    loop {
        let (mut at, before) = (0, ops.len());
        while at < ops.len() {
            let mut fewer = ops[..at].to_vec();
            fewer.extend_from_slice(&ops[(at + piece).min(ops.len())..]);
            match fails_alike(seed, config, &fewer, violation.rule) {
                Some((step, found)) => {
                    fewer.truncate(step);
                    (ops, violation) = (fewer, found);
                }
                None => at += piece,
            }
        }
        if piece == 1 && ops.len() == before {
            return (ops, violation);
        }
        piece = piece.div_ceil(2);
    }
}

fn fails_alike(seed: u64, config: Config, ops: &[Op], rule: &str) -> Option<(usize, Violation)> {
    let tries = (0..TRIES).map(|_| play(seed, config, ops));
    tries.filter_map(Result::err).find(|(_, found)| found.rule == rule)
}

fn report(
    seed: u64,
    config: &Config,
    ops: &[Op],
    violation: &Violation,
    steps: u64,
    took: Duration,
) -> String {
    let Violation { rule, at, what } = violation;
    let mut text = format!("the rule `{rule}` does not hold, {at:?} after the start: {what}\n");
    let _ = writeln!(text, "found after {steps} steps, {took:.1?}; {config:?}");
    for op in ops {
        let _ = writeln!(text, "  {op:?}");
    }
    let _ = write!(text, "play it again: scripts/model --seed {seed}");
    text
}
