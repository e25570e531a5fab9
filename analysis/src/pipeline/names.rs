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
    if wanted.is_empty() || wanted.len() > MAX_CHARACTERS {
        return None;
    }
    let mut nearest: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let letters = folded(candidate);
        let longer = wanted.len().max(letters.len());
        if longer > MAX_CHARACTERS {
            continue;
        }
        let distance = alignment_distance(&wanted, &letters);
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

fn folded(name: &str) -> Vec<char> {
    name.chars()
        .map(|letter| match letter {
            '-' | ' ' => '_',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}

/// The optimal string alignment distance, by three rows of its table.
fn alignment_distance(from: &[char], to: &[char]) -> usize {
    let mut before_previous = vec![0; to.len() + 1];
    let mut previous: Vec<usize> = (0..=to.len()).collect();
    let mut swapped_from = None;
    for (row, &from_letter) in from.iter().enumerate() {
        let mut current = Vec::with_capacity(to.len() + 1);
        current.push(row + 1);
        let mut swapped_to = None;
        for (column, &to_letter) in to.iter().enumerate() {
            let at =
                |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&previous, column) + usize::from(from_letter != to_letter);
            let removed = at(&previous, column + 1) + 1;
            let inserted = at(&current, column) + 1;
            let mut best = replaced.min(removed).min(inserted);
            if swapped_from == Some(to_letter) && swapped_to == Some(from_letter) {
                best = best.min(at(&before_previous, column.saturating_sub(1)) + 1);
            }
            current.push(best);
            swapped_to = Some(to_letter);
        }
        swapped_from = Some(from_letter);
        before_previous = previous;
        previous = current;
    }
    previous.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(from: &str, to: &str) -> usize {
        alignment_distance(&folded(from), &folded(to))
    }

    #[test]
    fn distance_counts_each_kind_of_slip_once() {
        assert_eq!(distance("weight", "weight"), 0);
        assert_eq!(distance("weigth", "weight"), 1);
        assert_eq!(distance("wieght", "weight"), 1);
        assert_eq!(distance("weght", "weight"), 1);
        assert_eq!(distance("weeight", "weight"), 1);
        assert_eq!(distance("weaght", "weight"), 1);
        assert_eq!(distance("", "weight"), 6);
        assert_eq!(distance("kitten", "sitting"), 3);
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
