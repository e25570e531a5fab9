//! The shipped manifests: readable, complete, and without the traps that promote by mistake.

#![expect(
    clippy::indexing_slicing,
    reason = "a document without what is looked for fails the test"
)]

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};
use serinus_tests::callers::argo::{Metric, Version};
use serinus_tests::callers::spinnaker::is_allowed;
use serinus_tests::{repository_path, run_command, serinus_binary};

use super::bench::{document, manifest};

/// What a Rollout, or a Stage of Kargo, gives a template.
const ARGUMENTS: [(&str, &str); 8] = [
    ("pipeline", "checkout"),
    ("stage", "stage_1"),
    ("namespace", "shop"),
    ("stable-hash", "a"),
    ("canary-hash", "b"),
    ("revision", "7"),
    ("key", "canary.01jd.6d4f9"),
    ("version", "v2"),
];

/// A template's metric, with those of the arguments that it declares.
fn metric_of(template: &Value) -> anyhow::Result<Metric> {
    let declared = template["spec"]["args"].as_array().context("no args")?;
    let given: Vec<_> = ARGUMENTS
        .into_iter()
        .filter(|(name, _)| declared.iter().any(|argument| argument["name"] == *name))
        .collect();
    Metric::of_template(template, &given, "http://127.0.0.1:1")
}

/// The pipeline that all examples use.
fn pipeline() -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(repository_path("pipelines/checkout.yaml"))?;
    Ok(serde_saphyr::from_str(&text)?)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// Every document of every example, with its file.
fn documents() -> anyhow::Result<Vec<(PathBuf, Value)>> {
    let root = repository_path("examples");
    let mut found = Vec::new();
    files(&root, &mut found)?;
    let mut all = Vec::new();
    for path in found {
        let extension = path
            .extension()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if !["yaml", "yml", "json"].contains(&extension) {
            continue;
        }
        let relative = path.strip_prefix(&root)?.display().to_string();
        for one in manifest(&relative)? {
            assert!(one.is_object(), "{relative} holds {one}");
            all.push((path.clone(), one));
        }
    }
    Ok(all)
}

#[test]
fn every_example_is_read() -> anyhow::Result<()> {
    let all = documents()?;
    assert!(all.len() >= 15, "{}", all.len());
    for (path, one) in all {
        if let Some(kind) = one.get("kind").and_then(Value::as_str) {
            assert!(
                one.get("apiVersion").is_some(),
                "{}: {kind}",
                path.display()
            );
            assert!(
                // Kustomize reads its own file by its name.
                kind == "Kustomization" || one.pointer("/metadata/name").is_some(),
                "{}: {kind}",
                path.display()
            );
        }
    }
    Ok(())
}

/// Without `consecutiveSuccessLimit` 40 holds promote, and a promote does not end the step.
#[test]
fn aw11_every_shipped_template_ends_with_the_first_promote_only() -> anyhow::Result<()> {
    let mut count = 0;
    for (path, template) in documents()? {
        let is_template = ["AnalysisTemplate", "ClusterAnalysisTemplate"]
            .iter()
            .any(|kind| template["kind"] == *kind);
        if !is_template {
            continue;
        }
        count += 1;
        let metric = metric_of(&template).with_context(|| path.display().to_string())?;
        assert_eq!(metric.consecutive_success_limit, 1, "{}", path.display());
        assert_eq!(metric.failure_limit, 0, "{}", path.display());
        assert_eq!(metric.consecutive_error_limit, 30, "{}", path.display());
        assert_eq!(metric.count, 40, "{}", path.display());
        assert_eq!(
            metric.inconclusive_limit,
            metric.count,
            "{}",
            path.display()
        );
        for metric in template["spec"]["metrics"]
            .as_array()
            .context("no metrics")?
        {
            assert_eq!(metric["successCondition"], "result.verdict == \"promote\"");
            assert_eq!(metric["failureCondition"], "result.verdict == \"rollback\"");
            assert_eq!(metric["provider"]["web"]["jsonPath"], "{$.gate}");
        }
        for argument in template["spec"]["args"].as_array().context("no args")? {
            let is_polls = argument["name"] == "polls";
            assert!(
                !is_polls || argument["value"].is_string(),
                "validation needs a default"
            );
        }
    }
    assert_eq!(count, 2);
    // The same simulator refuses a template whose number of polls is not known.
    let mut template = document("argo-rollouts/analysis-template.yaml")?;
    template["spec"]["metrics"][0]["count"] = json!(0);
    let refused = metric_of(&template);
    assert!(refused.is_err_and(|error| error.to_string().contains("runs indefinitely")));
    assert_ne!(Version::MASTER, Version::V1_9_1);
    Ok(())
}

/// Polls that outlast a stage: until its longest duration, and ten minutes more. With fewer of them
/// Argo pauses before an undecided stage can end as its `on_inconclusive` says.
/// Source: docs/design/callers.md, "Argo Rollouts, web".
fn polls_of(stage: &Value, template: &Value) -> anyhow::Result<String> {
    const SLACK_MINUTES: f64 = 10.0;
    let minutes = stage["duration_minutes"].as_f64().context("no duration")?;
    let longest = stage["max_duration_minutes"].as_f64();
    let longest = longest.unwrap_or(2.0 * minutes) + SLACK_MINUTES;
    let interval = metric_of(template)?.interval;
    let polls = (longest * 60.0 / interval.as_secs_f64()).ceil();
    Ok(polls.to_string())
}

#[test]
fn the_rollout_gives_every_argument_and_names_stages_that_there_are() -> anyhow::Result<()> {
    let rollout = document("argo-rollouts/rollout.yaml")?;
    let pipeline = pipeline()?;
    let template = document("argo-rollouts/analysis-template.yaml")?;
    let needed: Vec<&str> = template["spec"]["args"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|argument| argument.get("valueFrom").is_none())
        .filter_map(|argument| argument["name"].as_str())
        .collect();
    let steps = rollout["spec"]["strategy"]["canary"]["steps"]
        .as_array()
        .context("no steps")?;
    let mut weight = 0.0;
    let mut stages = 0;
    for step in steps {
        if let Some(share) = step["setWeight"].as_f64() {
            weight = share;
            continue;
        }
        let arguments = step["analysis"]["args"].as_array().context("no args")?;
        let names: Vec<&str> = arguments
            .iter()
            .filter_map(|one| one["name"].as_str())
            .collect();
        assert!(needed.iter().all(|name| names.contains(name)), "{names:?}");
        let value = |name: &str| arguments.iter().find(|one| one["name"] == name);
        let stage = value("stage")
            .and_then(|one| one["value"].as_str())
            .context("no stage")?;
        let known = &pipeline["canary_pipeline"][stage];
        assert_eq!(known["traffic_percent"].as_f64(), Some(weight), "{stage}");
        let polls = value("polls").and_then(|one| one["value"].as_str());
        assert_eq!(polls, Some(polls_of(known, &template)?.as_str()), "{stage}");
        let namespace = value("namespace").and_then(|one| one.pointer("/valueFrom/fieldRef"));
        assert_eq!(namespace, Some(&json!({"fieldPath": "metadata.namespace"})));
        stages += 1;
    }
    assert_eq!(
        Some(stages),
        pipeline["canary_pipeline"]
            .as_object()
            .map(serde_json::Map::len)
    );
    Ok(())
}

#[test]
fn the_stages_of_spinnaker_point_where_orca_lets_them() -> anyhow::Result<()> {
    for path in [
        "spinnaker/webhook-stage.json",
        "spinnaker/start-and-poll-stage.json",
    ] {
        let stage = document(path)?;
        assert!(
            is_allowed(stage["url"].as_str().unwrap_or_default()),
            "{path}"
        );
        assert_eq!(stage["successStatuses"], "promote", "{path}");
        assert_eq!(stage["terminalStatuses"], "rollback", "{path}");
        assert_eq!(stage["overrideTimeout"], true, "{path}");
        assert_eq!(
            stage["method"], "POST",
            "{path}: a GET begins the first stage only"
        );
        let cancels = stage["cancelEndpoint"].as_str().unwrap_or_default();
        assert!(is_allowed(cancels), "{path}");
        assert!(
            cancels.ends_with("/v1/pipelines/checkout/cancel?key=${execution.id}"),
            "{path}: no id is known when the stage is written"
        );
    }
    let polling = document("spinnaker/webhook-stage.json")?;
    assert_eq!(polling["statusUrlResolution"], "getMethod");
    assert_eq!(polling.get("monitorOnly"), None);
    Ok(())
}

#[test]
fn the_webhooks_of_flagger_fit_into_its_interval_and_burn_no_budget() -> anyhow::Result<()> {
    let canary = document("flagger/canary.yaml")?;
    let analysis = &canary["spec"]["analysis"];
    let webhooks = analysis["webhooks"].as_array().context("no webhooks")?;
    let paths: Vec<(&str, &str)> = webhooks
        .iter()
        .filter_map(|hook| Some((hook["type"].as_str()?, hook["url"].as_str()?)))
        .filter_map(|(kind, url)| Some((kind, url.split_once("/flagger/checkout/")?.1)))
        .collect();
    assert_eq!(
        paths,
        [
            ("rollback", "rollback"),
            ("confirm-traffic-increase", "advance"),
            ("confirm-promotion", "promotion"),
            ("event", "event"),
            ("post-rollout", "finished"),
        ]
    );
    assert!(webhooks.iter().all(|hook| hook["timeout"] == "5s"));
    assert_eq!(analysis["interval"], "1m");
    let pipeline = pipeline()?;
    let shares: Vec<&Value> = pipeline["canary_pipeline"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, stage)| &stage["traffic_percent"])
        .collect();
    assert_eq!(json!(shares), analysis["stepWeights"]);
    Ok(())
}

/// There is one pipeline of the name `checkout`: what else shows it, shows it to the byte.
#[test]
fn there_is_one_pipeline_named_checkout() -> anyhow::Result<()> {
    let text = std::fs::read_to_string(repository_path("pipelines/checkout.yaml"))?;
    let mut found = Vec::new();
    for folder in ["docs", "examples", "pipelines", "README.md"] {
        let mut all = Vec::new();
        let folder = repository_path(folder);
        if folder.is_dir() {
            files(&folder, &mut all)?;
        } else {
            all.push(folder);
        }
        for path in all {
            let holder = std::fs::read_to_string(&path)?;
            if holder.lines().any(|line| line.trim() == "name: checkout")
                && holder.contains("canary_pipeline:")
            {
                found.push((path, holder));
            }
        }
    }
    let is_file = |path: &Path| path.ends_with("pipelines/checkout.yaml");
    assert!(found.iter().any(|(path, _)| is_file(path)), "{found:?}");
    for (path, holder) in found {
        assert!(
            holder.contains(&text),
            "{} has another checkout",
            path.display()
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_pipeline_of_the_examples_has_no_mistakes() -> anyhow::Result<()> {
    let path = repository_path("pipelines/checkout.yaml").into_os_string();
    let arguments = ["lint".into(), path];
    let bound = std::time::Duration::from_secs(20);
    let output = run_command(&serinus_binary()?, &arguments, bound).await?;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(!output.stdout.contains("warning"), "{output:?}");
    Ok(())
}
