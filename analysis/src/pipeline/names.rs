//! The nearest right name to a wrong one.

/// Returns the candidate that is most like `name`, if one is like enough to be meant.
///
/// The distance is the number of letters to insert, remove, replace or swap with their neighbour
/// (optimal string alignment), where case does not count and `-` is the same as `_`. A candidate
/// is like enough if that is at most a third of the longer name, and at least one letter is
/// right. Of equally near candidates the first is taken.
///
/// ```
/// use serinus_analysis::pipeline::nearest_name;
///
/// assert_eq!(nearest_name("weigth", ["critical", "weight"]), Some("weight"));
/// assert_eq!(nearest_name("Error-Rate", ["error_rate"]), Some("error_rate"));
/// assert_eq!(nearest_name("banana", ["critical", "weight"]), None);
/// ```
pub fn nearest_name<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Names are short; a long text is no misspelt name and would only cost time.
    const MAX_CHARACTERS: usize = 100;
    let wanted = folded(name);
    let wanted_length = wanted.chars().count();
    if wanted_length == 0 || wanted_length > MAX_CHARACTERS {
        return None;
    }
    let mut nearest: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let letters = folded(candidate);
        let longer = wanted_length.max(letters.chars().count());
        if longer > MAX_CHARACTERS {
            continue;
        }
        let distance = strsim::osa_distance(&wanted, &letters);
        let is_near = distance <= longer.div_ceil(3).min(longer.saturating_sub(1));
        if is_near && nearest.is_none_or(|(best, _)| distance < best) {
            nearest = Some((distance, candidate));
        }
    }
    nearest.map(|(_, candidate)| candidate)
}

/// Returns `, did you mean "name"?`, or nothing when no candidate is near.
pub(super) fn suggestion<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest_name(name, candidates)
        .map(|nearest| format!(", did you mean {nearest:?}?"))
        .unwrap_or_default()
}

fn folded(name: &str) -> String {
    name.chars()
        .map(|letter| match letter {
            '-' | ' ' => '_',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_slip_counts_once() {
        // A third of six letters is two: one slip is near, and so are two, three are not.
        for slip in ["weigth", "wieght", "weght", "weeight", "weaght", "wiegth"] {
            assert_eq!(nearest_name(slip, ["weight"]), Some("weight"), "{slip}");
        }
        assert_eq!(nearest_name("wiegthes", ["weight"]), None);
    }

    #[test]
    fn the_nearest_of_several_is_told() {
        let names = ["latency_p50", "latency_p95", "latency_p99", "error_rate"];
        assert_eq!(nearest_name("latency_p89", names), Some("latency_p99"));
        assert_eq!(nearest_name("latencyp95", names), Some("latency_p95"));
        assert_eq!(nearest_name("eror_rate", names), Some("error_rate"));
        assert_eq!(nearest_name("throughput", names), None);
    }

    #[test]
    fn names_of_one_or_no_letter_suggest_nothing_wild() {
        assert_eq!(nearest_name("", ["a"]), None);
        assert_eq!(nearest_name("b", ["a"]), None);
        assert_eq!(nearest_name("a", [""]), None);
        assert_eq!(nearest_name(&"a".repeat(100_000), ["a"]), None);
    }
}
