//! `peregrine fields`

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Value as Json, json};

use super::{CliError, print};
use crate::fields::registry::{self, FieldDef};
use crate::fields::{extractor, metadata_extractor};

/// Arguments of `fields`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Only fields of this class, such as evt, process, fd or container
    pub class: Option<String>,

    /// Print a JSON array
    #[arg(long)]
    pub json: bool,
}

/// Prints the fields that a rule can name.
pub fn fields(args: &Args) -> Result<ExitCode, CliError> {
    let chosen: Vec<&FieldDef> = registry::all()
        .iter()
        .filter(|field| args.class.as_ref().is_none_or(|class| field.class == class))
        .collect();
    if let Some(class) = args.class.as_ref().filter(|_| chosen.is_empty()) {
        let mut classes: Vec<&str> = registry::all().iter().map(|field| field.class).collect();
        classes.sort_unstable();
        classes.dedup();
        return Err(CliError::UnknownClass {
            class: class.clone(),
            known: classes.join(", "),
        });
    }
    if args.json {
        let fields: Vec<Json> = chosen.iter().map(|field| as_json(field)).collect();
        print(&format!("{:#}\n", Json::Array(fields)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    let mut class = "";
    for field in sorted_by_class(&chosen) {
        if field.class != class {
            class = field.class;
            let _infallible = writeln!(text, "{class}");
        }
        let usage = format!("{}{}", field.name, field.syntax.usage());
        let list = if field.list { "list of " } else { "" };
        let note = if has_value(field) {
            ""
        } else {
            " (no value yet)"
        };
        let _infallible = writeln!(
            text,
            "  {usage:<44} {list}{:<16} {}{note}",
            field.field_type.name(),
            field.help
        );
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn sorted_by_class<'f>(fields: &[&'f FieldDef]) -> Vec<&'f FieldDef> {
    let mut sorted = fields.to_vec();
    sorted.sort_by_key(|field| field.class);
    sorted
}

/// Whether some event gives the field a value.
fn has_value(field: &FieldDef) -> bool {
    extractor(field.name).is_some() || metadata_extractor(field.name).is_some()
}

fn as_json(field: &FieldDef) -> Json {
    json!({
        "name": field.name,
        "class": field.class,
        "type": field.field_type.name(),
        "list": field.list,
        "argument": field.syntax.usage(),
        "deprecated": field.deprecated,
        "has_value": has_value(field),
        "help": field.help,
    })
}
