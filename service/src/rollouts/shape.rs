//! The shape that the rules of a rollout rest on: what the compiler cannot hold, a look at the
//! source does.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The files below `src/` that hold a text, tests apart.
fn files_with(text: &str, below: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for folder in below {
        sources(&root.join(folder), &mut files);
    }
    let mut found: Vec<String> = files
        .iter()
        .filter(|path| fs::read_to_string(path).unwrap().contains(text))
        .map(|path| path.strip_prefix(&root).unwrap().display().to_string())
        .filter(|name| !name.contains("tests") && !name.ends_with("shape.rs"))
        .collect();
    found.sort();
    found
}

/// What is recorded went through the rules: a change is made by `transition.rs` and, of
/// steps that are counted, by `weight.rs`, a first record by `start.rs`, and there is no third way into the store.
#[test]
fn a_rollout_is_recorded_in_two_places() {
    let all = ["rollouts", "http", "cli", "demo", "engine"];
    assert_eq!(
        files_with("RolloutUpdate {", &all),
        ["rollouts/changing.rs"]
    );
    assert_eq!(files_with("NewRollout {", &all), ["rollouts/start.rs"]);
    assert_eq!(
        files_with("Change::o", &["rollouts"]),
        ["rollouts/transition.rs", "rollouts/weight.rs"]
    );
    assert_eq!(
        files_with("StageStart(", &["rollouts"]),
        ["rollouts/beginning.rs"]
    );
}

/// A second place that asks for a shadow stage or a dry run would be a second rule.
#[test]
fn whether_a_verdict_acts_is_asked_in_one_file() {
    let callers = ["rollouts", "http"];
    assert_eq!(files_with(".shadow", &callers), ["rollouts/acting.rs"]);
    let asks = files_with("pipeline.dry_run", &callers);
    assert_eq!(asks, ["rollouts/acting.rs"]);
}

/// Routes and adapters translate: they name no reason code and make no verdict of their own.
#[test]
fn what_is_told_is_said_by_the_rollouts() {
    assert_eq!(files_with("ReasonCode::", &["http"]), [""; 0]);
    assert_eq!(files_with("Verdict::Hold", &["http"]), [""; 0]);
}

/// A path is read by an extractor with types (that of Swagger UI's pages apart), and a problem is
/// documented by its set.
#[test]
fn paths_and_problems_are_written_once() {
    assert_eq!(files_with("Path<", &["http"]), ["http/routes/docs.rs"]);
    assert_eq!(files_with("body = Problem", &["http"]), [""; 0]);
    let media_type = files_with("application/problem+json", &["http"]);
    assert_eq!(media_type, ["http/document.rs"]);
}
