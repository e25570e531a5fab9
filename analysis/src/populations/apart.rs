//! Whether two populations are told apart by their matchers.

use crate::matchers::{MatchOperator, Matcher, Matchers};
use crate::series::Populations;

/// What to add where one of two populations contains the other: each series that all matchers of the
/// larger set select is selected by the smaller one as well. Nothing where they are told apart.
pub fn not_apart(populations: Populations<&Matchers>) -> Option<String> {
    let Populations { control, canary } = populations;
    Some(if control == canary {
        "control and canary are selected by the same matchers: a population compared with itself \
         always passes; give each its own"
            .to_owned()
    } else if control.is_subset(canary) {
        contained("canary", "control", canary, control)
    } else if canary.is_subset(control) {
        contained("control", "canary", control, canary)
    } else {
        return None;
    })
}

/// Says that `part` lies within `whole`, which has fewer matchers.
fn contained(part: &str, whole: &str, more: &Matchers, fewer: &Matchers) -> String {
    let advice = more
        .difference(fewer)
        .next()
        .map(|matcher| format!(", such as {}", negated(matcher)))
        .unwrap_or_default();
    format!(
        "the matchers of the {whole} select the {part}, too: it would be compared with itself; \
         add one to the {whole} that leaves the {part} out{advice}"
    )
}

fn negated(matcher: &Matcher) -> Matcher {
    Matcher {
        operator: match matcher.operator {
            MatchOperator::Equal => MatchOperator::NotEqual,
            MatchOperator::NotEqual => MatchOperator::Equal,
            MatchOperator::Regex => MatchOperator::NotRegex,
            MatchOperator::NotRegex => MatchOperator::Regex,
        },
        ..matcher.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(control: &Matchers, canary: &Matchers) -> Option<String> {
        not_apart(Populations { control, canary })
    }

    #[test]
    fn the_same_matchers_are_refused() {
        let shop = Matchers::from([Matcher::equal("app", "shop")]);
        assert!(message(&shop, &shop).unwrap().contains("the same matchers"));
        assert!(message(&Matchers::new(), &Matchers::new()).is_some());
    }

    #[test]
    fn a_population_within_the_other_is_refused_with_what_to_add() {
        let shop = Matchers::from([Matcher::equal("app", "shop")]);
        let track = |matcher: Matcher| Matchers::from([Matcher::equal("app", "shop"), matcher]);
        let canary = track(Matcher::equal("track", "canary"));
        assert_eq!(
            message(&shop, &canary).unwrap(),
            "the matchers of the control select the canary, too: it would be compared with \
             itself; add one to the control that leaves the canary out, such as \
             track!=\"canary\""
        );
        let control = track(Matcher::regex("pod", "shop-1-.*"));
        assert_eq!(
            message(&control, &shop).unwrap(),
            "the matchers of the canary select the control, too: it would be compared with \
             itself; add one to the canary that leaves the control out, such as \
             pod!~\"shop-1-.*\""
        );
        assert!(message(&Matchers::new(), &canary).is_some());
    }

    #[test]
    fn populations_with_a_matcher_of_their_own_each_are_accepted() {
        let one = Matchers::from([
            Matcher::equal("app", "shop"),
            Matcher::equal("track", "stable"),
        ]);
        let other = Matchers::from([
            Matcher::equal("app", "shop"),
            Matcher::equal("track", "canary"),
        ]);
        assert_eq!(message(&one, &other), None);
    }
}
