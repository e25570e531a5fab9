//! What the files of a folder say: the last good form of each, and its problem.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use serinus_analysis::pipeline::{self, Pipeline};
use serinus_openapi::pipeline::FileProblem;

use super::{Known, KnownPipeline, Origin};

/// Largest pipeline file, in bytes: the same as the largest body of a request.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Most files read from one folder: a folder of more is a wrong folder.
const MAX_FILES: usize = 1_000;

/// The name under which a problem of the folder itself is told.
const FOLDER: &str = ".";

/// All files, by name.
#[derive(Debug, Default)]
pub(super) struct Files {
    by_name: BTreeMap<String, FileState>,
    /// What is wrong with the folder itself.
    folder_problem: Option<FileProblem>,
}

#[derive(Debug, PartialEq, Default)]
struct FileState {
    /// The text read last, or why there is none.
    text: Option<Result<String, String>>,
    last_good: Option<(Arc<Pipeline>, Arc<str>)>,
    problem: Option<FileProblem>,
}

impl Files {
    /// Looks at the folder. Returns whether anything changed.
    pub(super) fn look(&mut self, folder: &Path) -> bool {
        let names = match pipeline_files(folder) {
            Ok(names) => names,
            Err(error) => {
                let problem = FileProblem {
                    file: FOLDER.to_owned(),
                    message: format!("cannot read the folder, what was known stays: {error}"),
                    diagnostics: Vec::new(),
                };
                return self.folder_problem.replace(problem).is_none();
            }
        };
        let mut changed = self.folder_problem.take().is_some();
        if names.len() > MAX_FILES {
            self.folder_problem = Some(FileProblem {
                file: FOLDER.to_owned(),
                message: format!(
                    "the folder has more than {MAX_FILES} files: the rest is left out"
                ),
                diagnostics: Vec::new(),
            });
        }
        let count_before = self.by_name.len();
        self.by_name.retain(|name, _| names.contains(name));
        changed |= self.by_name.len() != count_before;
        for name in names.into_iter().take(MAX_FILES) {
            let text = read(&folder.join(&name));
            let state = self.by_name.entry(name.clone()).or_default();
            changed |= state.update(&name, text);
        }
        changed
    }

    /// The pipelines by name. Of two files with the same pipeline, the first by name counts.
    pub(super) fn known(&self) -> Known {
        let mut known = Known::default();
        known.problems.extend(self.folder_problem.clone());
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
    fn update(&mut self, file: &str, text: Result<String, String>) -> bool {
        if self.text.as_ref() == Some(&text) {
            return false;
        }
        let stem = Path::new(file)
            .file_stem()
            .map_or(file.into(), |stem| stem.to_string_lossy());
        self.problem = match &text {
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
        self.text = Some(text);
        true
    }
}

/// The names of the folder's pipeline files, sorted. Hidden files are left out: editors and
/// mounted volumes keep theirs there.
fn pipeline_files(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = entry.path();
        let is_yaml = path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        // Asks through symbolic links, which mounted volumes are made of.
        if is_yaml && !name.starts_with('.') && path.is_file() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn read(path: &Path) -> Result<String, String> {
    let cannot = |error: io::Error| format!("cannot read the file: {error}");
    let mut text = Vec::new();
    File::open(path)
        .map_err(cannot)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(cannot)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("the file has more than {MAX_FILE_BYTES} bytes"));
    }
    String::from_utf8(text).map_err(|error| {
        format!(
            "the file is not UTF-8 from byte {} on",
            error.utf8_error().valid_up_to()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "canary_pipeline:\n  a: {traffic_percent: 5, duration_minutes: 60, \
                        metrics: [error_rate < 0.01]}\n";
    const BROKEN: &str = "canary_pipeline:\n  a: {trafic_percent: 5}\n";

    #[test]
    fn a_pipeline_is_named_by_its_file_or_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        write("shop.yaml", GOOD);
        write("other.yml", &format!("name: checkout\n{GOOD}"));
        write("notes.txt", "no pipeline");
        write(".hidden.yaml", GOOD);
        let mut files = Files::default();
        assert!(files.look(directory.path()));
        let known = files.known();
        assert_eq!(known.names().collect::<Vec<_>>(), ["checkout", "shop"]);
        assert_eq!(
            known.get("checkout").unwrap().origin.file(),
            Some("other.yml")
        );
        assert!(known.problems().is_empty(), "{:?}", known.problems());
        assert!(!files.look(directory.path()), "nothing changed");
    }

    #[test]
    fn a_broken_file_keeps_its_last_good_form_and_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shop.yaml");
        fs::write(&path, GOOD).unwrap();
        let mut files = Files::default();
        files.look(directory.path());
        fs::write(&path, BROKEN).unwrap();
        assert!(files.look(directory.path()));
        let known = files.known();
        let shop = known.get("shop").unwrap();
        assert_eq!(shop.pipeline.stages.len(), 1);
        assert!(!shop.problem.as_ref().unwrap().diagnostics.is_empty());
        assert_eq!(known.problems().len(), 1);

        fs::write(&path, GOOD).unwrap();
        assert!(files.look(directory.path()));
        assert!(files.known().problems().is_empty());
    }

    #[test]
    fn a_file_that_was_never_good_is_told_and_not_known() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.yaml"), BROKEN).unwrap();
        fs::write(directory.path().join("b.yaml"), [0xff, 0xfe]).unwrap();
        fs::write(directory.path().join("c.yaml"), vec![b'#'; 1024 * 1024 + 1]).unwrap();
        let mut files = Files::default();
        files.look(directory.path());
        let known = files.known();
        assert_eq!(known.names().count(), 0);
        let messages: Vec<_> = known
            .problems()
            .iter()
            .map(|problem| problem.message.as_str())
            .collect();
        assert_eq!(messages.len(), 3);
        assert!(messages[1].contains("not UTF-8"), "{messages:?}");
        assert!(
            messages[2].contains("more than 1048576 bytes"),
            "{messages:?}"
        );
    }

    #[test]
    fn of_two_files_with_one_name_the_first_counts_and_the_second_is_told() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a.yaml", "b.yaml"] {
            fs::write(directory.path().join(name), format!("name: shop\n{GOOD}")).unwrap();
        }
        let mut files = Files::default();
        files.look(directory.path());
        let known = files.known();
        assert_eq!(known.get("shop").unwrap().origin.file().unwrap(), "a.yaml");
        assert_eq!(known.problems()[0].file, "b.yaml");
        assert!(known.problems()[0].message.contains("already in a.yaml"));
    }

    #[test]
    fn a_deleted_file_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shop.yaml");
        fs::write(&path, GOOD).unwrap();
        let mut files = Files::default();
        files.look(directory.path());
        fs::remove_file(&path).unwrap();
        assert!(files.look(directory.path()));
        assert_eq!(files.known().names().count(), 0);
    }
}
