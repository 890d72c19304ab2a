//! `peregrine rules`

mod test;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value as Json, json};

use super::wanted::wanted_by;
use super::{CliError, print};
use crate::config::Config;
use crate::event::EventType;
use crate::rules::{
    CompileOptions, LoadReport, Matching, Program, Rule, RuleSet, RuleSource, field_text, load,
};

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
    let files = config
        .rule_files(paths)
        .map_err(|error| CliError::Run(error.into()))?;
    let source = |file: crate::config::RuleFile| RuleSource {
        name: file.name,
        text: file.text,
    };
    Ok(files.into_iter().map(source).collect())
}

fn check(files: &[PathBuf], as_json: bool) -> Result<ExitCode, CliError> {
    let report = load(&sources(files)?);
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
        let _infallible = writeln!(text, "{file}: {verdict}");
    }
    for finding in &report.findings {
        let _infallible = writeln!(text, "{finding}");
    }
    text
}

fn selected(selection: &Selection) -> Result<RuleSet, CliError> {
    let report = load(&sources(&selection.rules)?);
    let errors: Vec<String> = report.errors().map(ToString::to_string).collect();
    if errors.is_empty() {
        Ok(report.rules)
    } else {
        Err(CliError::Run(super::run::RunError::Rules(
            errors.join("\n"),
        )))
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
        rule.name,
        tags(rule).join(", ")
    )
}

/// What a rule by itself makes the agent do.
struct Description {
    condition: String,
    events: Vec<&'static str>,
    condition_fields: Vec<String>,
    output_fields: Vec<String>,
    probes: Vec<String>,
}

impl Description {
    fn of(rule: &Rule) -> Self {
        let alone: RuleSet = std::iter::once(Rule {
            enabled: true,
            ..rule.clone()
        })
        .collect();
        let options = CompileOptions {
            matching: Matching::First,
            ..CompileOptions::default()
        };
        let program = Program::compile(&alone, options);
        let sorted = |mut fields: Vec<String>| {
            fields.sort();
            fields.dedup();
            fields
        };
        Self {
            condition: rule.condition.to_string(),
            events: program.events().iter().map(EventType::name).collect(),
            condition_fields: sorted(rule.condition.fields().map(str::to_owned).collect()),
            output_fields: sorted(rule.output.fields().map(field_text).collect()),
            probes: wanted_by(&program, false)
                .probes()
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }
}

fn describe_json(rule: &Rule) -> Json {
    let description = Description::of(rule);
    json!({
        "name": &*rule.name,
        "description": rule.description.trim(),
        "priority": rule.priority.name(),
        "enabled": rule.enabled,
        "source": rule.source,
        "tags": tags(rule),
        "condition_compiled": description.condition,
        "events": description.events,
        "event_types": rule.event_types.iter().collect::<Vec<_>>(),
        "macros": rule.macros,
        "lists": rule.lists,
        "condition_fields": description.condition_fields,
        "output_fields": description.output_fields,
        "attached": description.probes,
    })
}

fn describe_text(rule: &Rule) -> String {
    let description = Description::of(rule);
    let state = if rule.enabled { "" } else { " (disabled)" };
    format!(
        "{}{state}\n  {}\n  priority:  {}\n  tags:      {}\n  events:    {}\n  fields:    {}\n  output:    {}\n  attached:  {}\n  condition: {}\n\n",
        rule.name,
        rule.description.trim(),
        rule.priority.name(),
        tags(rule).join(", "),
        description.events.join(", "),
        description.condition_fields.join(", "),
        description.output_fields.join(", "),
        description.probes.join(", "),
        description.condition,
    )
}
