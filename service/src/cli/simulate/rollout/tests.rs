use std::num::NonZeroUsize;

use clap::Parser;
use serinus_analysis::simulate::operating::OneThread;

use super::super::marks;
use super::*;

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
}

fn simulated(flags: &[&str], executor: &impl Executor) -> Report {
    let all = ["rollout"].iter().chain(flags);
    let Command { arguments } = Command::try_parse_from(all).unwrap();
    simulate(&arguments, &arguments.laws(), executor, |_label| {}).unwrap()
}

#[test]
fn a_seed_gives_one_answer_on_any_number_of_threads() {
    let flags = ["--law=errors,slow", "--replicates=4"];
    let json = |flags: &[&str], executor: &Threads| {
        serde_json::to_string(&simulated(flags, executor)).unwrap()
    };
    let threads = |count| Threads::new(NonZeroUsize::new(count).unwrap());
    let alone = serde_json::to_string(&simulated(&flags, &OneThread)).unwrap();
    assert_eq!(json(&flags, &threads(1)), alone);
    assert_eq!(json(&flags, &threads(3)), alone);
    let other = [&flags[..], &["--seed=2"]].concat();
    assert_ne!(json(&other, &threads(1)), alone);
}

/// A person sees how rollouts ended, beside what they should have, and why something is not found.
#[test]
fn what_is_told_fits_a_terminal_and_says_what_held() {
    let report = simulated(
        &["--law=slow,counts-differ-few-pods", "--replicates=3"],
        &OneThread,
    );
    let told = text::of(&report, true, 80);
    for line in told.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    insta::assert_snapshot!(told);
}

#[test]
fn every_law_is_in_the_help_and_none_but_laws_is_taken() {
    let help = <Command as clap::CommandFactory>::command().render_long_help();
    let help = help.to_string();
    for law in Law::ALL {
        let name = law.name().replace("pods-differ-20", "-20");
        assert!(help.contains(&name), "{name}");
    }
    let unknown = Command::try_parse_from(["rollout", "--law=slwo"]).unwrap_err();
    assert!(
        unknown.to_string().contains("slow-little-noise"),
        "{unknown}"
    );
}

#[test]
fn the_document_has_the_marks_and_every_law() {
    let document = include_str!("../../../../../docs/operating-characteristics.md");
    assert!(marks::between(document, document::BEGIN, "").is_some());
    for law in Law::ALL {
        assert!(document.contains(&format!("| `{}`", law.name())), "{law:?}");
    }
}
