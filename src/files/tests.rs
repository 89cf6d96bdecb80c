//! Files in memory, over a folder or not, behave as a folder of the system does.

use super::failure::Failure;
use super::folder::Folder;
use super::memory::{Layered, MemoryFiles};
use super::path;
use super::store::{At, Entry, Store};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Debug)]
enum Step {
    Entry(usize),
    List(usize),
    Read(usize, u64),
    Create(usize),
    Write(usize, At, u8),
    Truncate(usize, u64),
    MakeFolder(usize),
    RemoveFile(usize),
    RemoveFolder(usize),
    Rename(usize, usize),
}

/// Few paths, so that steps meet.
const PATHS: [&[&str]; 8] =
    [&["a"], &["b"], &["d"], &["d", "a"], &["d", "b"], &["d", "e"], &["d", "e", "a"], &["a", "x"]];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let path = 0..PATHS.len();
    let at = prop_oneof![Just(At::End), (0..6_u64).prop_map(At::Offset)];
    let step = prop_oneof![
        path.clone().prop_map(Step::Entry),
        path.clone().prop_map(Step::List),
        (path.clone(), 0..6_u64).prop_map(|(path, from)| Step::Read(path, from)),
        path.clone().prop_map(Step::Create),
        (path.clone(), at, any::<u8>()).prop_map(|(path, at, byte)| Step::Write(path, at, byte)),
        (path.clone(), 0..6_u64).prop_map(|(path, size)| Step::Truncate(path, size)),
        path.clone().prop_map(Step::MakeFolder),
        path.clone().prop_map(Step::RemoveFile),
        path.clone().prop_map(Step::RemoveFolder),
        (path.clone(), path).prop_map(|(from, to)| Step::Rename(from, to)),
    ];
    proptest::collection::vec(step, 1..60)
}

fn folder() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let own = format!("pycage-store-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(own);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn fill(path: &Path) {
    std::fs::create_dir_all(path.join("d/e")).unwrap();
    for name in ["a", "d/a", "d/e/a"] {
        std::fs::write(path.join(name), name).unwrap();
    }
}

/// What a step came to. Which error it is can differ where several things are wrong at once.
fn done(store: &dyn Store, step: &Step) -> Result<String, ()> {
    let shown = match step {
        Step::Entry(path) => store.entry(PATHS[*path]).map(|entry| format!("{entry:?}")),
        Step::List(path) => store.list(PATHS[*path], 100).map(|mut names| {
            names.sort();
            names.join(" ")
        }),
        Step::Read(path, from) => store.read(PATHS[*path], *from, 4).map(|bytes| format!("{bytes:?}")),
        Step::Create(path) => store.create(PATHS[*path]).map(|()| String::new()),
        Step::Write(path, at, byte) => store.write(PATHS[*path], *at, &[*byte; 3]).map(|end| end.to_string()),
        Step::Truncate(path, size) => store.truncate(PATHS[*path], *size).map(|()| String::new()),
        Step::MakeFolder(path) => store.make_folder(PATHS[*path]).map(|()| String::new()),
        Step::RemoveFile(path) => store.remove_file(PATHS[*path]).map(|()| String::new()),
        Step::RemoveFolder(path) => store.remove_folder(PATHS[*path]).map(|()| String::new()),
        Step::Rename(from, to) => store.rename(PATHS[*from], PATHS[*to]).map(|()| String::new()),
    };
    shown.map_err(drop)
}

/// Folders in memory are not renamed: such a step is left out on both sides.
fn renames_a_folder(store: &dyn Store, step: &Step) -> bool {
    matches!(step, Step::Rename(from, _) if store.entry(PATHS[*from]) == Ok(Entry::Folder))
}

fn compare(memory: &Layered, real: &Folder, steps: &[Step]) {
    for step in steps {
        if renames_a_folder(real, step) {
            continue;
        }
        assert_eq!(done(memory, step), done(real, step), "{step:?} of {steps:?}");
    }
    for path in 0..PATHS.len() {
        for step in [Step::Entry(path), Step::List(path), Step::Read(path, 0)] {
            assert_eq!(done(memory, &step), done(real, &step), "{step:?} after {steps:?}");
        }
    }
}

#[test]
fn a_folder_of_which_a_part_is_gone_is_not_empty() {
    let (lower, real) = (folder(), folder());
    fill(&lower);
    fill(&real);
    let overlay = Layered::new(MemoryFiles::new(), Some(Arc::new(Folder::open(&lower).unwrap())));
    let steps =
        [Step::Rename(6, 0), Step::RemoveFolder(5), Step::RemoveFolder(2), Step::RemoveFile(3), Step::RemoveFolder(2)];
    compare(&overlay, &Folder::open(&real).unwrap(), &steps);
    std::fs::remove_dir_all(&lower).unwrap();
    std::fs::remove_dir_all(&real).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_is_as_a_folder(steps in steps()) {
        let base = folder();
        compare(&Layered::new(MemoryFiles::new(), None), &Folder::open(&base).unwrap(), &steps);
        std::fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn an_overlay_is_as_a_folder(steps in steps()) {
        let (lower, real) = (folder(), folder());
        fill(&lower);
        fill(&real);
        let below: Arc<dyn Store> = Arc::new(Folder::open(&lower).unwrap());
        compare(&Layered::new(MemoryFiles::new(), Some(below.clone())), &Folder::open(&real).unwrap(), &steps);
        // What lies below is as it was.
        prop_assert_eq!(below.read(&["d", "e", "a"], 0, 100), Ok(b"d/e/a".to_vec()));
        prop_assert_eq!(below.list(&["d"], 100).map(|names| names.len()), Ok(2));
        std::fs::remove_dir_all(&lower).unwrap();
        std::fs::remove_dir_all(&real).unwrap();
    }

    #[test]
    fn names_are_harmless(text in "(\\.|/|[a-c]|\\\\|:|\u{0}|\u{ff0f}|\u{2215}|\u{202e}| |COM1|nul){0,12}") {
        match path::names(&text) {
            Ok(names) => for name in names {
                prop_assert!(!matches!(name, "" | "." | ".."));
                prop_assert!(!name.contains(['/', '\\', ':', '\0']));
                prop_assert!(!name.ends_with(['.', ' ']));
            },
            Err(failure) => prop_assert!(failure != Failure::System),
        }
    }
}
