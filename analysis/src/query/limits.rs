//! Limits that are checked on the text before the parser sees it.
//!
//! The parser works on a stack of its own, but its trees are cloned, compared, printed and
//! dropped by recursion: a deep tree overflows the thread's stack, which aborts the process and
//! which nothing catches. It panics on durations out of range, and compiles every regular
//! expression at once. So an upper bound of what a text can make it do is found first, by one
//! pass over the characters without recursion.

use super::error::QueryError;
use super::scan::Scan;

/// Most bytes of a query that is parsed.
pub(super) const TEXT_BYTES: usize = 16 * 1024;

/// Most bytes of a query that is sent, with the matchers added to all of its selectors.
pub(super) const WRITTEN_BYTES: usize = 64 * 1024;

/// Most levels of a query's syntax tree. The worst tree of this depth needs a small part of a
/// stack of 2 MiB, the default of threads, also where nothing is optimised.
pub(super) const DEPTH: usize = 100;

/// Checks the length, the depth, the durations and the regular expressions of a user's text.
pub(super) fn check_text(promql: &str) -> Result<(), QueryError> {
    if promql.len() > TEXT_BYTES {
        return Err(QueryError::TooLong {
            bytes: promql.len(),
            limit: TEXT_BYTES,
        });
    }
    let scan = Scan::of(promql)?;
    if scan.depth > DEPTH {
        return Err(QueryError::TooDeep {
            depth: scan.depth,
            limit: DEPTH,
        });
    }
    Ok(())
}

/// Checks the length and the regular expressions of a text that was written with the matchers
/// added: each selector may have brought its own copy of a costly pattern.
pub(super) fn check_written(promql: &str) -> Result<(), QueryError> {
    if promql.len() > WRITTEN_BYTES {
        return Err(QueryError::WrittenTooLong {
            bytes: promql.len(),
            limit: WRITTEN_BYTES,
        });
    }
    Scan::of(promql).map(drop)
}
