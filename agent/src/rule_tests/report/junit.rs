//! JUnit XML, as build servers read it: one suite a file, one case a test.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::{Counts, all, errors};
use crate::rule_tests::run::{FileResult, Outcome};

/// A report in XML. A file that cannot be run is a suite with one case that has an error.
pub fn junit(results: &[FileResult]) -> io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let total = counts(results);
    writer
        .create_element("testsuites")
        .with_attribute(("name", "peregrine rules test"))
        .with_attributes(attributes(&total))
        .write_inner_content(|writer| results.iter().try_for_each(|file| suite(writer, file)))?;
    let mut text = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
    text.push('\n');
    Ok(text)
}

/// The attributes of a suite, or of all.
fn counts(results: &[FileResult]) -> [(&'static str, String); 4] {
    let counts = Counts::of(results);
    let tests = counts.passed + counts.failed + counts.deselected + counts.unusable;
    [
        ("tests", tests.to_string()),
        ("failures", counts.failed.to_string()),
        ("errors", counts.unusable.to_string()),
        ("skipped", counts.deselected.to_string()),
    ]
}

fn attributes<'c>(
    counts: &'c [(&'static str, String); 4],
) -> impl Iterator<Item = (&'c str, &'c str)> {
    counts.iter().map(|(name, number)| (*name, number.as_str()))
}

fn suite(writer: &mut Writer<Vec<u8>>, file: &FileResult) -> io::Result<()> {
    let name = legal(&file.name);
    let counts = counts(std::slice::from_ref(file));
    writer
        .create_element("testsuite")
        .with_attribute(("name", name.as_str()))
        .with_attributes(attributes(&counts))
        .write_inner_content(|writer| {
            if !file.errors.is_empty() {
                let text = errors(file);
                case(writer, &name, "the file can be run", Some(("error", &text)))?;
            }
            for test in &file.tests {
                let found = match &test.outcome {
                    Outcome::Passed => None,
                    Outcome::Failed(failures) => Some(("failure", all(failures))),
                    Outcome::Deselected => Some(("skipped", String::new())),
                };
                let found = found.as_ref().map(|(kind, text)| (*kind, text.as_str()));
                case(writer, &name, &test.name, found)?;
            }
            Ok(())
        })?;
    Ok(())
}

fn case(
    writer: &mut Writer<Vec<u8>>,
    class: &str,
    name: &str,
    found: Option<(&str, &str)>,
) -> io::Result<()> {
    let name = legal(name);
    let element = writer
        .create_element("testcase")
        .with_attribute(("classname", class))
        .with_attribute(("name", name.as_str()));
    let Some((kind, text)) = found else {
        element.write_empty()?;
        return Ok(());
    };
    element.write_inner_content(|writer| {
        let text = legal(text);
        let first = text.lines().next().unwrap_or_default();
        let found = writer.create_element(kind);
        if text.is_empty() {
            found.write_empty()?;
        } else {
            found
                .with_attribute(("message", first))
                .write_text_content(BytesText::new(&text))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Text as XML 1.0 may hold it: most control characters are illegal there, escaped or not, so they are
/// shown in another way.
fn legal(text: &str) -> String {
    let is_legal = |character: char| matches!(character, '\t' | '\n' | ' '..='\u{7e}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..);
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_legal(character) {
            out.push(character);
        } else {
            out.extend(character.escape_unicode());
        }
    }
    out
}
