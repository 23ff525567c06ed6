//! Text for logs: nothing in it can break out of its line, or out of its bounds.

use std::borrow::Cow;
use std::error::Error;

/// Enough for any reason, and too little to flood a log with.
const LONGEST: usize = 512;

/// Escapes what can't be seen, such as line ends, terminals' codes and marks that turn the writing
/// direction, and cuts what is too long.
pub(super) fn safe(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && !text.chars().any(is_hidden) {
        return text.into();
    }
    let mut safe = String::new();
    for (n, char) in text.chars().enumerate() {
        if n == LONGEST {
            safe.push('…');
            break;
        }
        if is_hidden(char) {
            safe.extend(char.escape_debug());
        } else {
            safe.push(char);
        }
    }
    safe.into()
}

fn is_hidden(char: char) -> bool {
    !matches!(char, '"' | '\'' | '\\') && char.escape_debug().next() == Some('\\')
}

/// An error with all that caused it.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        chain.push_str(": ");
        chain.push_str(&cause.to_string());
        source = cause.source();
    }
    safe(&chain).into_owned()
}
