//! The command line, as scripts use it.

use std::time::Duration;

use serinus_tests::{
    CommandOutput, SerinusProcess, ServeOptions, repository_path, run_command, serinus_binary,
};

async fn serinus(arguments: &[&str]) -> anyhow::Result<CommandOutput> {
    run_command(&serinus_binary()?, arguments, Duration::from_secs(20)).await
}

/// The pipeline of the project's first description, verbatim.
fn seed_pipeline() -> String {
    repository_path("pipelines/canary_pipeline.yaml")
        .to_string_lossy()
        .into_owned()
}

#[tokio::test]
async fn lint_prints_the_nine_stages_that_the_seed_expands_to() -> anyhow::Result<()> {
    let output = serinus(&["lint", &seed_pipeline()]).await?;
    assert_eq!(output.code, Some(0), "{output:?}");
    let stages = [
        "stage_1",
        "stage_2",
        "stage_3",
        "stage_4.1",
        "stage_4.2",
        "stage_4.3",
        "stage_4.4",
        "stage_4.5",
        "stage_4.6",
    ];
    let mut rest = output.stdout.as_str();
    for stage in stages {
        let (_, after) = rest
            .split_once(stage)
            .unwrap_or_else(|| panic!("no {stage}, or not in order:\n{}", output.stdout));
        rest = after;
    }
    for check in [
        "error_rate < 0.1 %",
        "latency_p99 < 200 ms",
        "cpu_usage < 70 %",
        "error_rate < baseline * 1.1",
        "latency_p99 < baseline * 1.2",
        "memory_usage < baseline * 1.3",
        "business_kpi_impact: conversion > baseline * 0.99",
        "customer_complaints < baseline",
    ] {
        assert!(
            output.stdout.contains(check),
            "no {check}:\n{}",
            output.stdout
        );
    }
    Ok(())
}

#[tokio::test]
async fn lint_tells_all_mistakes_with_file_line_and_column() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("broken.yaml");
    std::fs::write(
        &file,
        "canary_pipeline:\n  first:\n    trafic_percent: 5\n    duration_minutes: 60\n    \
         metrics:\n      - eror_rate < baseline * 1.1\n",
    )?;
    let output = serinus(&["lint", &file.to_string_lossy()]).await?;
    let told = format!("{}{}", output.stdout, output.stderr);
    assert!(output.code.is_some_and(|code| code != 0), "{output:?}");
    for part in [
        "broken.yaml:3:5",
        "traffic_percent",
        "broken.yaml:6:",
        "error_rate",
    ] {
        assert!(told.contains(part), "no {part:?} in:\n{told}");
    }
    Ok(())
}

#[tokio::test]
async fn lint_of_a_file_that_is_not_there_names_it() -> anyhow::Result<()> {
    let output = serinus(&["lint", "no/such/pipeline.yaml"]).await?;
    assert!(output.code.is_some_and(|code| code != 0), "{output:?}");
    assert!(
        output.stderr.contains("no/such/pipeline.yaml"),
        "{output:?}"
    );
    Ok(())
}

/// Each would tell from its memory what the other never saw.
#[tokio::test]
async fn a_second_server_on_one_store_refuses_to_start_and_says_what_to_do() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("serinus.db");
    let _first = SerinusProcess::serve_with(&ServeOptions {
        prometheus_url: "http://127.0.0.1:9".to_owned(),
        pipelines: repository_path("pipelines"),
        store: Some(store.clone()),
        ..ServeOptions::default()
    })
    .await?;
    let store = format!("--store=sqlite:{}", store.display());
    let arguments = [
        "serve",
        "--listen=127.0.0.1:0",
        "--prometheus=http://127.0.0.1:9",
        &store,
    ];
    let second = serinus(&arguments).await?;
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(
        second.stderr.contains("another process uses it"),
        "{second:?}"
    );
    assert!(second.stderr.contains("--shared-store"), "{second:?}");
    let replayed = serinus(&["replay", "0198f0c2-7a54-7c3e-9d8a-0123456789ab", &store]).await?;
    assert!(replayed.stderr.contains("holds no rollout"), "{replayed:?}");
    Ok(())
}

#[tokio::test]
async fn every_command_has_help_that_says_what_it_does() -> anyhow::Result<()> {
    for command in [
        "serve",
        "init",
        "lint",
        "analyze",
        "plan",
        "calibrate",
        "demo",
        "openapi",
        "healthcheck",
    ] {
        let output = serinus(&[command, "--help"]).await?;
        assert_eq!(output.code, Some(0), "{command}: {output:?}");
        assert!(output.stdout.contains("Usage:"), "{command}: {output:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_command_is_refused_with_the_usage() -> anyhow::Result<()> {
    let output = serinus(&["sevre"]).await?;
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("serve"), "{output:?}");
    Ok(())
}

#[tokio::test]
async fn the_checked_in_document_is_what_the_code_says() -> anyhow::Result<()> {
    let document = repository_path("openapi/openapi.json");
    assert!(document.is_file(), "{} is missing", document.display());
    let root = repository_path(".").canonicalize()?;
    let output = tokio::process::Command::new(serinus_binary()?)
        .args(["openapi", "--check"])
        .current_dir(root)
        .output()
        .await?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// A pipe without a writer waits for ever; a file of a gigabyte takes a while and the memory.
#[tokio::test]
async fn a_file_that_is_no_regular_one_or_too_large_is_refused_at_once() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let made = std::process::Command::new("mkfifo")
        .arg(path("pipe.yaml"))
        .status()?;
    assert!(made.success());
    let large = std::fs::File::create(folder.path().join("large.yaml"))?;
    large.set_len(1 << 30)?;
    for (name, said) in [
        ("pipe.yaml", "it is a pipe, and only regular files are read"),
        ("large.yaml", "it has more than 1048576 bytes"),
    ] {
        let file = path(name);
        for (arguments, code) in [
            (&["lint", &file][..], 1),
            (&["serve", "--config", &file], 1),
            (
                &["serve", "--tokens", &file, "--store", "sqlite::memory:"],
                1,
            ),
            (&["analyze", "--pipeline", &file, "--stage", "any"], 3),
        ] {
            let command = serinus_binary()?;
            let output = run_command(&command, arguments, Duration::from_secs(5)).await?;
            assert_eq!(output.code, Some(code), "{arguments:?}: {output:?}");
            assert!(output.stderr.contains(said), "{arguments:?}: {output:?}");
        }
    }
    Ok(())
}
