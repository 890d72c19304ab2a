//! What must hold of every entry of the table.

use std::collections::HashSet;

use super::*;
use crate::event::EventType;
use crate::fields::registry;
use crate::rules::event_names;

fn entries() -> impl Iterator<Item = &'static EventDefinition> {
    EventType::all().filter_map(EventType::definition)
}

fn count(entry: &EventDefinition, wanted: impl Fn(Source) -> bool) -> usize {
    let sources = entry.parameters.iter().map(|parameter| parameter.source);
    sources.filter(|source| wanted(*source)).count()
}

/// The arguments and the memory that a source reads.
fn arguments_of(source: Source) -> Vec<u8> {
    match source {
        Source::Argument(argument)
        | Source::Text(argument)
        | Source::Memory(argument, ..)
        | Source::Bits(argument, ..)
        | Source::BufferOf(argument) => {
            vec![argument]
        }
        Source::Path(argument, 0) => vec![argument],
        Source::Path(argument, directory) => vec![argument, directory],
        _ => vec![],
    }
}

#[test]
fn names_and_system_calls_are_unique_and_known() {
    let (mut names, mut calls) = (HashSet::new(), HashSet::new());
    for entry in entries() {
        assert!(names.insert(entry.name), "{} twice", entry.name);
        assert!(event_names::is_known(entry.name), "{}", entry.name);
        let Some(call) = entry.syscall else { continue };
        assert!(calls.insert(call), "{}: call {call} twice", entry.name);
        assert!(call < agent_ebpf::SYSCALLS, "{}", entry.name);
        assert!(!entry.tracepoint.is_empty(), "{}", entry.name);
    }
}

#[test]
fn every_capture_fits_its_slots() {
    for entry in entries() {
        let name = entry.name;
        assert!(
            count(entry, |one| matches!(one, Source::Path(..))) <= 2,
            "{name}"
        );
        assert!(
            count(entry, |one| matches!(one, Source::Text(_))) <= 3,
            "{name}"
        );
        let memory: HashSet<u8> = entry
            .parameters
            .iter()
            .filter_map(|parameter| match parameter.source {
                Source::Memory(argument, ..) => Some(argument),
                _ => None,
            })
            .collect();
        assert!(memory.len() <= 3, "{name}");
        for parameter in entry.parameters {
            for argument in arguments_of(parameter.source) {
                assert!((1..=6).contains(&argument), "{name} {}", parameter.name);
            }
            let captured = entry.capture().memory;
            if let Source::Memory(argument, offset, bytes) = parameter.source {
                let slot = captured.iter().find(|slot| slot.argument == argument);
                let length = slot.map_or(0, |slot| slot.length);
                assert!(length >= offset + bytes, "{name} {}", parameter.name);
            }
        }
    }
}

#[test]
fn what_a_program_does_not_do_is_not_asked_of_it() {
    for entry in entries().filter(|entry| entry.seen_by == SeenBy::Capture) {
        let capture = entry.capture();
        let about_descriptor =
            capture.descriptor != 0 || capture.buffer != 0 || capture.address != 0;
        let has_path = capture.paths[0].argument != 0;
        assert!(!(has_path && about_descriptor), "{}", entry.name);
        if let EventDescriptor::Directory(directory) = entry.descriptor {
            assert_eq!(capture.paths[0].directory, directory, "{}", entry.name);
        }
        for parameter in entry.parameters {
            let is_there = match parameter.source {
                Source::Buffer | Source::BufferOf(_) | Source::RequestedSize => {
                    entry.buffer.is_some()
                }
                Source::Listed => matches!(entry.listed, Some(ListIn::Polled(..))),
                Source::InodeOfListed | Source::SocketOfListed(_) => {
                    matches!(entry.listed, Some(ListIn::Pair(_)))
                }
                Source::Queue(_) => entry.queue.is_some(),
                // Of messages that are received.
                Source::Control => {
                    entry.flow == Flow::Read
                        && matches!(entry.buffer, Some(Buffer::Message(_) | Buffer::Messages(_)))
                }
                Source::Address => capture.address != 0,
                Source::Tuple => capture.descriptor != 0,
                Source::Own => false,
                _ => true,
            };
            assert!(is_there, "{} {}", entry.name, parameter.name);
        }
    }
}

#[test]
fn parameters_have_names_that_rules_may_use() {
    for entry in entries() {
        let mut names = HashSet::new();
        for parameter in entry.parameters {
            let name = parameter.name;
            assert!(names.insert(name), "{} {name} twice", entry.name);
            for field in ["evt.arg", "evt.rawarg"] {
                let text = format!("{field}.{name}");
                assert!(
                    registry::parse_field(&text).is_ok(),
                    "{} {text}",
                    entry.name
                );
            }
        }
    }
}

#[test]
fn fields_behind_parameters_exist_and_every_reason_is_a_sentence() {
    for entry in entries() {
        for parameter in entry.parameters {
            match parameter.source {
                Source::Field(field) => {
                    assert!(
                        registry::parse_field(field).is_ok(),
                        "{} {field}",
                        entry.name
                    );
                }
                Source::Unseen(reason) => {
                    assert!(reason.split(' ').count() > 3, "{} {reason}", entry.name);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn an_error_comes_first_or_the_descriptor_that_was_made() {
    for entry in entries().filter(|entry| entry.syscall.is_some()) {
        let Some(first) = entry.parameters.first() else {
            continue;
        };
        let generic = first.name == "ID";
        assert!(
            generic || first.source == Source::Result || first.name == "fd",
            "{}",
            entry.name
        );
    }
}
