//! A check in one line as it was understood: every number with its unit, every other name of the
//! control as `baseline`.

use crate::text;

use super::limit::Limit;
use super::model::{Check, Dimension};

impl Check {
    /// What must hold, as it was understood: `latency_p99 < 200 ms`.
    pub fn understood(&self) -> String {
        self.said(match (self.limit, self.is_inclusive) {
            (Limit::AtMost { .. }, true) => "<=",
            (Limit::AtMost { .. }, false) => "<",
            (Limit::AtLeast { .. }, true) => ">=",
            (Limit::AtLeast { .. }, false) => ">",
            (Limit::Within { .. }, _) => "within",
        })
    }

    /// What must not become true, of a condition of the kill switch: `latency_p99 > 2 s`.
    pub fn understood_as_kill_switch(&self) -> String {
        self.said(match (self.limit, self.is_inclusive) {
            (Limit::AtMost { .. }, true) => ">",
            (Limit::AtMost { .. }, false) => ">=",
            (Limit::AtLeast { .. }, true) => "<",
            (Limit::AtLeast { .. }, false) => "<=",
            (Limit::Within { .. }, _) => "not within",
        })
    }

    fn said(&self, sign: &str) -> String {
        let measured = &self.measured;
        let limit = limit_text(self.limit, measured.dimension);
        let said = format!("{} {sign} {limit}", measured.name);
        if self.is_of_impact() {
            format!("{}: {said}", self.metric)
        } else {
            said
        }
    }
}

fn limit_text(limit: Limit, dimension: Dimension) -> String {
    let (ratio, offset) = match limit {
        Limit::AtMost { ratio, offset } | Limit::AtLeast { ratio, offset } => (ratio, offset),
        Limit::Within { tolerance } => {
            let tolerance = text::exact_value(tolerance, Dimension::Fraction);
            return format!("{tolerance} of baseline");
        }
    };
    let Some(ratio) = ratio else {
        return text::exact_value(offset, dimension);
    };
    let mut said = "baseline".to_owned();
    if (ratio - 1.0).abs() > 0.0 {
        said = format!("{said} * {}", text::exact(ratio));
    }
    if offset.abs() > 0.0 {
        let sign = if offset < 0.0 { '-' } else { '+' };
        said = format!(
            "{said} {sign} {}",
            text::exact_value(offset.abs(), dimension)
        );
    }
    said
}
