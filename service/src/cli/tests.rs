//! Whole commands: what they print is tested where they are run as processes; here are the parts
//! that need no process.

use clap::CommandFactory;

use super::{Cli, main};

#[test]
fn the_flags_of_all_commands_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_teaches_by_example() {
    for command in Cli::command().get_subcommands() {
        let help = command.get_after_help().unwrap_or_default().to_string();
        assert!(help.contains("serinus"), "{}", command.get_name());
        assert!(help.contains("Exit codes: 0"), "{}", command.get_name());
    }
}

fn code(arguments: &[&str]) -> String {
    let all = ["serinus"].iter().chain(arguments).map(|&text| text.into());
    format!("{:?}", main(all.collect::<Vec<_>>()))
}

fn code_of(number: u8) -> String {
    format!("{:?}", std::process::ExitCode::from(number))
}

#[test]
fn a_usage_error_is_2_but_3_for_analyze_where_2_means_hold() {
    assert_eq!(code(&["lint"]), code_of(2));
    assert_eq!(code(&["sevre"]), code_of(2));
    assert_eq!(code(&["serve", "--listen", "nowhere"]), code_of(2));
    assert_eq!(code(&["analyze", "--bogus"]), code_of(3));
    assert_eq!(code(&["analyze"]), code_of(3));
    assert_eq!(code(&["analyze", "--help"]), code_of(0));
}

#[test]
fn lint_is_1_for_mistakes_and_for_files_that_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let good = write("good.yaml", serinus_openapi::examples::PIPELINE_YAML);
    let bad = write("bad.yaml", "canary_pipeline: 3\n");
    assert_eq!(code(&["lint", &good]), code_of(0));
    assert_eq!(code(&["lint", "--output", "json", &good]), code_of(0));
    assert_eq!(code(&["lint", &good, &bad]), code_of(1));
    assert_eq!(code(&["lint", "--output=json", &bad]), code_of(1));
    assert_eq!(code(&["lint", "/no/such/file.yaml"]), code_of(1));
}

#[test]
fn lint_is_1_for_a_query_that_leaves_out_a_population() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    let text = "control: {job: a, track: stable}\ncanary: {job: a, track: canary}\n\
                metrics: {depth: {gauge: 'queue_depth{track=\"canary\"}'}}\n\
                canary_pipeline: {a: {traffic_percent: 5, duration_minutes: 60, metrics: [depth < 5]}}\n";
    std::fs::write(&path, text).unwrap();
    let path = path.to_string_lossy().into_owned();
    assert_eq!(code(&["lint", &path]), code_of(1));
    std::fs::write(&path, text.replace("{track=\"canary\"}", "")).unwrap();
    assert_eq!(code(&["lint", &path]), code_of(0));
}

#[test]
fn analyze_is_3_when_it_cannot_ask() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("good.yaml");
    std::fs::write(&path, serinus_openapi::examples::PIPELINE_YAML).unwrap();
    let pipeline = path.to_string_lossy();
    let at_nobody = "--prometheus=http://127.0.0.1:1";
    let analyze = |more: &[&str]| {
        let mut all = vec!["analyze", at_nobody];
        all.extend(more);
        code(&all)
    };
    assert_eq!(analyze(&["--pipeline", "/no/such.yaml"]), code_of(3));
    assert_eq!(
        analyze(&["--pipeline", &pipeline, "--stage", "x"]),
        code_of(3)
    );
    assert_eq!(
        analyze(&["--pipeline", &pipeline, "--source", "nobody"]),
        code_of(3)
    );
}

#[test]
fn the_document_is_checked_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("openapi.json");
    let path = path.to_string_lossy();
    assert_eq!(code(&["openapi", "--check", &path]), code_of(1));
    assert_eq!(code(&["openapi", "--write", &path]), code_of(0));
    assert_eq!(code(&["openapi", "--check", &path]), code_of(0));
    std::fs::write(&*path, "{}").unwrap();
    assert_eq!(code(&["openapi", "--check", &path]), code_of(1));
}

#[test]
fn a_server_that_is_not_there_is_not_healthy() {
    assert_eq!(
        code(&["healthcheck", "--listen", "127.0.0.1:1"]),
        code_of(1)
    );
}
