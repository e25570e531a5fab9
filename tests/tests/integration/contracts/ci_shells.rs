//! The examples of CI systems, run as each system runs them: its shell, its variables, the real
//! `serinus` in the place of the image, and what the job comes to by its exit code.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a document without what is looked for fails the test"
)]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;
use serde_json::Value;
use serinus_tests::{Scripted, ScriptedServer, repository_path, serinus_binary};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::bench::{Bench, document, manifest};

const TOKEN: &str = "a-token";

/// Verdicts, and the code that ends the script: GitLab, GitHub, Jenkins and Tekton go by it.
const PLAYS: [(&str, i32); 4] = [("HHP", 0), ("HR", 1), ("H", 2), ("nobody", 3)];

/// In the place of `docker run --rm -e NAME .. IMAGE ..`: the image's entrypoint, with nothing of the
/// caller's environment but what was handed on.
const DOCKER: &str = r#"#!/bin/sh
[ "$1 $2" = "run --rm" ] || exit 125
shift 2
variables=
while [ "$1" = -e ]; do
  variables="$variables $2=$(printenv "$2")" || exit 125
  shift 2
done
[ "$1" = registry.example/serinus:1 ] || exit 125
shift
exec env -i $variables serinus_of_the_image "$@"
"#;

/// A folder for `PATH`, with what a script may call.
struct Tools {
    folder: TempDir,
}

impl Tools {
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        symlink(serinus_binary()?, folder.path().join("serinus"))?;
        let docker = folder.path().join("docker");
        let binary = serinus_binary()?.display().to_string();
        std::fs::write(&docker, DOCKER.replace("serinus_of_the_image", &binary))?;
        std::fs::set_permissions(&docker, PermissionsExt::from_mode(0o755))?;
        Ok(Self { folder })
    }

    fn path(&self, and: &str) -> String {
        format!("{}:{and}", self.folder.path().display())
    }
}

/// A script's text, with a time-out and a poll that a test can wait for.
fn hastened(script: &str) -> String {
    let (before, after) = script.split_once("--timeout ").expect("a time-out");
    let rest = after
        .split_once(char::is_whitespace)
        .map_or("", |(_, rest)| rest);
    format!("{before}--timeout 2s --poll 200ms {rest}")
}

async fn run(
    shell: &[&str],
    script: &str,
    variables: &[(&str, &str)],
    path: &str,
) -> anyhow::Result<Option<i32>> {
    let mut child = Command::new(shell[0])
        .args(&shell[1..])
        .env_clear()
        .env("PATH", path)
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {shell:?}; run `make test`, which installs it"))?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    stdin.write_all(script.as_bytes()).await?;
    drop(stdin);
    Ok(child.wait().await?.code())
}

/// Who answers, if anybody does.
async fn server(play: &str) -> anyhow::Result<(Option<ScriptedServer>, String)> {
    if play == "nobody" {
        return Ok((None, "http://127.0.0.1:1".to_owned()));
    }
    let server = ScriptedServer::start(Scripted::play(play)).await?;
    let url = server.url().to_owned();
    Ok((Some(server), url))
}

fn assert_asked(server: Option<&ScriptedServer>, key: &str) {
    for received in server.map(ScriptedServer::received).unwrap_or_default() {
        assert_eq!(received.json()["key"], key);
        assert_eq!(received.header("authorization"), format!("Bearer {TOKEN}"));
        assert!(
            received.target.contains("/checkout/stages/stage_2/"),
            "{}",
            received.target
        );
    }
}

/// As the runner prepares it: a shell of the image, which is given the script.
fn gitlab(job: &Value) -> String {
    let lines = job["script"].as_array().into_iter().flatten();
    let lines: Vec<&str> = lines.filter_map(Value::as_str).collect();
    format!("set -o errexit\n{}\n", lines.join("\n"))
}

/// busybox is what the image of `make image-debug` has.
#[tokio::test]
async fn the_job_of_gitlab_ends_with_the_code_of_the_verdict() -> anyhow::Result<()> {
    let job = document("ci/gitlab-ci.yml")?["gate"].clone();
    assert_eq!(job["image"]["entrypoint"], serde_json::json!([""]));
    let image = job["image"]["name"].as_str().unwrap_or_default();
    assert!(
        image.ends_with("-debug"),
        "the plain image has no shell: {image}"
    );
    let tools = Tools::new()?;
    let script = hastened(&gitlab(&job));
    for shell in [["busybox", "sh"].as_slice(), &["sh"]] {
        for (play, code) in PLAYS {
            let (answers, url) = server(play).await?;
            let variables = [
                ("SERINUS_SERVER", url.as_str()),
                ("SERINUS_TOKEN", TOKEN),
                ("CI_PIPELINE_ID", "17"),
            ];
            let path = tools.path("/usr/bin:/bin");
            let ended = run(shell, &script, &variables, &path).await?;
            assert_eq!(ended, Some(code), "{shell:?} {play}");
            assert_asked(answers.as_ref(), "17");
        }
    }
    Ok(())
}

/// GitLab starts the job again upon those codes, and a rollback is not among them.
#[tokio::test]
async fn the_job_of_gitlab_waits_on_after_a_hold_and_never_after_a_rollback() -> anyhow::Result<()>
{
    let job = document("ci/gitlab-ci.yml")?["gate"].clone();
    assert_eq!(job["retry"]["exit_codes"], serde_json::json!([2, 3]));
    assert!(job.get("allow_failure").is_none());
    let retries = job["retry"]["max"].as_u64().context("no max")?;
    let tools = Tools::new()?;
    let bench = Bench::start().await?;
    // The stage lasts longer than one job, and not as long as three.
    let script = hastened(&gitlab(&job)).replace("--timeout 2s", "--timeout 6s");
    let variables = [
        ("SERINUS_SERVER", bench.serinus.url()),
        ("CI_PIPELINE_ID", "18"),
    ];
    let mut codes = Vec::new();
    for _ in 0..=retries {
        let path = tools.path("/usr/bin:/bin");
        let code = run(&["busybox", "sh"], &script, &variables, &path).await?;
        codes.push(code.context("killed")?);
        if code == Some(0) {
            break;
        }
    }
    assert_eq!(codes.last(), Some(&0), "{codes:?}");
    assert_eq!(codes.first(), Some(&2), "{codes:?}");
    assert_eq!(bench.rollouts("checkout").await?, 1, "one key, one rollout");
    Ok(())
}

#[tokio::test]
async fn the_step_of_github_ends_with_the_code_of_the_verdict() -> anyhow::Result<()> {
    let workflow = document("ci/github-actions.yaml")?;
    let step = &workflow["jobs"]["gate"]["steps"][0];
    let script = step["run"].as_str().context("no run")?;
    let script = hastened(&script.replace("${{ github.run_id }}", "17"));
    assert!(!script.contains("${{"), "{script}");
    let tools = Tools::new()?;
    for (play, code) in PLAYS {
        let (answers, url) = server(play).await?;
        let variables = [("SERINUS_SERVER", url.as_str()), ("SERINUS_TOKEN", TOKEN)];
        for (name, _) in variables {
            assert!(step["env"].get(name).is_some(), "the step has no {name}");
        }
        let path = tools.path("/usr/bin:/bin");
        // GitHub's shell where a step names none.
        let ended = run(&["bash", "-e"], &script, &variables, &path).await?;
        assert_eq!(ended, Some(code), "{play}");
        assert_asked(answers.as_ref(), "17");
    }
    Ok(())
}

#[tokio::test]
async fn the_script_of_jenkins_ends_with_the_code_that_the_pipeline_looks_at() -> anyhow::Result<()>
{
    let text = std::fs::read_to_string(repository_path("examples/ci/Jenkinsfile"))?;
    let (_, after) = text.split_once("script: '").context("no script")?;
    let (script, _) = after.split_once('\'').context("no end of the script")?;
    for rule in [
        "returnStatus: true",
        "while (code == 2)",
        "if (code == 1) { error(",
        "if (code > 2) { error(",
        "if (code == 2) { input(",
        "SERINUS_SERVER = ",
        "SERINUS_TOKEN = credentials(",
    ] {
        assert!(text.contains(rule), "{rule}");
    }
    let tools = Tools::new()?;
    let script = hastened(script);
    for (play, code) in PLAYS {
        let (answers, url) = server(play).await?;
        let variables = [
            ("SERINUS_SERVER", url.as_str()),
            ("SERINUS_TOKEN", TOKEN),
            ("BUILD_TAG", "jenkins-release-17"),
        ];
        let path = tools.path("/usr/bin:/bin");
        let ended = run(&["sh", "-xe"], &script, &variables, &path).await?;
        assert_eq!(ended, Some(code), "{play}");
        assert_asked(answers.as_ref(), "jenkins-release-17");
    }
    Ok(())
}

/// Tekton starts the image's entrypoint with the arguments, without a shell.
#[tokio::test]
async fn the_task_of_tekton_ends_with_the_code_of_the_verdict() -> anyhow::Result<()> {
    let [task, run_of_it] = manifest("ci/tekton-task.yaml")?
        .try_into()
        .map_err(|_| anyhow::anyhow!("a Task and a run of it"))?;
    let task = &task["spec"];
    let given = &run_of_it["spec"]["pipelineSpec"]["tasks"][0];
    assert_eq!(given["taskRef"]["name"], "serinus-gate");
    let step = &task["steps"][0];
    assert!(step.get("script").is_none() && step.get("command").is_none());
    for (play, code) in PLAYS {
        let (answers, url) = server(play).await?;
        let arguments = step["args"].as_array().context("no args")?.iter();
        let arguments: Vec<String> = arguments
            .map(|argument| tekton_argument(argument, task, given))
            .collect::<anyhow::Result<_>>()?;
        let mut command = Command::new(serinus_binary()?);
        command
            .env_clear()
            .args(&arguments)
            .args(["--poll", "200ms"]);
        for variable in step["env"].as_array().into_iter().flatten() {
            let name = variable["name"].as_str().unwrap_or_default();
            let value = if name == "SERINUS_SERVER" {
                url.as_str()
            } else {
                TOKEN
            };
            command.env(name, value);
        }
        let ended = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .await?;
        assert_eq!(ended.code(), Some(code), "{play}: {arguments:?}");
        assert_asked(answers.as_ref(), "uid-17");
    }
    Ok(())
}

/// Puts the parameter in: of the run, else the Task's default.
fn tekton_argument(argument: &Value, task: &Value, given: &Value) -> anyhow::Result<String> {
    let text = argument.as_str().context("no text")?;
    let Some(name) = text
        .strip_prefix("$(params.")
        .and_then(|rest| rest.strip_suffix(')'))
    else {
        return Ok(text.to_owned());
    };
    let of = |list: &Value, field: &str| {
        let all = list.as_array().into_iter().flatten();
        let found = all
            .filter(|one| one["name"] == name)
            .find_map(|one| one[field].as_str());
        found.map(str::to_owned)
    };
    if name == "timeout" {
        return Ok("2s".to_owned());
    }
    let value = of(&given["params"], "value").or_else(|| of(&task["params"], "default"));
    let value = value.with_context(|| format!("nothing gives {name}"))?;
    Ok(value.replace("$(context.pipelineRun.uid)", "uid-17"))
}

/// Every command that a page or an example gives to a shell can at least be read by one.
#[tokio::test]
async fn the_commands_of_the_pages_can_be_read_by_a_shell() -> anyhow::Result<()> {
    let mut pages: Vec<PathBuf> = vec![repository_path("README.md")];
    for folder in ["docs", "docs/integrations"] {
        for entry in std::fs::read_dir(repository_path(folder))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    let mut blocks = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page)?;
        for block in text.split("```sh\n").skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            let ended = run(&["sh", "-n"], block, &[], "/usr/bin:/bin").await?;
            assert_eq!(ended, Some(0), "{}:\n{block}", shown(&page));
            blocks += 1;
        }
    }
    assert!(blocks > 10, "{blocks}");
    Ok(())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
