//! All pipelines of the server: those of its folder, and those that were put over HTTP.
//!
//! A file counts before what was put: whoever keeps pipelines in a repository must be able to rely
//! on them. So a name that a file defines can be neither put nor deleted; where the file came
//! later, what was put is told as hidden.
//!
//! What was put is in the store, and here in memory: gates ask while the store is away. With a
//! store of this process alone it is read once; with a shared one it is read again while it is
//! used, and a name that is not known is looked up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serinus_analysis::pipeline::{self, Diagnostic, Pipeline};
use serinus_openapi::pipeline::FileProblem;
use tokio::time::Instant;

use super::{Folder, Known, KnownPipeline, Origin};
use crate::store::{Store, StoreError, StoredPipeline};
use crate::time::UnixMillis;

/// How long a look at a shared store is good for, and how long a failed one is not repeated.
const GOOD_FOR: Duration = Duration::from_secs(2);

/// Most pipelines that are put: all are held in memory, and read at once.
const MOST_PUT: usize = 1_000;

/// The pipelines of the folder and of the store.
#[derive(Debug)]
pub(crate) struct Catalogue {
    folder: Arc<Folder>,
    store: Store,
    is_store_shared: bool,
    good_for: Duration,
    state: Mutex<State>,
    /// Held while the store is read or written, so that a look cannot undo a later write.
    at_the_store: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// What was put, by name; nothing before it was read.
    put: Option<BTreeMap<String, PutPipeline>>,
    looked_at: Option<Instant>,
    /// What the folder held, and everything together.
    merged: Option<(Arc<Known>, Arc<Known>)>,
}

/// A pipeline that was put.
#[derive(Debug, Clone)]
pub(super) struct PutPipeline {
    pub(super) text: Arc<str>,
    pub(super) updated_ms: UnixMillis,
    /// Its mistakes, when a newer Serinus no longer accepts what an older one did.
    pub(super) pipeline: Result<Arc<Pipeline>, Vec<Diagnostic>>,
}

/// Why a pipeline cannot be put or deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CatalogueError {
    /// It is not for HTTP to change.
    #[error(
        "pipeline {name:?} is defined by {file} in the server's folder: change the file there, or \
         use another name"
    )]
    DefinedByFile {
        /// The pipeline.
        name: String,
        /// The file.
        file: String,
    },
    /// There are as many as there may be.
    #[error("{MOST_PUT} pipelines were put, and there may be no more: delete one that is not used")]
    TooMany,
    /// The store cannot be used now.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Catalogue {
    /// Returns the pipelines of a folder and a store, which other processes may use as well.
    pub(crate) fn new(folder: Arc<Folder>, store: Store, is_store_shared: bool) -> Self {
        Self {
            folder,
            store,
            is_store_shared,
            good_for: GOOD_FOR,
            state: Mutex::default(),
            at_the_store: tokio::sync::Mutex::default(),
        }
    }

    /// The folder, for a test that changed a file to look at once.
    #[cfg(test)]
    pub(crate) fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// Reads what was put, and returns how many there are. For the start: without it, it is read
    /// when it is used first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub(crate) async fn load(&self) -> Result<usize, StoreError> {
        let _at_the_store = self.at_the_store.lock().await;
        self.look().await
    }

    /// Returns all that is known, after a look at what may have changed. While the store cannot be
    /// read, what was read before counts.
    pub(crate) async fn known(&self) -> Arc<Known> {
        let folder = self.folder.known().await;
        self.look_when_due().await;
        self.merged(&folder)
    }

    /// Finds the pipeline of a name, also one that another process has put just now.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is not known and the store cannot be asked.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<KnownPipeline>, StoreError> {
        if let Some(found) = self.known().await.get(name) {
            return Ok(Some(found.clone()));
        }
        if !self.is_store_shared && self.state().put.is_some() {
            return Ok(None);
        }
        let stored = self.store.pipeline(name).await?;
        Ok(stored.and_then(|stored| PutPipeline::read(&stored).known()))
    }

    /// Puts a pipeline, in the place of one that was put before. Says whether its name is new.
    ///
    /// # Errors
    ///
    /// [`CatalogueError`] when a file defines it, there are too many, or it cannot be kept.
    pub(crate) async fn put(
        &self,
        pipeline: Arc<Pipeline>,
        text: Arc<str>,
        now: UnixMillis,
    ) -> Result<bool, CatalogueError> {
        let name = pipeline.name.clone();
        self.not_of_a_file(&name).await?;
        let _at_the_store = self.at_the_store.lock().await;
        self.read_first().await?;
        let is_one_too_many = self
            .state()
            .put
            .as_ref()
            .is_some_and(|put| put.len() >= MOST_PUT && !put.contains_key(&name));
        if is_one_too_many {
            return Err(CatalogueError::TooMany);
        }
        let stored = StoredPipeline {
            name: name.clone(),
            updated_ms: now,
            text: text.to_string(),
        };
        let is_new = self.store.put_pipeline(&stored).await?;
        self.change(|put| {
            let one = PutPipeline {
                text,
                updated_ms: now,
                pipeline: Ok(pipeline),
            };
            put.insert(name, one);
        });
        Ok(is_new)
    }

    /// Deletes a pipeline that was put. Says whether there was one.
    ///
    /// # Errors
    ///
    /// [`CatalogueError`] when a file defines it, or the store cannot be used.
    pub(crate) async fn delete(&self, name: &str) -> Result<bool, CatalogueError> {
        self.not_of_a_file(name).await?;
        let _at_the_store = self.at_the_store.lock().await;
        self.read_first().await?;
        let was_there = self.store.delete_pipeline(name).await?;
        self.change(|put| {
            put.remove(name);
        });
        Ok(was_there)
    }

    async fn not_of_a_file(&self, name: &str) -> Result<(), CatalogueError> {
        match self.folder.known().await.get(name) {
            Some(KnownPipeline {
                origin: Origin::File(file),
                ..
            }) => Err(CatalogueError::DefinedByFile {
                name: name.to_owned(),
                file: file.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Reads what was put, unless it was read before. The lock of the store must be held.
    async fn read_first(&self) -> Result<(), StoreError> {
        if self.state().put.is_none() {
            self.look().await?;
        }
        Ok(())
    }

    async fn look_when_due(&self) {
        let (was_read, is_due) = {
            let state = self.state();
            let was_read = state.put.is_some();
            let is_old = self.is_old(&state);
            (was_read, is_old && (self.is_store_shared || !was_read))
        };
        if !is_due {
            return;
        }
        // Who comes while another looks is served with what was known, if anything was.
        let at_the_store = if was_read {
            self.at_the_store.try_lock().ok()
        } else {
            Some(self.at_the_store.lock().await)
        };
        let is_still_due = self.is_old(&self.state());
        if at_the_store.is_none() || !is_still_due {
            return;
        }
        if let Err(error) = self.look().await {
            tracing::warn!(%error, "the pipelines that were put are served as they were: {error}");
        }
    }

    fn is_old(&self, state: &State) -> bool {
        let looked_at = state.looked_at;
        looked_at.is_none_or(|at| at.elapsed() >= self.good_for)
    }

    /// Reads everything that was put. The lock of the store must be held.
    async fn look(&self) -> Result<usize, StoreError> {
        let read = self.store.pipelines().await;
        let mut state = self.state();
        state.looked_at = Some(Instant::now());
        let stored = read?;
        let before = state.put.take().unwrap_or_default();
        let put: BTreeMap<String, PutPipeline> = stored
            .into_iter()
            .map(|stored| {
                let known = before.get(&stored.name);
                let same = known.filter(|known| *known.text == *stored.text);
                let one = same.map_or_else(
                    || PutPipeline::read(&stored),
                    |same| PutPipeline {
                        updated_ms: stored.updated_ms,
                        ..same.clone()
                    },
                );
                (stored.name, one)
            })
            .collect();
        let count = put.len();
        state.put = Some(put);
        state.merged = None;
        Ok(count)
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, PutPipeline>)) {
        let mut state = self.state();
        change(state.put.get_or_insert_default());
        state.merged = None;
    }

    fn merged(&self, folder: &Arc<Known>) -> Arc<Known> {
        let mut state = self.state();
        if let Some((of, merged)) = &state.merged
            && Arc::ptr_eq(of, folder)
        {
            return Arc::clone(merged);
        }
        let merged = match &state.put {
            Some(put) if !put.is_empty() => Arc::new(folder.with_put(put)),
            _ => Arc::clone(folder),
        };
        state.merged = Some((Arc::clone(folder), Arc::clone(&merged)));
        merged
    }

    /// Each change is one assignment: a panic elsewhere leaves it whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PutPipeline {
    fn read(stored: &StoredPipeline) -> Self {
        Self {
            text: stored.text.as_str().into(),
            updated_ms: stored.updated_ms,
            pipeline: pipeline::parse(&stored.text, &stored.name).map(Arc::new),
        }
    }

    /// As it is known, when it can be used.
    pub(super) fn known(&self) -> Option<KnownPipeline> {
        let pipeline = self.pipeline.as_ref().ok()?;
        Some(KnownPipeline {
            pipeline: Arc::clone(pipeline),
            text: Arc::clone(&self.text),
            origin: Origin::Put {
                updated_ms: self.updated_ms,
            },
            problem: None,
        })
    }

    /// Why it is not used, when a file of the same name is (`hidden_by`), or when it has mistakes.
    pub(super) fn problem(&self, name: &str, hidden_by: Option<&str>) -> Option<FileProblem> {
        let (message, diagnostics) = match (hidden_by, &self.pipeline) {
            (Some(file), _) => (
                format!(
                    "{file} defines a pipeline of the same name, which counts: to delete what was \
                     put here, take the file away first"
                ),
                &[][..],
            ),
            (None, Err(diagnostics)) => (
                "this version of Serinus does not accept it: put it again without the mistakes"
                    .to_owned(),
                diagnostics.as_slice(),
            ),
            (None, Ok(_)) => return None,
        };
        Some(FileProblem {
            file: format!("/v1/pipelines/{name}"),
            message,
            diagnostics: diagnostics.iter().map(Into::into).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::{StoreUrl, Use};

    const GOOD: &str = "canary_pipeline:\n  a: {traffic_percent: 5, duration_minutes: 60, \
                        metrics: [error_rate < 0.01]}\n";

    async fn memory() -> Store {
        Store::open(&StoreUrl::memory(), Use::Alone).await.unwrap()
    }

    fn read(name: &str) -> (Arc<Pipeline>, Arc<str>) {
        (
            Arc::new(pipeline::parse(GOOD, name).unwrap()),
            Arc::from(GOOD),
        )
    }

    async fn put(catalogue: &Catalogue, name: &str) -> Result<bool, CatalogueError> {
        let (pipeline, text) = read(name);
        catalogue.put(pipeline, text, UnixMillis::new(5)).await
    }

    #[tokio::test]
    async fn what_is_put_is_known_at_once_and_after_a_restart() {
        let store = memory().await;
        let first = Catalogue::new(Arc::new(Folder::none()), store.clone(), false);
        assert_eq!(put(&first, "shop").await, Ok(true));
        assert_eq!(put(&first, "shop").await, Ok(false));
        let known = first.known().await;
        assert_eq!(known.names().collect::<Vec<_>>(), ["shop"]);
        assert!(Arc::ptr_eq(&known, &first.known().await), "merged again");

        let second = Catalogue::new(Arc::new(Folder::none()), store, false);
        assert_eq!(second.load().await, Ok(1));
        let found = second.find("shop").await.unwrap().unwrap();
        assert_eq!(
            found.origin,
            Origin::Put {
                updated_ms: UnixMillis::new(5)
            }
        );
        assert_eq!(second.delete("shop").await, Ok(true));
        assert_eq!(second.delete("shop").await, Ok(false));
        assert!(second.find("shop").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn another_process_is_found_by_name_at_once_and_in_the_list_soon() {
        let store = memory().await;
        let new = || Catalogue::new(Arc::new(Folder::none()), store.clone(), true);
        let (mut here, there) = (new(), new());
        here.good_for = Duration::from_hours(1);
        assert_eq!(here.load().await, Ok(0));
        put(&there, "shop").await.unwrap();
        assert_eq!(here.known().await.names().count(), 0);
        assert!(here.find("shop").await.unwrap().is_some());
        here.good_for = Duration::ZERO;
        assert_eq!(here.known().await.names().count(), 1);
        there.delete("shop").await.unwrap();
        assert!(here.find("shop").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_file_counts_before_what_was_put() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::open(directory.path()).unwrap());
        let catalogue = Catalogue::new(Arc::clone(&folder), memory().await, false);
        put(&catalogue, "shop").await.unwrap();
        fs::write(directory.path().join("shop.yaml"), GOOD).unwrap();
        folder.look();
        let known = catalogue.known().await;
        let file = Origin::File("shop.yaml".to_owned());
        assert_eq!(known.get("shop").unwrap().origin, file);
        let problem = known.problems().first().unwrap();
        assert_eq!(problem.file, "/v1/pipelines/shop");
        assert!(problem.message.contains("shop.yaml"), "{problem:?}");
        let refused = Err(CatalogueError::DefinedByFile {
            name: "shop".to_owned(),
            file: "shop.yaml".to_owned(),
        });
        assert_eq!(put(&catalogue, "shop").await, refused);
        assert_eq!(catalogue.delete("shop").await, refused);
        fs::remove_file(directory.path().join("shop.yaml")).unwrap();
        folder.look();
        assert_eq!(catalogue.delete("shop").await, Ok(true));
    }

    #[tokio::test]
    async fn while_the_store_is_away_what_was_read_counts() {
        let store = memory().await;
        let catalogue = Catalogue::new(Arc::new(Folder::none()), store.clone(), true);
        put(&catalogue, "shop").await.unwrap();
        store.close().await;
        let is_unavailable = |error| {
            let CatalogueError::Store(error) = error else {
                return false;
            };
            matches!(error, StoreError::Unavailable { .. })
        };
        assert!(put(&catalogue, "shop").await.is_err_and(is_unavailable));
        assert!(catalogue.delete("shop").await.is_err_and(is_unavailable));
        assert!(catalogue.find("shop").await.unwrap().is_some());
        assert!(catalogue.find("other").await.is_err());
    }

    #[tokio::test]
    async fn there_are_only_so_many() {
        let catalogue = Catalogue::new(Arc::new(Folder::none()), memory().await, false);
        for number in 0..MOST_PUT {
            let put = put(&catalogue, &format!("shop-{number}")).await;
            assert_eq!(put, Ok(true));
        }
        assert_eq!(put(&catalogue, "other").await, Err(CatalogueError::TooMany));
        assert_eq!(put(&catalogue, "shop-7").await, Ok(false));
        catalogue.delete("shop-7").await.unwrap();
        assert_eq!(put(&catalogue, "other").await, Ok(true));
    }

    #[tokio::test]
    async fn what_is_no_longer_accepted_is_told() {
        let store = memory().await;
        let stored = StoredPipeline {
            name: "shop".to_owned(),
            updated_ms: UnixMillis::new(5),
            text: "canary_pipeline: 3".to_owned(),
        };
        store.put_pipeline(&stored).await.unwrap();
        let catalogue = Catalogue::new(Arc::new(Folder::none()), store, false);
        let known = catalogue.known().await;
        assert!(known.get("shop").is_none());
        assert_eq!(known.problems()[0].file, "/v1/pipelines/shop");
        assert_eq!(known.problems()[0].diagnostics[0].line, 1);
    }
}
