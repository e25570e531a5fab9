//! Which files of a folder are read.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use serinus_openapi::pipeline::FileProblem;

/// Most files read from one folder: a folder of more is a wrong folder.
pub(super) const MOST_FILES: usize = 1_000;

/// The name under which a problem of the folder itself is told.
const FOLDER: &str = ".";

/// A problem of the folder itself.
pub(super) fn of_folder(message: String) -> FileProblem {
    FileProblem {
        file: FOLDER.to_owned(),
        message,
        diagnostics: Vec::new(),
    }
}

/// What a folder holds, by name.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Those that are read.
    pub(super) names: BTreeSet<String>,
    /// How many are left out, and the first of them by name.
    left_out: Option<(usize, String)>,
    /// How many have a name that is no text.
    without_a_name: usize,
}

impl Listed {
    /// Lists the pipeline files of a folder. Hidden files are none: editors and mounted volumes keep
    /// theirs there. Whether one is a file at all is seen when it is read.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let mut listed = Self::default();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let path = Path::new(&name);
            let is_yaml = path
                .extension()
                .is_some_and(|extension| extension == "yaml" || extension == "yml");
            if !is_yaml {
                continue;
            }
            match name.into_string() {
                Ok(name) if name.starts_with('.') => {}
                Ok(name) => listed.add(name),
                Err(_) => listed.without_a_name += 1,
            }
        }
        Ok(listed)
    }

    /// However many there are, no more names are held than files are read.
    fn add(&mut self, name: String) {
        self.names.insert(name);
        if self.names.len() > MOST_FILES
            && let Some(last) = self.names.pop_last()
        {
            let before = self.left_out.take();
            let first = before.as_ref().map_or(&last, |(_, first)| first.min(&last));
            self.left_out = Some((
                before.as_ref().map_or(1, |(count, _)| count + 1),
                first.clone(),
            ));
        }
    }

    pub(super) fn problems(&self) -> Vec<FileProblem> {
        let left_out = self.left_out.as_ref().map(|(count, first)| {
            format!(
                "the folder has more than {MOST_FILES} files: {count} are left out, from {first} on \
                 by name; take out what is no pipeline"
            )
        });
        let without_a_name = (self.without_a_name > 0).then(|| {
            format!(
                "{} files have names that are not UTF-8 and are left out: rename them",
                self.without_a_name
            )
        });
        let all = left_out.into_iter().chain(without_a_name);
        all.map(of_folder).collect()
    }
}
