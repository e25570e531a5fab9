//! Kargo's manifests under its own rules: what a Stage and each kind of step may hold.
//!
//! Source: Kargo, `charts/kargo/resources/crds/kargo.akuity.io_stages.yaml` and
//! `pkg/promotion/runner/builtin/schemas` of 2026

use anyhow::Context;
use serde_json::Value;
use serinus_tests::callers::kargo::{http_steps, vars};
use serinus_tests::repository_path;

use super::bench::{document, manifest};

/// The kinds of steps that the examples use: what their configuration needs, and what else it may hold.
const STEPS: [(&str, &[&str], &[&str]); 8] = [
    (
        "git-clone",
        &["repoURL", "checkout"],
        &["author", "insecureSkipTLSVerify", "recurseSubmodules"],
    ),
    ("git-commit", &["path", "message"], &[]),
    (
        "git-push",
        &["path"],
        &[
            "targetBranch",
            "generateTargetBranch",
            "maxAttempts",
            "provider",
        ],
    ),
    ("yaml-update", &["path", "updates"], &[]),
    ("yaml-parse", &["path", "outputs"], &[]),
    ("argocd-update", &["apps"], &[]),
    ("set-metadata", &["updates"], &[]),
    (
        "http",
        &["url"],
        &[
            "method",
            "headers",
            "queryParams",
            "body",
            "timeout",
            "pollInterval",
            "outputs",
            "successExpression",
            "failureExpression",
            "errorExpression",
        ],
    ),
];

/// What each entry of a list in a configuration holds, and nothing else.
const ENTRIES: [(&str, &[&str]); 7] = [
    ("/git-clone/checkout", &["branch", "path"]),
    ("/yaml-update/updates", &["key", "value"]),
    ("/yaml-parse/outputs", &["name", "fromExpression"]),
    ("/argocd-update/apps", &["name", "sources"]),
    ("/set-metadata/updates", &["kind", "name", "values"]),
    ("/http/headers", &["name", "value"]),
    ("/http/queryParams", &["name", "value"]),
];

fn names(value: &Value) -> Vec<&str> {
    let fields = value.as_object().into_iter().flatten();
    fields.map(|(name, _)| name.as_str()).collect()
}

fn assert_only(value: &Value, allowed: &[&str], place: &str) {
    for name in names(value) {
        assert!(allowed.contains(&name), "{place} has no {name}");
    }
}

fn stages() -> anyhow::Result<Vec<Value>> {
    let mut all = manifest("kargo/stage.yaml")?;
    all.extend(manifest("kargo/verification.yaml")?);
    all.retain(|one| one["kind"] == "Stage");
    anyhow::ensure!(all.len() == 2, "{} Stages", all.len());
    Ok(all)
}

#[test]
fn a_stage_holds_what_kargo_knows() -> anyhow::Result<()> {
    for stage in stages()? {
        assert_eq!(stage["apiVersion"], "kargo.akuity.io/v1alpha1");
        let spec = &stage["spec"];
        let known = [
            "requestedFreight",
            "promotionTemplate",
            "verification",
            "vars",
        ];
        assert_only(spec, &known, "spec");
        for requested in spec["requestedFreight"].as_array().context("no Freight")? {
            assert_eq!(names(requested), ["origin", "sources"]);
            assert_eq!(requested["origin"]["kind"], "Warehouse");
        }
        for name in vars(&stage).keys() {
            let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            assert!(
                name.chars().all(is_letter),
                "{name} is no name of a variable"
            );
        }
        for step in steps(&stage) {
            assert_step(step);
        }
    }
    Ok(())
}

fn steps(stage: &Value) -> Vec<&Value> {
    let listed = stage.pointer("/spec/promotionTemplate/spec/steps");
    let listed = listed.and_then(Value::as_array);
    listed.into_iter().flatten().collect()
}

fn assert_step(step: &Value) {
    assert_only(
        step,
        &[
            "uses",
            "as",
            "if",
            "retry",
            "config",
            "vars",
            "continueOnError",
        ],
        "a step",
    );
    let kind = step["uses"].as_str().unwrap_or_default();
    let known = STEPS.iter().find(|(name, ..)| *name == kind);
    assert!(known.is_some(), "no rules for {kind}");
    let Some((_, needed, more)) = known else {
        return;
    };
    let config = &step["config"];
    for name in *needed {
        assert!(config.get(*name).is_some(), "{kind} needs {name}: {config}");
    }
    assert_only(config, &[*needed, *more].concat(), kind);
    for (place, fields) in ENTRIES {
        let Some(list) = place.strip_prefix(&format!("/{kind}/")) else {
            continue;
        };
        for entry in config[list].as_array().into_iter().flatten() {
            for field in fields {
                assert!(
                    entry.get(*field).is_some(),
                    "{place} needs {field}: {entry}"
                );
            }
            assert_only(entry, fields, place);
        }
    }
}

/// Two steps of one name would share their outputs.
#[test]
fn no_two_steps_have_one_name() -> anyhow::Result<()> {
    for stage in stages()? {
        let mut aliases: Vec<&str> = steps(&stage)
            .into_iter()
            .filter_map(|step| step["as"].as_str())
            .collect();
        let all = aliases.len();
        aliases.sort_unstable();
        aliases.dedup();
        assert_eq!(aliases.len(), all);
    }
    Ok(())
}

#[test]
fn the_gates_of_kargo_forgive_an_answer_without_a_gate() -> anyhow::Result<()> {
    const SLACK_MINUTES: f64 = 10.0;
    let text = std::fs::read_to_string(repository_path("pipelines/checkout.yaml"))?;
    let pipeline: Value = serde_saphyr::from_str(&text)?;
    let stage = document("kargo/stage.yaml")?;
    let gates = http_steps(&stage);
    let known = pipeline["canary_pipeline"]
        .as_object()
        .context("no stages")?;
    assert_eq!(gates.len(), known.len());
    for (gate, (name, of_pipeline)) in gates.into_iter().zip(known) {
        let url = gate["config"]["url"].as_str().unwrap_or_default();
        assert!(url.ends_with(&format!("/stages/{name}/gate")), "{url}");
        let minutes = of_pipeline["duration_minutes"]
            .as_f64()
            .context("no duration")?;
        let longest = 2.0 * minutes + SLACK_MINUTES;
        let timeout = format!("{}h{}m", (longest / 60.0).floor(), longest % 60.0);
        assert_eq!(gate["retry"]["timeout"], timeout, "{name}");
        assert_eq!(gate["retry"]["errorThreshold"], 20);
        assert_eq!(
            gate["config"]["method"], "POST",
            "a GET begins the first stage only"
        );
        for name in ["successExpression", "failureExpression", "errorExpression"] {
            let expression = gate["config"][name].as_str().unwrap_or_default();
            assert!(
                expression.starts_with("response.body?.gate?."),
                "{expression}"
            );
        }
    }
    Ok(())
}

/// Kargo drops an argument that the template does not declare, and one without a value fails the run.
#[test]
fn a_verification_gives_its_template_what_it_declares() -> anyhow::Result<()> {
    let [stage, template] = manifest("kargo/verification.yaml")?
        .try_into()
        .map_err(|_| anyhow::anyhow!("a Stage and its template"))?;
    let verification = &stage["spec"]["verification"];
    assert_eq!(
        verification["analysisTemplates"][0]["name"],
        template["metadata"]["name"]
    );
    assert_eq!(
        stage["metadata"]["namespace"],
        template["metadata"]["namespace"]
    );
    let of = |list: &Value| -> Vec<String> {
        let all = list.as_array().into_iter().flatten();
        let mut names: Vec<String> = all
            .filter(|argument| argument.get("valueFrom").is_none())
            .filter_map(|argument| argument["name"].as_str().map(str::to_owned))
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(of(&verification["args"]), of(&template["spec"]["args"]));
    Ok(())
}
