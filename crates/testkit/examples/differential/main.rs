//! What our code makes of the cases of the differential harness (`interop/differential`): one case a
//! line on stdin, one answer a line on stdout. Node's answers to the same cases come from the real npm
//! packages, and the harness compares.

mod answer;
mod cookie_session;
mod express;
mod fastify;
mod fastify_secure;
mod keygrip;
mod koa;
mod koa_generic;
mod request;

use std::error::Error;
use std::io::{self, BufRead, Write as _};

use answer::Answer;
use serde::Deserialize;

/// One kind of session each.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Case {
    Express(express::Case),
    CookieSession(cookie_session::Case),
    Koa(koa::Case),
    KoaGeneric(koa_generic::Case),
    Fastify(fastify::Case),
    FastifySecure(fastify_secure::Case),
}

impl Case {
    fn answer(&self) -> Answer {
        match self {
            Self::Express(case) => case.answer(),
            Self::CookieSession(case) => case.answer(),
            Self::Koa(case) => case.answer(),
            Self::KoaGeneric(case) => case.answer(),
            Self::Fastify(case) => case.answer(),
            Self::FastifySecure(case) => case.answer(),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut input = io::BufReader::with_capacity(64 * 1024, io::stdin().lock());
    let mut output = io::BufWriter::new(io::stdout().lock());
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        let case: Case = serde_json::from_str(&line)?;
        serde_json::to_writer(&mut output, &case.answer())?;
        output.write_all(b"\n")?;
        line.clear();
        // The harness waits for the answers to all that it has sent.
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
    }
    Ok(())
}
