//! The pipelines that the server knows: those that were put over HTTP ([`Catalogue`]), and those of
//! its folder: every `*.yaml` and `*.yml` file in it, by the pipeline's name.
//!
//! There is no watcher: the folder is looked at when it is used, at most once a second, and a
//! file counts anew when its text differs. Texts are compared, by their digests, rather than times of
//! change, because a file may change twice within one tick, or keep its time (a mounted `ConfigMap`,
//! a restored backup); the files are few and small, and what is too much is left out and told.

mod catalogue;
mod folder;
mod listing;
mod scan;

use std::collections::BTreeMap;
use std::sync::Arc;

use catalogue::PutPipeline;
pub(crate) use catalogue::{Catalogue, CatalogueError};
pub(crate) use folder::{Folder, FolderError};
use serinus_analysis::pipeline::Pipeline;
use serinus_openapi::pipeline::FileProblem;

use crate::time::UnixMillis;

/// Where a pipeline came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A file of the folder, by its name.
    File(String),
    /// It was put over HTTP.
    Put {
        /// When.
        updated_ms: UnixMillis,
    },
}

impl Origin {
    /// The file, if it is one.
    pub(crate) fn file(&self) -> Option<&str> {
        match self {
            Self::File(file) => Some(file),
            Self::Put { .. } => None,
        }
    }
}

/// A pipeline and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct KnownPipeline {
    /// The pipeline: the last good form of its file.
    pub pipeline: Arc<Pipeline>,
    /// The text that it was read from.
    pub text: Arc<str>,
    /// Where it came from.
    pub origin: Origin,
    /// Why the file's newest form is not the one used.
    pub problem: Option<FileProblem>,
}

/// What was known when it was looked at last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    by_name: BTreeMap<String, KnownPipeline>,
    problems: Vec<FileProblem>,
}

impl Known {
    /// The pipeline of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&KnownPipeline> {
        self.by_name.get(name)
    }

    /// All names, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// All pipelines, sorted by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &KnownPipeline)> {
        self.by_name
            .iter()
            .map(|(name, known)| (name.as_str(), known))
    }

    /// What is wrong: the folder's files, sorted by file, and then what was put.
    pub(crate) fn problems(&self) -> &[FileProblem] {
        &self.problems
    }

    /// These, and those that were put.
    fn with_put(&self, put: &BTreeMap<String, PutPipeline>) -> Self {
        let mut all = self.clone();
        for (name, one) in put {
            let hidden_by = self.get(name).map(|known| known.origin.file());
            all.problems.extend(one.problem(name, hidden_by.flatten()));
            if let (None, Some(known)) = (hidden_by, one.known()) {
                all.by_name.insert(name.clone(), known);
            }
        }
        all
    }

    /// Writes what is wrong to the log.
    pub(crate) fn log_problems(&self) {
        for problem in &self.problems {
            let (file, message) = (&problem.file, &problem.message);
            tracing::warn!(pipeline.file = file, "pipelines folder: {file}: {message}");
        }
    }
}
