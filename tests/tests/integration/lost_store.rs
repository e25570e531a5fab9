//! The store's files are removed, replaced or overwritten under a process that uses them: what
//! `/readyz` and the gates say from then on, and what the next process says.
//!
//! Whatever becomes of them, nothing is promoted by a store that is lost, a rollback that was told is
//! told again, and none is forgotten unsaid.

#![expect(
    clippy::indexing_slicing,
    reason = "a document without what is looked for fails the test"
)]

use std::fs::{self, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use serinus_tests::{Reply, SerinusProcess, ServeOptions, run_command, serinus_binary, wait_until};
use tempfile::TempDir;

/// Nobody listens there: verdicts come from a person.
const UNREACHABLE: &str = "http://127.0.0.1:9";

const PIPELINE: &str = "preset: prometheus\ncontrol: {track: stable}\ncanary: {track: canary}\n\
    canary_pipeline: {first: {traffic_percent: 10, duration_minutes: 5, metrics: [error_rate < 1%]}, \
    second: {traffic_percent: 50, duration_minutes: 5, metrics: [error_rate < 1%]}}";

/// Within which all is told: looks are at most a tenth of a second old.
const AT_ONCE: Duration = Duration::from_millis(500);

/// How long a process may take to end.
const END_BOUND: Duration = Duration::from_secs(20);

/// What is said of a file that no process starts on.
const DAMAGED: [&str; 2] = ["is damaged", "put a backup in its place"];

/// A store with a rollback, a promotion and an open rollout, and a process that uses it.
struct Place {
    folder: TempDir,
    serinus: SerinusProcess,
}

impl Place {
    /// What was recorded is in the file itself but for the last that is recorded.
    async fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("pipelines"))?;
        fs::write(folder.path().join("pipelines/shop.yaml"), PIPELINE)?;
        fs::create_dir(folder.path().join("store"))?;
        let serinus = serve(folder.path()).await?;
        let mut place = Self { folder, serinus };
        place.begin("open").await?;
        place.decide("bad", "rollback").await?;
        place.decide("good", "promote").await?;
        place.stop_well().await?;
        place.serinus = serve(place.folder.path()).await?;
        Ok(place)
    }

    fn store(&self, suffix: &str) -> PathBuf {
        store(self.folder.path(), suffix)
    }

    async fn begin(&self, key: &str) -> anyhow::Result<Reply> {
        let path = "/v1/pipelines/shop/stages/first/gate";
        self.serinus.post(path, &json!({"key": key})).await
    }

    async fn decide(&self, key: &str, verdict: &str) -> anyhow::Result<()> {
        let begun = self.begin(key).await?;
        let path = format!("/v1/rollouts/{}/override", begun.text("/rollout"));
        let body = json!({"verdict": verdict, "reason": "a test"});
        let decided = self.serinus.post(&path, &body).await?;
        anyhow::ensure!(decided.status == 200, "{}", decided.body);
        Ok(())
    }

    /// The verdict, the reason code and the reason of a gate.
    async fn gate(&self, key: &str) -> anyhow::Result<(String, String, String)> {
        let path = format!("/v1/pipelines/shop/stages/first/gate?key={key}");
        let told = self.serinus.get(&path).await?;
        anyhow::ensure!(told.status == 200, "{}", told.body);
        let text = |pointer: &str| told.text(pointer).to_owned();
        Ok((text("/verdict"), text("/reason_code"), text("/gate/reason")))
    }

    /// Ends the process as an orchestrator does.
    async fn stop_well(&mut self) -> anyhow::Result<()> {
        self.serinus.process().terminate()?;
        self.serinus.process().wait(END_BOUND).await?;
        Ok(())
    }

    async fn restart(&mut self) -> anyhow::Result<()> {
        self.serinus.process().kill();
        self.serinus = serve(self.folder.path()).await?;
        Ok(())
    }

    /// `/readyz` is red by the store, whose check says this.
    async fn assert_lost(&self, said: &str) -> anyhow::Result<()> {
        let ready = self.serinus.get("/readyz").await?;
        let check = store_check(&ready)?;
        assert_eq!(ready.status, 503, "{}", ready.body);
        assert_eq!(
            (&check["ok"], &check["required"]),
            (&json!(false), &json!(true)),
            "{check}"
        );
        let message = check["message"].as_str().unwrap_or_default();
        assert!(message.contains(said), "{message}");

        // Nothing is promoted, also what was; a rollback goes on being told.
        let (verdict, code, reason) = self.gate("good").await?;
        assert_eq!(
            (verdict.as_str(), code.as_str()),
            ("hold", "store_unavailable"),
            "{reason}"
        );
        assert!(reason.contains(said), "{reason}");
        assert_eq!(self.gate("bad").await?.0, "rollback");
        // What holds says why before long.
        wait_until("the open one says so", AT_ONCE, async || {
            let (verdict, code, reason) = self.gate("open").await?;
            assert_eq!(verdict, "hold");
            let is_told = code == "store_unavailable" && reason.contains(said);
            Ok(is_told.then_some(()))
        })
        .await?;

        // Nothing begins and nothing changes.
        let (verdict, code, reason) = self.gate("new").await?;
        assert_eq!(
            (verdict.as_str(), code.as_str()),
            ("hold", "store_unavailable"),
            "{reason}"
        );
        assert!(reason.contains(said), "{reason}");
        let body = json!({"pipeline": "shop", "key": "other"});
        let started = self.serinus.post("/v1/rollouts", &body).await?;
        assert_eq!(started.status, 503, "{}", started.body);
        assert!(started.text("/detail").contains(said), "{}", started.body);
        let log = self.serinus.log();
        let told = log
            .lines()
            .filter(|line| line.contains("nothing more is recorded"))
            .count();
        assert_eq!(told, 1, "once: {log}");
        Ok(())
    }

    /// `/readyz` is green, and all that was told is told.
    async fn assert_well(&self) -> anyhow::Result<()> {
        let ready = self.serinus.get("/readyz").await?;
        assert_eq!(store_check(&ready)?["ok"], json!(true), "{}", ready.body);
        assert_eq!(ready.status, 200, "{}", ready.body);
        assert_eq!(self.gate("bad").await?.0, "rollback");
        assert_eq!(self.gate("good").await?.0, "promote");
        let (verdict, code, _) = self.gate("open").await?;
        assert_eq!(verdict, "hold");
        assert_ne!(code, "store_unavailable");
        Ok(())
    }

    /// A restart that goes on without what was recorded says so, for as long as it matters.
    async fn assert_parted(&mut self, said: &str) -> anyhow::Result<()> {
        for round in ["first", "second"] {
            let ready = self.serinus.get("/readyz").await?;
            let check = store_check(&ready)?;
            assert_eq!(ready.status, 200, "{}", ready.body);
            assert_eq!(
                (&check["ok"], &check["required"]),
                (&json!(false), &json!(false))
            );
            let message = check["message"].as_str().unwrap_or_default();
            assert!(message.contains(said), "{round}: {message}");
            let log = self.serinus.log();
            let line = log.lines().find(|line| line.contains(said));
            assert!(
                line.is_some_and(|line| line.contains("WARN")),
                "{round}: {log}"
            );
            let (verdict, _, reason) = self.gate(round).await?;
            assert_eq!(verdict, "hold");
            assert!(reason.contains(said), "{reason}");
            self.restart().await?;
        }
        Ok(())
    }

    /// No process starts on the file as it is, and it is said why and what to do.
    async fn assert_refused(&mut self, said: [&str; 2]) -> anyhow::Result<()> {
        self.serinus.process().kill();
        let store = format!("sqlite:{}", self.store("").display());
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--store", &store];
        let ended = run_command(&serinus_binary()?, &arguments, END_BOUND).await?;
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        for part in said {
            assert!(ended.stderr.contains(part), "{}", ended.stderr);
        }
        Ok(())
    }
}

fn store(folder: &Path, suffix: &str) -> PathBuf {
    folder.join(format!("store/serinus.db{suffix}"))
}

async fn serve(folder: &Path) -> anyhow::Result<SerinusProcess> {
    SerinusProcess::serve_with(&ServeOptions {
        prometheus_url: UNREACHABLE.to_owned(),
        pipelines: folder.join("pipelines"),
        store: Some(store(folder, "")),
        ..ServeOptions::default()
    })
    .await
}

fn store_check(ready: &Reply) -> anyhow::Result<Value> {
    let checks = ready.body["checks"].as_array().context("no checks")?;
    let store = checks.iter().find(|check| check["name"] == "store");
    store.cloned().context("no check of the store")
}

fn overwrite(path: &Path, from: u64, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.seek(SeekFrom::Start(from))?;
    file.write_all(bytes)?;
    Ok(())
}

/// Bytes without a pattern.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[tokio::test]
async fn a_store_that_is_removed_is_told_and_a_new_one_says_that_it_is_new() -> anyhow::Result<()> {
    assert_removal_is_told(&["", "-wal", "-shm"]).await
}

/// These files are removed: it is told, and the next process says that its store is new.
async fn assert_removal_is_told(suffixes: &[&str]) -> anyhow::Result<()> {
    let mut place = Place::new().await?;
    place.assert_well().await?;
    for suffix in suffixes {
        fs::remove_file(place.store(suffix))?;
    }
    place
        .assert_lost("the file of the store was removed")
        .await?;
    place.restart().await?;
    place.assert_parted("the store is new since").await
}

/// What most people write to remove a store takes the file of its lock away as well, and with it what
/// tells the next process that there was one.
#[tokio::test]
async fn a_store_that_is_removed_with_its_lock_is_told_and_the_new_one_says_that_it_is_new()
-> anyhow::Result<()> {
    assert_removal_is_told(&["", "-wal", "-shm", "-lock"]).await
}

/// By it a second process would know that this one uses the store alone.
#[tokio::test]
async fn a_lock_that_is_removed_is_written_again_and_held() -> anyhow::Result<()> {
    let place = Place::new().await?;
    fs::remove_file(place.store("-lock"))?;
    place.assert_well().await?;
    let ready = place.serinus.get("/readyz").await?;
    assert_eq!(ready.status, 200, "{}", ready.body);
    assert!(place.store("-lock").exists());
    let second = serve(place.folder.path()).await;
    let refused = second.err().context("a second process has started")?;
    assert!(
        format!("{refused:#}").contains("another process uses it"),
        "{refused:#}"
    );
    place.assert_well().await
}

#[tokio::test]
async fn a_wal_that_is_cut_in_its_place_is_told() -> anyhow::Result<()> {
    let place = Place::new().await?;
    place.assert_well().await?;
    place.decide("worse", "rollback").await?;
    fs::write(place.store("-wal"), "")?;
    place.assert_lost("was cut off").await
}

#[tokio::test]
async fn a_file_that_comes_back_is_the_store_again_by_itself() -> anyhow::Result<()> {
    let place = Place::new().await?;
    let aside = place.store(".aside");
    for (suffix, said) in [
        ("", "the file of the store was removed"),
        ("-wal", "the -wal file of the store was removed"),
        ("-shm", "the -shm file of the store was removed"),
    ] {
        fs::rename(place.store(suffix), &aside)?;
        let ready = place.serinus.get("/readyz").await?;
        assert_eq!(ready.status, 503, "{}", ready.body);
        assert!(ready.body.to_string().contains(said), "{}", ready.body);
        assert_eq!(place.gate("good").await?.1, "store_unavailable");
        fs::rename(&aside, place.store(suffix))?;
        place.assert_well().await?;
        assert_eq!(place.begin(&format!("after{suffix}")).await?.status, 200);
    }
    Ok(())
}

#[tokio::test]
async fn an_older_copy_in_its_place_is_told_and_the_next_process_says_what_it_lacks()
-> anyhow::Result<()> {
    let mut place = Place::new().await?;
    place.stop_well().await?;
    fs::copy(place.store(""), place.store(".copy"))?;
    place.serinus = serve(place.folder.path()).await?;
    place.decide("worse", "rollback").await?;
    fs::rename(place.store(".copy"), place.store(""))?;
    place
        .assert_lost("the file of the store was replaced")
        .await?;
    // What was recorded last in the other file would be written into this one.
    place
        .assert_refused(["its -wal file is of another file", "remove -wal and -shm"])
        .await?;
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(place.store(suffix))?;
    }
    place.serinus = serve(place.folder.path()).await?;
    assert_eq!(place.gate("bad").await?.0, "rollback");
    place.assert_parted("lacks what was recorded last").await
}

#[tokio::test]
async fn an_empty_file_in_its_place_is_told_and_the_next_process_says_that_it_is_new()
-> anyhow::Result<()> {
    let mut place = Place::new().await?;
    fs::write(place.store(".empty"), "")?;
    fs::rename(place.store(".empty"), place.store(""))?;
    place
        .assert_lost("the file of the store was replaced")
        .await?;
    place.restart().await?;
    place.assert_parted("the store is new since").await
}

#[tokio::test]
async fn another_store_copied_into_the_same_file_is_told() -> anyhow::Result<()> {
    let mut place = Place::new().await?;
    let mut other = Place::new().await?;
    other.stop_well().await?;
    place.assert_well().await?;
    // The same file: only what it holds is another's.
    fs::copy(other.store(""), place.store(""))?;
    place.assert_lost("it holds another store").await?;
    place.serinus.process().kill();
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(place.store(suffix))?;
    }
    place.serinus = serve(place.folder.path()).await?;
    place
        .assert_parted("the store is another one than before")
        .await
}

#[tokio::test]
async fn a_middle_that_is_overwritten_is_told_and_no_process_starts_on_it() -> anyhow::Result<()> {
    for bytes in [vec![0; 64 * 1024], noise(64 * 1024)] {
        let mut place = Place::new().await?;
        place.assert_well().await?;
        overwrite(&place.store(""), 8 * 1024, &bytes)?;
        place
            .assert_lost("another program has overwritten the file of the store")
            .await?;
        place.assert_refused(DAMAGED).await?;
    }
    Ok(())
}

/// While it is in use it does no harm where the -wal file has it too.
#[tokio::test]
async fn no_process_starts_on_a_file_whose_header_was_overwritten() -> anyhow::Result<()> {
    let mut place = Place::new().await?;
    place.stop_well().await?;
    overwrite(&place.store(""), 0, &[0; 100])?;
    place.assert_refused(DAMAGED).await
}

#[tokio::test]
async fn a_wal_that_is_removed_loses_nothing_when_the_process_ends_well() -> anyhow::Result<()> {
    let mut place = Place::new().await?;
    place.decide("worse", "rollback").await?;
    fs::remove_file(place.store("-wal"))?;
    place
        .assert_lost("the -wal file of the store was removed")
        .await?;
    assert_eq!(place.gate("worse").await?.0, "rollback");
    place.stop_well().await?;
    place.serinus = serve(place.folder.path()).await?;
    assert_eq!(place.gate("worse").await?.0, "rollback");
    place.assert_well().await
}

#[tokio::test]
async fn a_wal_that_is_lost_with_its_process_is_missed_by_the_next() -> anyhow::Result<()> {
    let mut place = Place::new().await?;
    place.decide("worse", "rollback").await?;
    fs::remove_file(place.store("-wal"))?;
    place
        .assert_lost("the -wal file of the store was removed")
        .await?;
    place.restart().await?;
    assert_eq!(place.gate("bad").await?.0, "rollback");
    place.assert_parted("lacks what was recorded last").await
}

#[tokio::test]
async fn a_look_by_other_programs_changes_nothing() -> anyhow::Result<()> {
    let place = Place::new().await?;
    // As a backup does: it reads, and touches.
    fs::copy(place.store(""), place.store(".backup"))?;
    let file = OpenOptions::new().append(true).open(place.store(""))?;
    file.set_modified(std::time::SystemTime::now())?;
    place.assert_well().await?;
    assert_eq!(place.begin("after").await?.status, 200);
    Ok(())
}
