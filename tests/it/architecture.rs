//! The rules of ARCHITECTURE.md that a dependency or a line of code could break.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages by name, with what they depend on when they are built.
struct Graph(BTreeMap<String, BTreeSet<String>>);

const HEAVY: [&str; 8] = ["gdal", "gdal-sys", "proj", "proj-sys", "tch", "torch-sys", "clap", "anyhow"];
const GEO: [&str; 4] = ["gdal", "gdal-sys", "proj", "proj-sys"];
const TORCH: [&str; 2] = ["tch", "torch-sys"];
/// Look hard at a file of more than 500 lines.
const LONGEST_FILE: usize = 500;

impl Graph {
    fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", &host()])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
        let nodes = metadata["resolve"]["nodes"].as_array().expect("nodes");
        let names: BTreeMap<&str, &str> = metadata["packages"]
            .as_array()
            .expect("packages")
            .iter()
            .map(|package| (text(&package["id"]), text(&package["name"])))
            .collect();
        let built_with = |dependency: &&Value| {
            dependency["dep_kinds"].as_array().expect("kinds").iter().any(|kind| kind["kind"].is_null())
        };
        let dependencies = |node: &Value| {
            let all = node["deps"].as_array().expect("deps").iter();
            all.filter(built_with).map(|d| names[text(&d["pkg"])].to_owned()).collect()
        };
        Self(nodes.iter().map(|node| (names[text(&node["id"])].to_owned(), dependencies(node))).collect())
    }

    fn direct(&self, package: &str) -> &BTreeSet<String> {
        self.0.get(package).unwrap_or_else(|| panic!("no package {package}"))
    }

    fn all(&self, package: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![package.to_owned()];
        while let Some(next) = open.pop() {
            open.extend(self.direct(&next).iter().filter(|name| found.insert((*name).clone())).cloned());
        }
        found
    }

    fn members(&self) -> impl Iterator<Item = &String> {
        self.0.keys().filter(|name| name.starts_with("seg-"))
    }

    #[track_caller]
    fn refuse(&self, package: &str, unwanted: &[&str]) {
        let all = self.all(package);
        let found: Vec<_> = unwanted.iter().filter(|name| all.contains(**name)).collect();
        assert!(found.is_empty(), "{package} depends on {found:?}: see ARCHITECTURE.md");
    }
}

/// The platform that this is built on: crates for others need not be at hand.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc tells its host").to_owned()
}

#[test]
fn crates_keep_out_what_they_exist_to_keep_out() {
    let graph = Graph::read();
    for pure in ["seg-grid", "seg-label", "seg-report", "seg-vector"] {
        graph.refuse(pure, &HEAVY);
    }
    for without_torch in ["seg-data", "seg-gdal"] {
        graph.refuse(without_torch, &TORCH);
    }
    for without_geo in ["seg-nn", "seg-run", "seg-torch"] {
        graph.refuse(without_geo, &GEO);
    }
    let own =
        |package| graph.direct(package).iter().filter(|name| name.starts_with("seg-")).collect::<Vec<_>>();
    assert_eq!(own("seg-nn"), ["seg-torch"]);
    assert_eq!(own("seg-torch"), Vec::<&str>::new());
    assert_eq!(own("seg-grid"), Vec::<&str>::new());
    assert_eq!(own("seg-events"), Vec::<&str>::new());
    assert_eq!(own("seg-vector"), ["seg-grid"]);
    graph.refuse("seg-events", &GEO);
    graph.refuse("seg-events", &TORCH);
    for library in graph.members() {
        let direct = graph.direct(library);
        assert!(
            !direct.contains("clap") && !direct.contains("anyhow"),
            "{library}: only src/ has clap and anyhow"
        );
        let geo = GEO.iter().any(|name| direct.contains(*name));
        assert!(!geo || library == "seg-gdal", "{library}: only seg-gdal links GDAL and PROJ");
    }
}

#[test]
fn one_crate_alone_has_code_that_the_compiler_does_not_check() {
    // Put together, so that this line is not found.
    let word = ["un", "safe"].concat();
    for (path, text) in sources(&["src", "crates", "tests", "examples", "build.rs"]) {
        if !path.starts_with("crates/seg-torch") {
            let found = code_lines(&text).find(|(_, line)| has_word(line, &word));
            assert!(found.is_none(), "{} line {}: {word}", path.display(), found.map_or(0, |f| f.0));
        }
    }
}

#[test]
fn tests_are_neither_left_out_nor_satisfied_by_any_panic() {
    let forbidden = ["ignore", "should_panic"].map(|attribute| format!("#[{attribute}"));
    for (path, text) in sources(&["src", "crates", "tests", "examples"]) {
        for (number, line) in code_lines(&text) {
            let found = forbidden.iter().find(|attribute| line.contains(attribute.as_str()));
            assert!(found.is_none(), "{} line {number}: {found:?}", path.display());
        }
    }
}

#[test]
fn libraries_neither_print_nor_end_the_program() {
    let forbidden = ["println!", "eprintln!", "print!", "eprint!", "dbg!", "process::exit"];
    for (path, text) in sources(&["crates"]) {
        if path.components().any(|part| part.as_os_str() == "src") {
            for (number, line) in code_lines(&text) {
                let found = forbidden.iter().find(|call| line.contains(**call));
                assert!(found.is_none(), "{} line {number}: {found:?}", path.display());
            }
        }
    }
}

#[test]
fn files_stay_short() {
    for (path, text) in sources(&["src", "crates", "tests", "examples", "build.rs"]) {
        let lines = text.lines().count();
        assert!(lines <= LONGEST_FILE, "{}: {lines} lines; one file is one concept", path.display());
    }
    let lines = |file: &str| fs::read_to_string(root().join(file)).expect(file).lines().count();
    assert!(lines("src/main.rs") <= 40, "main parses, runs and returns");
    for (path, text) in sources(&["src/commands"]) {
        assert!(text.lines().count() <= 150, "{}: a command resolves, calls and prints", path.display());
    }
    assert!(lines("ARCHITECTURE.md") <= 150);
}

#[test]
fn every_design_lesson_names_a_test_or_a_feature() {
    let text = fs::read_to_string(root().join("CONTRIBUTING.md")).expect("CONTRIBUTING.md");
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| ") && line.ends_with(" |")).collect();
    let tests: String = sources(&["src", "crates", "tests"]).map(|(_, text)| text).collect();
    let mut held = 0;
    for row in &rows {
        for name in row.split('`').skip(1).step_by(2).filter(|name| name.contains('_')) {
            assert!(
                tests.contains(&format!("fn {name}(")),
                "CONTRIBUTING.md names a test {name} that is not there"
            );
            held += 1;
        }
    }
    assert!(held >= 10, "the table of lessons was not found");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// Rust files under some folders of the repository, by their path in it, with their text.
fn sources(folders: &[&str]) -> impl Iterator<Item = (PathBuf, String)> {
    let mut files = Vec::new();
    let mut open: Vec<_> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    assert!(!files.is_empty(), "no sources in {folders:?}");
    files.into_iter().map(|path| {
        let text = fs::read_to_string(&path).expect("a source file");
        (path.strip_prefix(root()).expect("below the root").to_path_buf(), text)
    })
}

/// Numbered lines without comments.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .enumerate()
        .map(|(i, line)| (i + 1, line))
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word)
}
