//! From the texts of rule files to a [`RuleSet`](super::RuleSet).
//!
//! Items are collected in order first: later ones replace, append to and override earlier ones. Only
//! then are lists put in, conditions parsed and macros resolved, since a later file may change what an
//! earlier rule means.

use std::sync::Arc;

use super::append_output::OutputSettings;
use super::definitions::{Definitions, MacroDefinition, PluginRequirement};
use super::expansion::SourceFile;
use super::item::{Fatal, NamedItem};
use super::lists::List;
use super::report::{Code, Finding, LoadReport, Place, Position};
use super::suggestion::did_you_mean;
use super::yaml::{self, DuplicateKey, Node, Value};
use super::{ast, resolve, rule_item, schema};
use crate::fields::registry::closest;
use crate::version::ENGINE_VERSION;

/// A rule file's text and the name that messages call it by.
#[derive(Clone, Debug)]
pub struct RuleSource {
    /// The name, usually the path.
    pub name: String,
    /// The text.
    pub text: String,
}

/// The plugin whose fields and events are built in, and its version.
const CONTAINER_PLUGIN: (&str, [u64; 3]) = ("container", [0, 7, 1]);

/// Room for a condition that nests as deep as it may, in a build without optimisation.
const STACK_BYTES: usize = 32 << 20;

/// Loads rule files, in order, with no settings. See [`load_with`].
pub fn load(sources: &[RuleSource]) -> LoadReport {
    load_with(sources, &OutputSettings::default())
}

/// Loads rule files, in order. On an error the rule set is empty, and the report says why.
///
/// Runs on a thread of its own, whose stack does not depend on the caller's.
pub fn load_with(sources: &[RuleSource], outputs: &OutputSettings) -> LoadReport {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
        match builder.spawn_scoped(scope, || load_here(sources, outputs)) {
            Ok(thread) => match thread.join() {
                Ok(report) => report,
                Err(panic) => std::panic::resume_unwind(panic),
            },
            // No room for another thread: then on this one.
            Err(_) => load_here(sources, outputs),
        }
    })
}

fn load_here(sources: &[RuleSource], outputs: &OutputSettings) -> LoadReport {
    let files: Vec<_> = sources
        .iter()
        .map(|source| {
            Arc::new(SourceFile {
                name: source.name.as_str().into(),
                text: source.text.as_str().into(),
            })
        })
        .collect();
    let mut report = LoadReport::default();
    let mut definitions = Definitions::default();
    // Nothing after the first error of a file is looked at, and no file after that one.
    let mut outcome = files.iter().try_for_each(|file| {
        report.files.push(file.name.to_string());
        read_file(file, &mut definitions, &mut report)
    });
    // A plugin that is missing explains the other errors.
    if let Some(finding) = definitions.plugins.iter().find_map(unmet) {
        outcome = Err(finding);
    }
    match outcome.and_then(|()| resolve::resolve(definitions, outputs, &mut report.findings)) {
        Ok(rules) => report.rules = rules,
        Err(finding) => report.findings.push(*finding),
    }
    let text_of = |name: &str| {
        let file = files.iter().find(|file| *file.name == *name)?;
        Some(&*file.text)
    };
    for finding in &mut report.findings {
        finding.read_files(&text_of);
    }
    report
}

pub(crate) const LIST_KEYS: &[&str] = &["list", "items", "append", "override"];
pub(crate) const MACRO_KEYS: &[&str] = &["macro", "condition", "append", "override"];
/// Keys that `override` can change.
pub(crate) const LIST_CHANGEABLE: &[&str] = &["items"];
pub(crate) const MACRO_CHANGEABLE: &[&str] = &["condition"];
/// Keys that make an item; one with several of them is taken for the first.
pub(super) const ITEM_KEYS: &[&str] = &[
    "required_engine_version",
    "required_plugin_versions",
    "list",
    "macro",
    "rule",
];

fn read_file(
    file: &Arc<SourceFile>,
    definitions: &mut Definitions,
    report: &mut LoadReport,
) -> Result<(), Fatal> {
    let at = |position| Place {
        file: Arc::clone(&file.name),
        position,
    };
    let parsed = yaml::parse_with_duplicates(&file.text);
    let (documents, duplicates) = parsed.map_err(|(message, position)| {
        report
            .schema_warnings
            .push((file.name.to_string(), "it is not YAML".to_owned()));
        Finding::new(Code::YamlParse, at(position), None, message)
    })?;
    for DuplicateKey { key, position } in duplicates {
        let message =
            format!("the key '{key}' is there twice: this one is ignored, the first one counts");
        let finding = Finding::new(Code::UnknownKey, at(position), None, message);
        report.findings.push(*finding);
    }
    let warnings = schema::check(&documents).into_iter();
    report
        .schema_warnings
        .extend(warnings.map(|warning| (file.name.to_string(), warning)));
    for document in &documents {
        match &document.value {
            Value::Null => {}
            Value::List(items) => {
                for item in items {
                    read_item(item, file, definitions, &mut report.findings)?;
                }
            }
            _ => {
                let message = format!(
                    "expected a list of rules, macros and lists, and found {}",
                    document.kind()
                );
                return Err(Finding::new(
                    Code::YamlValidate,
                    at(document.position),
                    None,
                    message,
                ));
            }
        }
    }
    Ok(())
}

fn read_item(
    node: &Node,
    file: &Arc<SourceFile>,
    definitions: &mut Definitions,
    findings: &mut Vec<Finding>,
) -> Result<(), Fatal> {
    let finding = |code: Code, position: Position, message: String| {
        let place = Place {
            file: Arc::clone(&file.name),
            position,
        };
        Finding::new(code, place, None, message)
    };
    let Some(entries) = node.entries() else {
        let message = format!(
            "expected an item such as '- rule: ...', and found {}",
            node.kind()
        );
        return Err(finding(Code::YamlValidate, node.position, message));
    };
    let Some((kind, value)) = ITEM_KEYS
        .iter()
        .find_map(|key| Some((*key, node.get(key)?)))
    else {
        let (first, position) = entries
            .first()
            .map_or(("", node.position), |(key, position, _)| {
                (key.as_str(), *position)
            });
        let suggestion = did_you_mean(closest(first, ITEM_KEYS.iter().copied()));
        let message = format!(
            "unknown item '{first}' is ignored: expected one of rule, macro, list{suggestion}"
        );
        findings.push(*finding(Code::UnknownItem, position, message));
        return Ok(());
    };
    match kind {
        "required_engine_version" => {
            warn_of_other_keys(entries, kind, findings, &finding);
            return check_engine_version(value)
                .map_err(|(code, message)| finding(code, value.position, message));
        }
        "required_plugin_versions" => {
            warn_of_other_keys(entries, kind, findings, &finding);
            let requirements = read_plugin_versions(value, file)
                .map_err(|(position, message)| finding(Code::YamlValidate, position, message))?;
            definitions.plugins.extend(requirements);
            return Ok(());
        }
        _ => {}
    }
    let Some(name) = value.scalar().filter(|name| !name.is_empty()) else {
        let message = format!("the {kind} has no name: expected '{kind}: NAME'");
        return Err(finding(Code::YamlValidate, value.position, message));
    };
    let item = NamedItem {
        node,
        kind,
        name,
        file,
    };
    match kind {
        "list" => read_list(&item, definitions, findings),
        "macro" => read_macro(&item, definitions, findings),
        _ => rule_item::read(&item, definitions, findings),
    }
}

/// A requirement has one key.
fn warn_of_other_keys(
    entries: &[(String, Position, Node)],
    kind: &str,
    findings: &mut Vec<Finding>,
    finding: &impl Fn(Code, Position, String) -> Fatal,
) {
    for (key, position, _) in entries.iter().filter(|(key, _, _)| key != kind) {
        let message = format!("unknown key '{key}' is ignored");
        findings.push(*finding(Code::UnknownKey, *position, message));
    }
}

fn read_list(
    item: &NamedItem<'_>,
    definitions: &mut Definitions,
    findings: &mut Vec<Finding>,
) -> Result<(), Fatal> {
    item.check_keys(LIST_KEYS, findings);
    let position = item.node.position;
    let items = item
        .texts("items")?
        .ok_or_else(|| item.malformed(position, "the list needs the key 'items'"))?;
    if !item.name.chars().all(ast::is_bare) {
        let message = "no condition can name this list: \
                       blanks, quotes, parentheses, '=' and ',' cannot be in a name";
        findings.push(*item.finding(Code::InvalidListName, position, message));
    }
    let append = item.append(findings)?;
    let overrides = item.overrides(LIST_CHANGEABLE, LIST_CHANGEABLE)?;
    let append = append || overrides.appended.contains("items");
    let now = definitions.tick();
    let existing = definitions
        .lists
        .iter_mut()
        .find(|list| list.name == item.name);
    let place = item.place(position);
    match existing {
        Some(list) => {
            if !append {
                list.items.clear();
            }
            list.items.extend(items);
            list.visible_from = now;
            list.place = place;
        }
        None if append => {
            let known = definitions.lists.iter().map(|list| list.name.as_str());
            return Err(item.nothing_to_change(known));
        }
        None => definitions.lists.push(List {
            name: item.name.to_owned(),
            items,
            visible_from: now,
            defined_at: now,
            place,
        }),
    }
    Ok(())
}

fn read_macro(
    item: &NamedItem<'_>,
    definitions: &mut Definitions,
    findings: &mut Vec<Finding>,
) -> Result<(), Fatal> {
    item.check_keys(MACRO_KEYS, findings);
    let position = item.node.position;
    let condition = item.required_text("condition")?;
    let is_identifier = item
        .name
        .starts_with(|first: char| first.is_ascii_alphabetic())
        && item
            .name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_identifier {
        let message = "no condition can name this macro: \
                       expected a letter, then letters, digits and underscores";
        findings.push(*item.finding(Code::InvalidMacroName, position, message));
    }
    let append = item.append(findings)?;
    let overrides = item.overrides(MACRO_CHANGEABLE, MACRO_CHANGEABLE)?;
    let append = append || overrides.appended.contains("condition");
    let now = definitions.tick();
    let existing = definitions
        .macros
        .iter_mut()
        .find(|known| known.name == item.name);
    let place = item.place(position);
    match existing {
        Some(known) => {
            if append {
                known.condition.push_str(" ");
                known.condition.push(&condition);
            } else {
                known.condition = condition;
            }
            known.visible_from = now;
            known.place = place;
        }
        None if append => {
            let known = definitions.macros.iter().map(|known| known.name.as_str());
            return Err(item.nothing_to_change(known));
        }
        None => definitions.macros.push(MacroDefinition {
            name: item.name.to_owned(),
            condition,
            defined_at: now,
            visible_from: now,
            place,
        }),
    }
    Ok(())
}

/// `1.2.3`, perhaps with a suffix such as `-rc1` or `+build`, which counts for nothing.
fn parse_version(text: &str) -> Option<[u64; 3]> {
    let text = text.split(['-', '+']).next()?;
    let mut parts = text.split('.').map(|part| part.parse().ok());
    let version = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(version)
}

/// Whether this version serves whoever needs that one: the same major version, and not older.
fn serves(available: [u64; 3], required: [u64; 3]) -> bool {
    available[0] == required[0] && available >= required
}

fn check_engine_version(node: &Node) -> Result<(), (Code, String)> {
    let engine = [0, u64::from(ENGINE_VERSION), 0];
    let text = node.scalar().unwrap_or_default();
    // A number alone is the middle one.
    let required = text
        .parse()
        .map(|minor| [0, minor, 0])
        .ok()
        .or_else(|| parse_version(text));
    match required {
        Some(required) if serves(engine, required) => Ok(()),
        Some(_) => Err((
            Code::Validate,
            format!(
                "the file needs rule engine version {text}, and this one is 0.{ENGINE_VERSION}.0"
            ),
        )),
        None => Err((
            Code::YamlValidate,
            format!(
                "'{text}' is no version: expected a number or one such as 0.{ENGINE_VERSION}.0"
            ),
        )),
    }
}

fn read_plugin_versions(
    node: &Node,
    file: &Arc<SourceFile>,
) -> Result<Vec<PluginRequirement>, (Position, String)> {
    let expected = |node: &Node| {
        (
            node.position,
            "expected a list of plugins, each with 'name' and 'version'".to_owned(),
        )
    };
    let name_and_version = |node: &Node| {
        let text = |key| node.get(key).and_then(Node::scalar).map(str::to_owned);
        let pair = text("name")
            .zip(text("version"))
            .ok_or_else(|| expected(node))?;
        if parse_version(&pair.1).is_none() {
            let message = format!("'{}' is no version: expected one such as 0.4.0", pair.1);
            return Err((node.position, message));
        }
        Ok(pair)
    };
    let plugins = node.list().ok_or_else(|| expected(node))?;
    plugins
        .iter()
        .map(|plugin| {
            let others = match plugin.get("alternatives") {
                Some(others) => others.list().ok_or_else(|| expected(others))?,
                None => &[],
            };
            let alternatives = std::iter::once(plugin).chain(others).map(name_and_version);
            Ok(PluginRequirement {
                alternatives: alternatives.collect::<Result<_, _>>()?,
                place: Place {
                    file: Arc::clone(&file.name),
                    position: plugin.position,
                },
            })
        })
        .collect()
}

/// What is wrong if none of the plugins is there.
fn unmet(requirement: &PluginRequirement) -> Option<Fatal> {
    let (name, available) = CONTAINER_PLUGIN;
    let is_met = requirement.alternatives.iter().any(|(other, version)| {
        other == name && parse_version(version).is_some_and(|version| serves(available, version))
    });
    if is_met {
        return None;
    }
    let needed: Vec<String> = requirement
        .alternatives
        .iter()
        .map(|(name, version)| format!("'{name}' {version}"))
        .collect();
    let [major, minor, patch] = available;
    let message = format!(
        "the file needs the plugin {}, and the only one here, built in, is '{name}' {major}.{minor}.{patch}",
        needed.join(" or ")
    );
    Some(Finding::new(
        Code::Validate,
        requirement.place.clone(),
        None,
        message,
    ))
}
