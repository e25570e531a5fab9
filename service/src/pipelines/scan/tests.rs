//! What counts of a folder, and what is told of the rest.

use std::fs;

use super::super::listing::MOST_FILES;
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
    fs::write(directory.path().join("c.yaml"), vec![b'#'; 256 * 1024 + 1]).unwrap();
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
        messages[2].contains("more than 262144 bytes"),
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

/// As many as a pipeline may have.
const FILE_BYTES: usize = 256 * 1024;

/// A good pipeline of so many bytes.
fn good_of(bytes: usize) -> String {
    format!("{GOOD}{}", "#".repeat(bytes - GOOD.len()))
}

fn told(known: &Known) -> Vec<String> {
    let problems = known.problems().iter();
    problems
        .map(|problem| format!("{}: {}", problem.file, problem.message))
        .collect()
}

#[test]
fn a_file_among_too_many_is_not_known_in_its_old_form_and_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let mut files = Files::default();
    fs::write(path("shop.yaml"), GOOD).unwrap();
    assert!(files.look(directory.path()));
    assert!(files.known().get("shop").is_some());
    for number in 0..MOST_FILES {
        fs::write(path(&format!("a{number:04}.yaml")), "").unwrap();
    }
    fs::write(path("shop.yaml"), BROKEN).unwrap();
    assert!(files.look(directory.path()));
    let known = files.known();
    assert!(known.get("shop").is_none());
    let first = &told(&known)[0];
    assert!(
        first.contains("more than 1000 files: 1 are left out, from shop.yaml"),
        "{first}"
    );
    assert!(!files.look(directory.path()), "nothing changed");
    fs::remove_file(path("a0000.yaml")).unwrap();
    fs::write(path("shop.yaml"), GOOD).unwrap();
    assert!(files.look(directory.path()));
    assert!(files.known().get("shop").is_some());
}

#[test]
fn files_that_are_too_large_together_are_left_out_and_told() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..70 {
        let path = directory.path().join(format!("{number:02}.yaml"));
        fs::write(path, good_of(FILE_BYTES)).unwrap();
    }
    let mut files = Files::default();
    assert!(files.look(directory.path()));
    let known = files.known();
    assert_eq!(known.names().count(), MOST_BYTES / FILE_BYTES);
    let kept: usize = files.by_name.values().map(FileState::kept_bytes).sum();
    assert_eq!(kept, MOST_BYTES);
    let said = told(&known);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("64.yaml and the 5 after it by name are left out"),
        "{said:?}"
    );
    assert!(!files.look(directory.path()), "nothing changed");
    fs::remove_file(directory.path().join("00.yaml")).unwrap();
    assert!(files.look(directory.path()));
    assert!(files.known().get("64").is_some() && files.known().get("00").is_none());
}

#[test]
fn a_last_good_form_counts_for_as_long_as_it_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = |number: usize| directory.path().join(format!("{number:02}.yaml"));
    let mut files = Files::default();
    for number in 0..64 {
        fs::write(path(number), good_of(FILE_BYTES)).unwrap();
    }
    files.look(directory.path());
    for number in 0..64 {
        fs::write(path(number), BROKEN).unwrap();
    }
    fs::write(path(64), good_of(FILE_BYTES)).unwrap();
    files.look(directory.path());
    let known = files.known();
    assert_eq!(known.names().count(), 64);
    assert!(known.get("64").is_none());
}

#[test]
fn what_is_no_regular_file_is_told_and_what_a_mounted_volume_is_made_of_is_read() {
    use std::os::unix::fs::symlink;

    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("folder.yaml")).unwrap();
    symlink("/dev/zero", path("zero.yaml")).unwrap();
    symlink("nothing", path("gone.yaml")).unwrap();
    let pipe = path("pipe.yaml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    fs::create_dir(path("..2026_11_30")).unwrap();
    fs::write(path("..2026_11_30/shop.yaml"), GOOD).unwrap();
    symlink("..2026_11_30", path("..data")).unwrap();
    symlink("..data/shop.yaml", path("shop.yaml")).unwrap();
    let mut files = Files::default();
    assert!(files.look(directory.path()));
    let known = files.known();
    assert_eq!(known.names().collect::<Vec<_>>(), ["shop"]);
    let said = told(&known);
    for (line, part) in said.iter().zip([
        "folder.yaml: cannot read the file: it is a folder",
        "gone.yaml: cannot read the file: No such file",
        "pipe.yaml: cannot read the file: it is a pipe",
        "zero.yaml: cannot read the file: it is a device",
    ]) {
        assert!(line.starts_with(part), "{line}");
    }
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(!files.look(directory.path()), "nothing changed");
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

/// Files that are refused used up the room of those that are not.
#[test]
fn files_that_are_no_pipelines_take_the_place_of_none() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..100 {
        let path = directory.path().join(format!("large{number}.yaml"));
        fs::write(path, vec![b'#'; 1024 * 1024]).unwrap();
    }
    fs::write(directory.path().join("z.yaml"), GOOD).unwrap();
    let mut files = Files::default();
    assert!(files.look(directory.path()));
    let known = files.known();
    assert_eq!(known.names().count(), 1);
    assert_eq!(known.problems().len(), 100);
    assert!(!files.look(directory.path()), "no news");
}
