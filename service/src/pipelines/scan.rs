//! What the files of a folder say: the last good form of each, and its problem.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serinus_analysis::pipeline::{self, Pipeline};
use serinus_openapi::pipeline::FileProblem;
use sha2::{Digest as _, Sha256};

use super::listing::{Listed, of_folder};
use super::{Known, KnownPipeline, Origin};
use crate::regular_file;

/// A file that is larger is no pipeline.
const LARGEST: u64 = pipeline::MAX_TEXT_BYTES as u64;

/// Most bytes of the pipelines of a folder together, which are kept: sixty-four of the largest, or a
/// thousand that are larger than any that ships.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// All files, by name.
#[derive(Debug, Default)]
pub(super) struct Files {
    by_name: BTreeMap<String, FileState>,
    /// What is wrong with the folder itself.
    folder_problems: Vec<FileProblem>,
}

#[derive(Debug, PartialEq, Default)]
struct FileState {
    /// What was read last, by its digest, or why nothing was.
    seen: Option<Result<[u8; 32], String>>,
    last_good: Option<(Arc<Pipeline>, Arc<str>)>,
    problem: Option<FileProblem>,
}

impl Files {
    /// Looks at the folder. Returns whether anything changed.
    ///
    /// What is left out because there is too much of it is not known, whatever was known before: so
    /// what counts depends on nothing but the folder.
    pub(super) fn look(&mut self, folder: &Path) -> bool {
        let listed = match Listed::of(folder) {
            Ok(listed) => listed,
            Err(error) => {
                let message = format!("cannot read the folder, what was known stays: {error}");
                return self.has_problems(vec![of_folder(message)]);
            }
        };
        let mut problems = listed.problems();
        let mut changed = false;
        let mut names = listed.names.into_iter();
        let mut kept = BTreeMap::new();
        let mut bytes = 0;
        for name in names.by_ref() {
            let text = regular_file::read_text_up_to(&folder.join(&name), LARGEST);
            let text = text.map_err(|error| format!("cannot read the file: {error}"));
            let before = self.by_name.remove(&name);
            let was_known = before.is_some();
            let mut state = before.unwrap_or_default();
            let is_news = state.update(&name, &text);
            if bytes + state.kept_bytes() > MOST_BYTES {
                changed |= was_known;
                problems.push(of_folder(format!(
                    "the pipelines have more than {MOST_BYTES} bytes together: {name} and the {} after \
                     it by name are left out; take out what is no pipeline",
                    names.len()
                )));
                break;
            }
            changed |= is_news;
            bytes += state.kept_bytes();
            kept.insert(name, state);
        }
        // What is left there now was taken away, or is left out.
        changed |= !self.by_name.is_empty();
        self.by_name = kept;
        changed | self.has_problems(problems)
    }

    /// Takes over what is wrong with the folder. Returns whether that is news.
    fn has_problems(&mut self, problems: Vec<FileProblem>) -> bool {
        let is_news = self.folder_problems != problems;
        self.folder_problems = problems;
        is_news
    }

    /// The pipelines by name. Of two files with the same pipeline, the first by name counts.
    pub(super) fn known(&self) -> Known {
        let mut known = Known::default();
        known.problems.extend(self.folder_problems.iter().cloned());
        for (file, state) in &self.by_name {
            known.problems.extend(state.problem.clone());
            let Some((pipeline, text)) = &state.last_good else {
                continue;
            };
            if let Some(first) = known.by_name.get(&pipeline.name) {
                let message = format!(
                    "pipeline {:?} is already in {}: give one of them another `name`",
                    pipeline.name,
                    first.origin.file().unwrap_or_default()
                );
                known.problems.push(FileProblem {
                    file: file.clone(),
                    message,
                    diagnostics: Vec::new(),
                });
                continue;
            }
            known.by_name.insert(
                pipeline.name.clone(),
                KnownPipeline {
                    pipeline: Arc::clone(pipeline),
                    text: Arc::clone(text),
                    origin: Origin::File(file.clone()),
                    problem: state.problem.clone(),
                },
            );
        }
        known
    }
}

impl FileState {
    /// Takes a text that was read. Returns whether it differs from the one before.
    fn update(&mut self, file: &str, text: &Result<String, String>) -> bool {
        let seen = match text {
            Ok(yaml) => Ok(Sha256::digest(yaml).into()),
            Err(message) => Err(message.clone()),
        };
        if self.seen.as_ref() == Some(&seen) {
            return false;
        }
        self.seen = Some(seen);
        let stem = Path::new(file)
            .file_stem()
            .map_or(file.into(), |stem| stem.to_string_lossy());
        self.problem = match text {
            Err(message) => Some(FileProblem {
                file: file.to_owned(),
                message: message.clone(),
                diagnostics: Vec::new(),
            }),
            Ok(yaml) => match pipeline::parse(yaml, &stem) {
                Ok(pipeline) => {
                    self.last_good = Some((Arc::new(pipeline), yaml.as_str().into()));
                    None
                }
                Err(diagnostics) => Some(FileProblem {
                    file: file.to_owned(),
                    message: match diagnostics.as_slice() {
                        [only] => format!("line {}: {}", only.line, only.message),
                        all => format!("{} mistakes", all.len()),
                    },
                    diagnostics: diagnostics.iter().map(Into::into).collect(),
                }),
            },
        };
        true
    }

    /// How much of the texts that were read is held.
    fn kept_bytes(&self) -> usize {
        self.last_good.as_ref().map_or(0, |(_, text)| text.len())
    }
}

#[cfg(test)]
mod tests;
