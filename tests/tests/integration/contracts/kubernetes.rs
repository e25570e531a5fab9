//! `kubectl apply -k examples/kubernetes`: that its parts fit together, and that the container which it
//! describes runs with what Kubernetes mounts into it.

#![expect(
    clippy::indexing_slicing,
    reason = "a document without what is looked for fails the test"
)]

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use reqwest::Method;
use serde_json::{Value, json};
use serinus_tests::{SerinusProcess, repository_path, run_command, serinus_binary, wait_until};

use super::bench::{document, manifest};

/// How long the service goes on answering after SIGTERM.
const DRAIN_SECONDS: u64 = 10;

/// The longest answer, and its way back.
const ANSWER_SECONDS: u64 = 10;

fn object(kind: &str) -> anyhow::Result<Value> {
    let all = manifest("kubernetes/serinus.yaml")?;
    let found = all.into_iter().find(|one| one["kind"] == kind);
    found.with_context(|| format!("no {kind}"))
}

fn pod() -> anyhow::Result<Value> {
    Ok(object("Deployment")?["spec"]["template"]["spec"].clone())
}

fn read(path: &str) -> anyhow::Result<Value> {
    Ok(serde_saphyr::from_str(&std::fs::read_to_string(
        repository_path(path),
    )?)?)
}

#[test]
fn the_kustomization_finds_its_parts_and_renames_the_image() -> anyhow::Result<()> {
    let whole = document("kubernetes/kustomization.yaml")?;
    let folder = repository_path("examples/kubernetes");
    for part in whole["resources"].as_array().context("no resources")? {
        let path = folder.join(part.as_str().unwrap_or_default());
        assert!(path.exists(), "{}", path.display());
    }
    let pod = pod()?;
    let image = pod["containers"][0]["image"].as_str().unwrap_or_default();
    let (name, _) = image.rsplit_once(':').context("no tag")?;
    assert_eq!(
        whole["images"][0]["name"], name,
        "another image would not be renamed"
    );
    assert_eq!(
        whole["namespace"],
        document("kubernetes/namespace.yaml")?["metadata"]["name"]
    );

    // The ConfigMap is made of the only checkout.yaml, under the name that is mounted.
    let pipelines = read("pipelines/Kustomization")?;
    let made = &pipelines["configMapGenerator"][0];
    assert_eq!(pipelines["generatorOptions"]["disableNameSuffixHash"], true);
    assert_eq!(made["files"], json!(["checkout.yaml"]));
    let mounted = pod["volumes"].as_array().into_iter().flatten();
    let mut names = mounted.filter_map(|volume| volume.pointer("/configMap/name"));
    assert_eq!(names.next(), Some(&made["name"]));
    Ok(())
}

/// A placeholder that is applied again would take the tokens away.
#[test]
fn the_secret_is_not_among_what_is_applied() -> anyhow::Result<()> {
    assert!(object("Secret").is_err() && object("ConfigMap").is_err());
    let pod = pod()?;
    let volumes = pod["volumes"].as_array().into_iter().flatten();
    let mut secrets = volumes.filter_map(|volume| volume.pointer("/secret/secretName"));
    assert_eq!(secrets.next(), Some(&json!("serinus-tokens")));
    let page = std::fs::read_to_string(repository_path("docs/from-clone-to-cluster.md"))?;
    assert!(
        page.contains("create secret generic serinus-tokens"),
        "the page makes it"
    );
    Ok(())
}

#[test]
fn one_process_has_the_store_and_is_given_the_time_to_end() -> anyhow::Result<()> {
    let deployment = object("Deployment")?;
    assert_eq!(deployment["spec"]["replicas"], 1);
    assert_eq!(deployment["spec"]["strategy"]["type"], "Recreate");
    let claim = object("PersistentVolumeClaim")?;
    assert_eq!(claim["spec"]["accessModes"], json!(["ReadWriteOnce"]));
    let pod = pod()?;
    let grace = pod["terminationGracePeriodSeconds"]
        .as_u64()
        .context("no grace")?;
    assert!(grace > DRAIN_SECONDS + ANSWER_SECONDS, "{grace}");
    let container = &pod["containers"][0];
    for (probe, path) in [
        ("startupProbe", "/healthz"),
        ("readinessProbe", "/readyz"),
        ("livenessProbe", "/healthz"),
    ] {
        assert_eq!(
            container[probe]["httpGet"],
            json!({"path": path, "port": "http"}),
            "{probe}"
        );
    }
    // Nothing can be written but to the volume, and there by the user that the image has.
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(
        pod["securityContext"]["runAsUser"],
        pod["securityContext"]["fsGroup"]
    );
    let store = variables(&pod)
        .into_iter()
        .find(|(name, _)| name == "SERINUS_STORE");
    let (_, store) = store.context("no store")?;
    let mounts = container["volumeMounts"].as_array().into_iter().flatten();
    let mut writable = mounts
        .filter(|mount| mount["readOnly"] != true)
        .filter_map(|mount| mount["mountPath"].as_str());
    let path = writable.next().context("nothing can be written")?;
    assert!(store.starts_with(&format!("sqlite:{path}/")), "{store}");
    assert_eq!(writable.next(), None);
    Ok(())
}

fn variables(pod: &Value) -> Vec<(String, String)> {
    let listed = pod["containers"][0]["env"].as_array().into_iter().flatten();
    listed
        .filter_map(|one| {
            Some((
                one["name"].as_str()?.to_owned(),
                one["value"].as_str()?.to_owned(),
            ))
        })
        .collect()
}

#[test]
fn every_variable_is_one_that_serinus_reads() -> anyhow::Result<()> {
    let reference = std::fs::read_to_string(repository_path("docs/configuration.md"))?;
    for (name, _) in variables(&pod()?) {
        assert!(reference.contains(&format!("`{name}`")), "{name}");
    }
    Ok(())
}

/// A volume as the kubelet makes it: its files are links into a folder that is swapped as a whole.
fn mount(at: &Path, version: &str, file: &str, text: &str) -> anyhow::Result<()> {
    let folder = at.join(format!("..{version}"));
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(file), text)?;
    let next = at.join("..data_tmp");
    symlink(format!("..{version}"), &next)?;
    std::fs::rename(&next, at.join("..data"))?;
    let link = at.join(file);
    if !link.exists() {
        symlink(format!("..data/{file}"), link)?;
    }
    Ok(())
}

/// The folders of the manifest lie elsewhere here; all else is as it stands.
#[tokio::test]
async fn the_container_runs_with_the_volumes_of_kubernetes() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let place = |name: &str| folder.path().join(name);
    for name in ["store", "pipelines", "tokens"] {
        std::fs::create_dir(place(name))?;
    }
    let pipeline = std::fs::read_to_string(repository_path("pipelines/checkout.yaml"))?;
    mount(&place("pipelines"), "1", "checkout.yaml", &pipeline)?;
    let arguments = ["token", "--name", "ops", "--scopes", "read"];
    let made = run_command(&serinus_binary()?, &arguments, Duration::from_secs(20)).await?;
    let (token, entry) = made.stdout.split_once('\n').context("two lines")?;
    mount(&place("tokens"), "1", "tokens.yaml", entry)?;

    let pod = pod()?;
    let container = &pod["containers"][0];
    let mut variables = variables(&pod);
    for (_, value) in &mut variables {
        for mount in container["volumeMounts"].as_array().context("no mounts")? {
            let name = mount["name"].as_str().unwrap_or_default();
            let path = mount["mountPath"].as_str().unwrap_or_default();
            *value = value.replace(path, &place(name).display().to_string());
        }
    }
    let arguments = container["args"].as_array().into_iter().flatten();
    let arguments: Vec<&str> = arguments.filter_map(Value::as_str).collect();
    let serinus = SerinusProcess::serve_with_environment(&arguments, &variables).await?;

    let first_stage = async || {
        let request = serinus.request(Method::GET, "/v1/pipelines/checkout");
        let answer: Value = request.bearer_auth(token).send().await?.json().await?;
        let told = answer.to_string();
        anyhow::Ok(told)
    };
    assert!(first_stage().await?.contains("A tenth"));
    // `kubectl apply -k` again, with another text: it is read without a restart.
    let changed = pipeline.replace("A tenth", "A tithe");
    mount(&place("pipelines"), "2", "checkout.yaml", &changed)?;
    let bound = Duration::from_secs(10);
    wait_until("the changed pipeline is read", bound, async || {
        Ok(first_stage().await?.contains("A tithe").then_some(()))
    })
    .await
}
