//! `peregrine events`: what an engineer sees of the machine.

use std::fs::{self, File};

use peregrine_tests::{Events, eventually, run_to_end};
use serde_json::Value;

#[test]
fn a_filter_chooses_and_json_tells_all() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let wanted = folder.path().join("wanted");
    fs::write(&wanted, "x").expect("a file is written");
    let filter = format!("evt.type = openat and fd.name = {}", wanted.display());
    let events = Events::start(&["--filter", &filter, "--json", "--count", "1"]);
    drop(File::open(folder.path()).expect("it opens"));
    drop(File::open(&wanted).expect("it opens"));
    let output = events.output();
    let lines: Vec<Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    assert_eq!(lines.len(), 1, "{output}");
    assert_eq!(lines[0]["evt.type"], "openat");
    assert_eq!(lines[0]["fd.name"], wanted.to_str().expect("UTF-8"));
    assert_eq!(lines[0]["proc.pid"].as_u64().map(|pid| pid > 0), Some(true));
}

#[test]
fn hostile_names_stay_on_their_line() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let hostile = "x\n12:00:00 forged \u{1b}[2J\u{202e}";
    let path = folder.path().join(hostile);
    let filter = format!(
        "evt.type in (creat, openat, unlink, unlinkat) and evt.arg.name startswith {folder}/ or \
         (evt.type in (unlink, unlinkat) and fs.path.name startswith {folder}/)",
        folder = folder.path().display()
    );
    let events = Events::start(&["--follow", "--filter", &filter, "-n", "2"]);
    fs::write(&path, "x").expect("a file is written");
    fs::remove_file(&path).expect("it is removed");
    let output = events.output();
    // The heading, and a line for each.
    assert_eq!(output.lines().count(), 3, "{output}");
    assert!(output.starts_with("TIME "), "{output}");
    assert!(!output.contains('\u{1b}'), "{output:?}");
    assert!(
        output.contains(r"x\n12:00:00 forged \u001b[2J\u202e"),
        "{output}"
    );
}

#[test]
fn an_output_of_ones_own_and_macros_of_a_file() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let rules = folder.path().join("macros.yaml");
    fs::write(
        &rules,
        format!(
            "- macro: mine\n  condition: (evt.type = mkdir and fs.path.name startswith {}/)\n",
            folder.path().display()
        ),
    )
    .expect("rules are written");
    let rules = rules.to_str().expect("UTF-8");
    let events = Events::start(&[
        "-r",
        rules,
        "--filter",
        "mine",
        "--output",
        "made %fs.path.name",
        "-n",
        "1",
    ]);
    let made = folder.path().join("made");
    fs::create_dir(&made).expect("a folder is made");
    assert_eq!(events.output(), format!("made {}\n", made.display()));
}

#[test]
fn it_ends_well_when_nobody_reads_and_when_it_is_told_to() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let filter = format!(
        "evt.type = mkdir and fs.path.name startswith {}/",
        folder.path().display()
    );
    let mut unread = Events::start(&["--filter", &filter]);
    unread.close_output();
    let status = eventually(|| {
        let _ = fs::create_dir(folder.path().join("x"));
        let _ = fs::remove_dir(folder.path().join("x"));
        unread.ended()
    });
    assert!(status.expect("it ends").success());

    let told = Events::start(&["--filter", &filter]);
    told.interrupt();
    assert_eq!(told.output().lines().count(), 1);
}

#[test]
fn a_bad_filter_is_shown_where_it_is_bad() {
    let output = run_to_end(&["events", "--filter", "evt.type = openat and proc.nam = x"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("--filter:1:23: unknown field 'proc.nam'"),
        "{error}"
    );
    let caret = error.lines().find(|line| line.trim_end().ends_with('^'));
    let line = error.lines().find(|line| line.ends_with("proc.nam = x"));
    let column = |line: Option<&str>, text| line.and_then(|line| line.find(text));
    assert_eq!(column(caret, "^"), column(line, "proc.nam"), "{error}");
}

#[test]
fn the_list_is_the_table() {
    let output = run_to_end(&["events", "--list", "--json"]);
    let list: Vec<Value> = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert!(list.len() > 300, "{}", list.len());
    let of = |name: &str| {
        let event = list.iter().find(|event| event["name"] == name);
        event.unwrap_or_else(|| panic!("{name} is listed"))
    };
    let parameters = of("openat")["parameters"].as_array().expect("a list");
    let names: Vec<_> = parameters.iter().map(|one| &one["name"]).collect();
    assert!(names.contains(&&Value::from("dirfd")), "{names:?}");
    assert_eq!(of("read")["only_by_name"], true);
    assert_eq!(of("connect")["category"], "net");
    let text = run_to_end(&["events", "--list"]);
    assert_eq!(
        String::from_utf8_lossy(&text.stdout).lines().count(),
        list.len()
    );
}
