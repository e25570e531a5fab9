//! The folder of the demo: its pipelines and its store, which go with the demo.

use std::io;
use std::path::PathBuf;

use serinus_analysis::pipeline::{Pipeline, parse};

/// The pipelines that the demo knows, as they are shipped.
const PIPELINES: [(&str, &str); 2] = [
    (
        "canary_pipeline.yaml",
        include_str!("../../../pipelines/canary_pipeline.yaml"),
    ),
    (
        "checkout.yaml",
        include_str!("../../../pipelines/checkout.yaml"),
    ),
];

/// The one that is played: the first one, to the letter.
const PLAYED: &str = "canary_pipeline";

/// A folder below the system's temporary files.
#[derive(Debug)]
pub(super) struct DemoFolder {
    path: PathBuf,
}

impl DemoFolder {
    /// Makes the folder with its pipelines. What a demo left in it that had this process's number
    /// before and was killed goes.
    ///
    /// # Errors
    ///
    /// What the system refuses.
    pub(super) fn create() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("serinus-demo-{}", std::process::id()));
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let folder = Self { path };
        std::fs::create_dir_all(folder.pipelines())?;
        for (file, text) in PIPELINES {
            std::fs::write(folder.pipelines().join(file), text)?;
        }
        Ok(folder)
    }

    /// Where the pipelines are.
    pub(super) fn pipelines(&self) -> PathBuf {
        self.path.join("pipelines")
    }

    /// Where the store is, as `--store` takes it.
    pub(super) fn store(&self) -> String {
        format!("sqlite:{}", self.path.join("serinus.db").display())
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system, which clears its temporary files.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// The pipeline that is played.
///
/// # Errors
///
/// The mistakes in it, in one text; a test holds that there are none.
pub(super) fn played_pipeline() -> Result<Pipeline, String> {
    let text = PIPELINES
        .iter()
        .find(|(file, _)| file.starts_with(PLAYED))
        .map(|(_, text)| *text);
    parse(text.unwrap_or_default(), PLAYED).map_err(|diagnostics| {
        let messages: Vec<String> = diagnostics
            .into_iter()
            .map(|diagnostic| diagnostic.message)
            .collect();
        messages.join("; ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pipeline_that_is_played_is_the_shipped_one() {
        let pipeline = played_pipeline().unwrap();
        assert_eq!(pipeline.name, PLAYED);
        assert_eq!(pipeline.stages.len(), 9);
    }

    #[test]
    fn the_folder_goes_with_the_demo() {
        let folder = DemoFolder::create().unwrap();
        let path = folder.path.clone();
        assert!(folder.pipelines().join("checkout.yaml").is_file());
        drop(folder);
        assert!(!path.exists());
    }
}
