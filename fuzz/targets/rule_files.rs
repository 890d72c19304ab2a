//! Any text as a rule file: rules that compile, or findings that can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peregrine::rules::{CompileOptions, Program, RuleSource, load};

fuzz_target!(|text: &str| {
    let report = load(&[RuleSource {
        name: "fuzz".to_owned(),
        text: text.to_owned(),
    }]);
    let _program = Program::compile(&report.rules, CompileOptions::default());
    for finding in &report.findings {
        let _shown = finding.to_string();
    }
});
