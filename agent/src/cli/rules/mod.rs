//! `peregrine rules`

mod describe;
mod directory;
mod test;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use describe::{describe_json, describe_text};
use directory::yaml_files;
use serde_json::{Value as Json, json};

use super::run::RunError;
use super::{CliError, print};
use crate::config::{Config, ConfigError};
use crate::escape::OneLine;
use crate::rules::{LoadReport, Rule, RuleSet, RuleSource, load, load_with};

/// Arguments of `rules`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to do with rules.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Check rule files; exit code 1 if one does not load
    Check {
        /// Files or directories, loaded in this order
        #[arg(required = true)]
        files: Vec<PathBuf>,

        /// Print a JSON object with an entry for each file
        #[arg(long)]
        json: bool,
    },
    /// List the rules
    List(Selection),
    /// Tell everything about a rule, or about each
    Describe {
        /// The rule's name
        rule: Option<String>,

        /// Which rules.
        #[command(flatten)]
        selection: Selection,
    },
    /// Run unit tests of rules, which need no kernel; exit code 1 if one fails
    Test(test::Args),
}

/// Which rules to load.
#[derive(Clone, Debug, clap::Args)]
pub struct Selection {
    /// Rules file or directory, instead of those configured; repeatable
    #[arg(short, long = "rules", value_name = "RULES")]
    pub rules: Vec<PathBuf>,

    /// Print a JSON array
    #[arg(long)]
    pub json: bool,
}

/// Runs one of the commands.
pub fn rules(args: &Args) -> Result<ExitCode, CliError> {
    match &args.command {
        Command::Check { files, json } => check(files, *json),
        Command::List(selection) => {
            let rules = selected(selection)?;
            show(&rules, selection.json, list_json, list_text)
        }
        Command::Describe { rule, selection } => {
            let mut rules = selected(selection)?;
            if let Some(name) = rule {
                let found: RuleSet = rules
                    .rules()
                    .filter(|rule| *rule.name == **name)
                    .cloned()
                    .collect();
                if found.is_empty() {
                    return Err(CliError::UnknownRule(name.clone()));
                }
                rules = found;
            }
            show(&rules, selection.json, describe_json, describe_text)
        }
        Command::Test(args) => test::test(args),
    }
}

fn sources(paths: &[PathBuf]) -> Result<Vec<RuleSource>, CliError> {
    let config = Config::load(None, &[]).map_err(|error| CliError::Run(error.into()))?;
    let read = |paths: &[PathBuf]| {
        config
            .rule_files(paths)
            .map_err(|error| CliError::Run(error.into()))
    };
    let mut files = Vec::new();
    if paths.is_empty() {
        files = read(&[])?;
    }
    for path in paths {
        let found = read(std::slice::from_ref(path))?;
        if found.is_empty() {
            return Err(CliError::NoRuleFile { path: path.clone() });
        }
        files.extend(found);
    }
    let source = |file: crate::config::RuleFile| RuleSource {
        name: file.name,
        text: file.text,
    };
    Ok(files.into_iter().map(source).collect())
}

/// Loads files; one that cannot be read is a finding like any other, and none after it is looked at.
fn load_checked(files: &[PathBuf]) -> Result<LoadReport, CliError> {
    let mut readable = Vec::new();
    let unreadable = |readable: &[RuleSource], path: &Path, why: &str| {
        let mut report = load(readable);
        if report.errors().next().is_none() {
            report.add_unreadable(&path.display().to_string(), why);
        }
        Ok(report)
    };
    for path in files {
        let found = match yaml_files(path) {
            Ok(found) => found,
            Err(error) => return unreadable(&readable, path, &error.to_string()),
        };
        if found.is_empty() {
            let why = "no rule file (*.yaml, *.yml) is in the directory";
            return unreadable(&readable, path, why);
        }
        for path in found {
            match sources(&[path]) {
                Ok(sources) => readable.extend(sources),
                Err(CliError::Run(RunError::Config(ConfigError::Read { path, source }))) => {
                    return unreadable(&readable, &path, &source.to_string());
                }
                Err(other) => return Err(other),
            }
        }
    }
    Ok(load(&readable))
}

fn check(files: &[PathBuf], as_json: bool) -> Result<ExitCode, CliError> {
    let report = load_checked(files)?;
    if as_json {
        let results = json!({ "falco_load_results": report.to_json() });
        print(&format!("{results:#}\n"))?;
    } else {
        print(&check_text(&report))?;
    }
    let failed = report.errors().next().is_some();
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn check_text(report: &LoadReport) -> String {
    let mut text = String::new();
    for file in &report.files {
        let has = |error: bool| {
            report
                .findings
                .iter()
                .any(|finding| *finding.place.file == **file && finding.code.is_error() == error)
        };
        let verdict = match (has(true), has(false)) {
            (true, _) => "Invalid",
            (false, true) => "Ok, with warnings",
            (false, false) => "Ok",
        };
        let _infallible = writeln!(text, "{}: {verdict}", OneLine(file));
    }
    for finding in &report.findings {
        let _infallible = writeln!(text, "{finding}");
    }
    text
}

/// The rules as the agent would run them: with what the configuration does to them.
fn selected(selection: &Selection) -> Result<RuleSet, CliError> {
    let config = Config::load(None, &[]).map_err(|error| CliError::Run(error.into()))?;
    let mut report = load_with(&sources(&selection.rules)?, &config.output_settings());
    report.rules.switch(&config.rules);
    let errors: Vec<String> = report.errors().map(ToString::to_string).collect();
    if errors.is_empty() {
        Ok(report.rules)
    } else {
        Err(CliError::Run(RunError::Rules(errors.join("\n"))))
    }
}

fn show(
    rules: &RuleSet,
    as_json: bool,
    json_of: fn(&Rule) -> Json,
    text_of: fn(&Rule) -> String,
) -> Result<ExitCode, CliError> {
    let text = if as_json {
        let all: Vec<Json> = rules.rules().map(json_of).collect();
        format!("{:#}\n", Json::Array(all))
    } else {
        rules.rules().map(text_of).collect()
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn tags(rule: &Rule) -> Vec<&str> {
    rule.tags.iter().map(String::as_str).collect()
}

fn list_json(rule: &Rule) -> Json {
    json!({
        "name": &*rule.name,
        "priority": rule.priority.name(),
        "enabled": rule.enabled,
        "tags": tags(rule),
    })
}

fn list_text(rule: &Rule) -> String {
    let state = if rule.enabled { "" } else { " (disabled)" };
    format!(
        "{:<13} {}{state}  [{}]\n",
        rule.priority.name(),
        OneLine(&rule.name),
        OneLine(&tags(rule).join(", "))
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_files_say_cannot_forge_lines() {
        let text = r#"
- rule: "name \e[31m\n2025 Critical forged  []"
  desc: "\e]0;title\a first\n  condition: never"
  condition: evt.type = openat and proc.name = "a\nb"
  output: o %proc.aname[1]
  priority: INFO
  tags: ["\e[2J", "a\nb"]
- "wrong": 1
  "macro\e[m": 2
- macro: "m\n\u202e"
  condition: evt.type = open
"#;
        let source = RuleSource {
            name: "na\nme\u{1b}[31m.yaml".to_owned(),
            text: text.to_owned(),
        };
        let report = load(&[source]);
        assert!(report.errors().next().is_none(), "{}", check_text(&report));
        let rule = report.rules.rules().next().unwrap();
        let texts = [
            (list_text(rule), Some(1)),
            (describe_text(rule), None),
            (check_text(&report), None),
        ];
        for (text, lines) in texts {
            let is_forged = |c: char| crate::escape::is_unprintable(c) && c != '\n';
            assert!(!text.contains(is_forged), "{text:?}");
            for start in ["2025", "me", "  condition: never", "b"] {
                assert!(!text.lines().any(|line| line.starts_with(start)), "{text}");
            }
            assert!(
                lines.is_none_or(|lines| text.lines().count() == lines),
                "{text}"
            );
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_finding() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let good = write("good.yaml", b"- list: l\n  items: []\n");
        let bad = write("bad.yaml", b"nonsense");
        let binary = write("binary.yaml", b"\xff\xfe");
        let missing = folder.path().join("missing.yaml");
        let empty = folder.path().join("empty");
        fs::create_dir(&empty).unwrap();
        let mixed = folder.path().join("mixed");
        fs::create_dir(&mixed).unwrap();
        write("mixed/1.yaml", b"- list: l\n  items: []\n");
        write("mixed/2.yaml", b"\xff\xfe");
        write("mixed/3.yaml", b"nonsense");
        for (files, codes) in [
            (vec![&good], &["LOAD_UNUSED_LIST"][..]),
            (vec![&missing], &["LOAD_ERR_FILE_READ"]),
            (vec![&binary], &["LOAD_ERR_FILE_READ"]),
            (
                vec![&good, &missing, &bad],
                &["LOAD_UNUSED_LIST", "LOAD_ERR_FILE_READ"],
            ),
            (vec![&empty], &["LOAD_ERR_FILE_READ"]),
            (vec![&mixed], &["LOAD_UNUSED_LIST", "LOAD_ERR_FILE_READ"]),
            // The first file that fails ends it.
            (vec![&bad, &missing], &["LOAD_ERR_YAML_VALIDATE"]),
        ] {
            let files: Vec<PathBuf> = files.into_iter().cloned().collect();
            let report = load_checked(&files).unwrap();
            let found: Vec<_> = report.findings.iter().map(|one| one.code.name()).collect();
            assert_eq!(found, codes, "{files:?}");
            let json = report.to_json();
            let last = json.as_array().unwrap().last().unwrap();
            assert_eq!(last["successful"], report.errors().next().is_none());
        }
        let found = sources(&[good, empty]);
        assert!(matches!(found, Err(CliError::NoRuleFile { .. })));
    }
}
