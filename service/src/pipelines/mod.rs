//! The folder of pipelines: every `*.yaml` and `*.yml` file in it, by the pipeline's name.
//!
//! There is no watcher: the folder is looked at when it is used, at most once a second, and a
//! file is read again when its text differs. Texts are compared rather than times of change,
//! because a file may change twice within one tick, or keep its time (a mounted `ConfigMap`, a
//! restored backup); the files are few and small.

mod folder;
mod scan;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use folder::{Folder, FolderError};
use serinus_analysis::pipeline::Pipeline;
use serinus_openapi::pipeline::FileProblem;

/// A pipeline and the file that it came from.
#[derive(Debug, Clone)]
pub struct KnownPipeline {
    /// The pipeline: the last good form of its file.
    pub pipeline: Arc<Pipeline>,
    /// The text that it was read from.
    pub text: Arc<str>,
    /// The file's name in the folder.
    pub file: String,
    /// Why the file's newest form is not the one used.
    pub problem: Option<FileProblem>,
}

/// What the folder held when it was looked at last.
#[derive(Debug, Clone, Default)]
pub struct Known {
    by_name: BTreeMap<String, KnownPipeline>,
    problems: Vec<FileProblem>,
}

impl Known {
    /// The pipeline of that name.
    pub fn get(&self, name: &str) -> Option<&KnownPipeline> {
        self.by_name.get(name)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// All pipelines, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &KnownPipeline)> {
        self.by_name
            .iter()
            .map(|(name, known)| (name.as_str(), known))
    }

    /// What is wrong with the folder's files, sorted by file.
    pub fn problems(&self) -> &[FileProblem] {
        &self.problems
    }

    /// Writes what is wrong to the log.
    pub fn log_problems(&self) {
        for problem in &self.problems {
            let (file, message) = (&problem.file, &problem.message);
            tracing::warn!(pipeline.file = file, "pipelines folder: {file}: {message}");
        }
    }
}
