//! Any text as a condition: a tree that prints to itself, or an error inside of the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peregrine::rules::parse;

fuzz_target!(|text: &str| {
    match parse(text) {
        Ok(tree) => assert_eq!(parse(&tree.to_string()).as_ref(), Ok(&tree)),
        Err(error) => assert!(error.offset <= text.len()),
    }
});
