//! The small part of expr-lang that the shipped manifests use: a path into what was answered,
//! compared with a text.

use serde_json::Value;

/// What an expression came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A value.
    Value(Value),
    /// It fails at run time, or does not compile against what was answered.
    Error(String),
}

/// Evaluates `root.a?.b == "text"`, or a path alone, on what `root` stands for.
///
/// A missing key of a map is nil. Going on from nil, or into anything that is no map, is an error
/// unless the step is written `?.`, which then is nil.
pub fn evaluate(expression: &str, root: (&str, &Value)) -> Outcome {
    let (path, expected) = match expression.split_once("==") {
        Some((path, text)) => {
            let text = text.trim().trim_matches(['"', '\'']);
            (path.trim(), Some(text))
        }
        None => (expression.trim(), None),
    };
    let Some(steps) = path.strip_prefix(root.0) else {
        return Outcome::Error(format!("unknown name in {path}"));
    };
    let mut at = root.1.clone();
    for step in steps.split('.').skip(1) {
        // `a?.b` splits into `a?` and `b`: the mark belongs to what comes before.
        let is_forgiven = steps.contains(&format!("?.{step}"));
        let name = step.trim_end_matches('?');
        at = match at {
            Value::Object(mut fields) => fields.remove(name).unwrap_or(Value::Null),
            Value::Null if is_forgiven => Value::Null,
            other => return Outcome::Error(format!("cannot get {name} from {other}")),
        };
    }
    match expected {
        Some(text) => Outcome::Value(Value::Bool(at == Value::String(text.to_owned()))),
        None => Outcome::Value(at),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_and_comparisons_are_those_of_expr() {
        let gate = json!({"gate": {"verdict": "hold"}});
        let yes = Outcome::Value(json!(true));
        let no = Outcome::Value(json!(false));
        assert_eq!(evaluate("r.gate.verdict == \"hold\"", ("r", &gate)), yes);
        assert_eq!(evaluate("r?.gate?.verdict == 'x'", ("r", &gate)), no);
        assert_eq!(evaluate("r.gate.other == 'x'", ("r", &gate)), no);
        assert_eq!(evaluate("r.other?.verdict == 'x'", ("r", &gate)), no);
        let fails =
            |text: &str, root: &Value| matches!(evaluate(text, ("r", root)), Outcome::Error(_));
        assert!(fails("r.other.verdict == 'x'", &gate));
        assert!(fails("r.verdict == 'x'", &json!("a text")));
        assert!(fails("r?.verdict == 'x'", &json!("a text")));
    }
}
