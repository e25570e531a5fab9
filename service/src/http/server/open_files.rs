//! How many files this process may open: a connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is left for everything else: the store, the connections to the sources, files that are
/// read, and connections that are just being closed.
const FOR_THE_REST: u64 = 256;

/// Returns how many connections there can be of those that there may be, after the limit of this
/// process was raised as far as needed and allowed. Systems often start a process with 1,024 and
/// allow far more.
pub(super) fn connections(wanted: usize) -> usize {
    let needed = u64::try_from(wanted)
        .unwrap_or(u64::MAX)
        .saturating_add(FOR_THE_REST);
    let before = getrlimit(Resource::Nofile);
    let limit = match raised(before, needed) {
        None => before,
        Some(raised) => match setrlimit(Resource::Nofile, raised) {
            Ok(()) => raised,
            Err(error) => {
                tracing::warn!("cannot raise the limit of open files: {error}");
                before
            }
        },
    };
    let possible = within(wanted, limit.current);
    if possible < wanted {
        tracing::warn!(
            connections.most = possible,
            "at most {possible} connections at once, not {wanted}: the system lets this process \
             open {} files; raise that to {needed} (`ulimit -n`, LimitNOFILE=)",
            limit.current.unwrap_or(u64::MAX),
        );
    }
    possible
}

/// The limit to set, if that gains anything.
fn raised(limit: Rlimit, needed: u64) -> Option<Rlimit> {
    let current = limit.current?;
    let reached = limit.maximum.map_or(needed, |maximum| needed.min(maximum));
    (reached > current).then_some(Rlimit {
        current: Some(reached),
        ..limit
    })
}

/// How many of the connections so many open files allow. No limit is `None`.
fn within(wanted: usize, files: Option<u64>) -> usize {
    let Some(files) = files else {
        return wanted;
    };
    // Of a very low limit the rest gets half: both then run short together.
    let for_connections = files - FOR_THE_REST.min(files / 2);
    wanted.min(usize::try_from(for_connections).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(current: u64, maximum: Option<u64>) -> Rlimit {
        Rlimit {
            current: Some(current),
            maximum,
        }
    }

    #[test]
    fn the_limit_is_raised_as_far_as_needed_and_never_lowered() {
        let needed = 4_352;
        for (before, expected) in [
            (limit(1_024, Some(524_288)), Some(needed)),
            (limit(1_024, None), Some(needed)),
            (limit(1_024, Some(2_048)), Some(2_048)),
            (limit(1_024, Some(1_024)), None),
            (limit(20_000, Some(20_000)), None),
        ] {
            let raised = raised(before, needed).map(|raised| raised.current);
            assert_eq!(raised, expected.map(Some), "{before:?}");
        }
        let none = Rlimit {
            current: None,
            maximum: None,
        };
        assert_eq!(raised(none, needed), None);
    }

    #[test]
    fn connections_leave_files_for_the_rest() {
        assert_eq!(within(4_096, Some(4_352)), 4_096);
        assert_eq!(within(4_096, Some(1_024)), 768);
        assert_eq!(within(4_096, Some(64)), 32);
        assert_eq!(within(4_096, None), 4_096);
        assert_eq!(within(10, Some(1_024)), 10);
    }
}
