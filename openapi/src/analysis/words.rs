//! Conditions in words, for readers that cannot show `<`, `>` and `&`.

/// The names of the control in a condition.
const CONTROL_NAMES: &[&str] = &["baseline", "control", "legacy"];

/// The text without `<`, `>` and `&`: a condition (`error_rate < baseline * 1.5`) in words, `&` as
/// "and", and each that is left, in what people wrote, as the character that looks like it.
pub(super) fn in_words(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '>', '&']) {
        let (before, from) = rest.split_at(at);
        written.push_str(before);
        rest = if from.starts_with('&') {
            let after = from.trim_start_matches('&');
            push_word(&mut written, "and", after);
            after.trim_start_matches(' ')
        } else if let Some((words, after)) = condition(&written, from) {
            push_word(&mut written, &words, after);
            after.trim_start_matches(' ')
        } else {
            let mut characters = from.chars();
            written.push(match characters.next() {
                Some('<') => '‹',
                _ => '›',
            });
            characters.as_str()
        };
    }
    written.push_str(rest);
    written
}

/// Adds a word with a space on each side, where something stands there.
fn push_word(written: &mut String, word: &str, after: &str) {
    let kept = written.trim_end_matches(' ').len();
    written.truncate(kept);
    if !written.is_empty() {
        written.push(' ');
    }
    written.push_str(word);
    let next = after.trim_start_matches(' ');
    // A full stop ends a sentence, or begins a number.
    let ends_here = next.is_empty()
        || next.starts_with([':', ';', ',', ')'])
        || next
            .strip_prefix('.')
            .is_some_and(|rest| !rest.starts_with(|letter: char| letter.is_ascii_digit()));
    if !ends_here {
        written.push(' ');
    }
}

/// The comparison that `from` begins with, and its limit where that names the control, in words, with
/// what follows. Nothing where it is no comparison of a metric with a limit.
fn condition<'t>(before: &str, from: &'t str) -> Option<(String, &'t str)> {
    let metric = before.trim_end_matches(' ');
    let is_metric = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
    if !metric.ends_with(is_metric) {
        return None;
    }
    let (comparison, after) = [
        ("<=", "at most"),
        (">=", "at least"),
        ("<", "below"),
        (">", "above"),
    ]
    .into_iter()
    .find_map(|(sign, words)| Some((words, from.strip_prefix(sign)?)))?;
    let after = after.trim_start_matches(' ');
    if let Some((limit, after)) = times_the_control(after) {
        return Some((format!("{comparison} {limit}"), after));
    }
    let is_number = after
        .strip_prefix('-')
        .unwrap_or(after)
        .starts_with(|letter: char| letter.is_ascii_digit() || letter == '.');
    is_number.then(|| (comparison.to_owned(), after))
}

/// `baseline * 1.5` as "1.5 times the control", `baseline` as "the control", and what follows.
fn times_the_control(text: &str) -> Option<(String, &str)> {
    if let Some(after) = control_name(text) {
        let factor = after
            .trim_start_matches(' ')
            .strip_prefix('*')
            .and_then(|factor| number(factor.trim_start_matches(' ')));
        return Some(match factor {
            Some((factor, after)) => (times(factor), after),
            None => ("the control".to_owned(), after),
        });
    }
    let (factor, after) = number(text)?;
    let after = after.trim_start_matches(' ').strip_prefix('*')?;
    let after = control_name(after.trim_start_matches(' '))?;
    Some((times(factor), after))
}

fn times(factor: &str) -> String {
    if factor.ends_with('%') {
        format!("{factor} of the control")
    } else {
        format!("{factor} times the control")
    }
}

/// What follows a name of the control, such as `legacy_p99`.
fn control_name(text: &str) -> Option<&str> {
    let end = text
        .find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
        .unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    let is_control = CONTROL_NAMES.iter().any(|control| {
        name.strip_prefix(control)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    });
    is_control.then_some(after)
}

/// The number that a text begins with, and what follows it. A colon or a full stop ends it.
fn number(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|letter: char| !(letter.is_ascii_digit() || letter == '.'))
        .unwrap_or(text.len());
    let digits = text.get(..end)?.trim_end_matches('.');
    let after = text.get(digits.len()..)?;
    let end = digits.len() + usize::from(after.starts_with('%'));
    (!digits.is_empty()).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_told_in_words() {
        for (text, words) in [
            (
                "error_rate < baseline * 1.1: broken, canary 0.3 %",
                "error_rate below 1.1 times the control: broken, canary 0.3 %",
            ),
            (
                "error_rate<1.1*baseline: x",
                "error_rate below 1.1 times the control: x",
            ),
            ("p99 <= baseline: x", "p99 at most the control: x"),
            (
                "p99 < legacy_p99 * 120%: x",
                "p99 below 120% of the control: x",
            ),
            (
                "p99 < control * 1.2 + 5ms: x",
                "p99 below 1.2 times the control + 5ms: x",
            ),
            (
                "error_rate > 5%: the kill switch fired",
                "error_rate above 5%: the kill switch fired",
            ),
            ("success >= 99.9%", "success at least 99.9%"),
            ("loss > -1%; p99 < .5", "loss above -1%; p99 below .5"),
            (
                "add one, such as error_rate < 0.1%",
                "add one, such as error_rate below 0.1%",
            ),
        ] {
            assert_eq!(in_words(text), words);
        }
    }

    #[test]
    fn what_people_wrote_keeps_its_look() {
        for (text, words) in [
            ("<b>late</b>", "‹b›late‹/b›"),
            ("R&D said so", "R and D said so"),
            ("load & errors", "load and errors"),
            ("a && b", "a and b"),
            ("& so on", "and so on"),
            ("v1 -> v2", "v1 -› v2"),
            ("see <INC-42>", "see ‹INC-42›"),
            ("nothing of it", "nothing of it"),
        ] {
            assert_eq!(in_words(text), words);
        }
    }
}
