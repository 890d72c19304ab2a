//! The default rules and their tests.

use super::*;

/// The sensor's events run through the compiled program: it has to say what the tests' own evaluation says.
#[test]
fn the_compiled_program_agrees() {
    use crate::event::EventType;
    use crate::fields::{FieldSource, Value};
    use crate::rules::{CompileOptions, EvaluationCache, EventClass, Matching, Program, load};

    struct Source<'s>(&'s Program, &'s EventDescription);
    impl FieldSource for Source<'_> {
        fn value(&self, slot: usize) -> Option<Value<'_>> {
            self.1.value(&self.0.fields()[slot])
        }
    }

    let rules = load(&default_sources()).rules;
    let options = CompileOptions {
        matching: Matching::All,
        ..CompileOptions::default()
    };
    let program = Program::compile(&rules, options);
    let mut compared = 0;
    for path in default_test_files() {
        let file = TestFile::parse("t", &fs::read_to_string(&path).unwrap()).unwrap();
        for test in file.tests {
            let Some(event_type) = EventType::from_name(test.event.event_type()) else {
                continue;
            };
            let source = Source(&program, &test.event);
            let mut found = Vec::new();
            let mut cache = EvaluationCache::default();
            program.evaluate(
                event_type,
                EventClass::Unknown,
                &[&source],
                &mut cache,
                &mut found,
            );
            let found: Vec<_> = found
                .iter()
                .map(|index| &program.rule(*index).name)
                .collect();
            let expected: Vec<_> = rules
                .rules()
                .filter(|rule| explain(&rule.condition, &|field| test.event.value(field)).holds)
                .map(|rule| &rule.name)
                .collect();
            assert_eq!(found, expected, "{}", test.name.text);
            compared += 1;
        }
    }
    assert!(compared > 50, "{compared}");
}

fn default_sources() -> Vec<RuleSource> {
    let files = crate::default_rules::FILES.iter();
    let source = |(name, text): &(&str, &str)| RuleSource {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    };
    files.map(source).collect()
}

fn default_test_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/tests");
    let entries = fs::read_dir(folder).unwrap();
    // A folder has rules that tests load.
    let is_file = |path: &PathBuf| path.is_file();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(is_file)
        .collect()
}

/// The tests of the default rules pass, and each rule has one that it fires in and one that it does not.
#[test]
fn the_default_rules_pass_their_tests() {
    let mut results = Vec::new();
    let (mut fires, mut silent) = (BTreeSet::new(), 0);
    for path in default_test_files() {
        let file = TestFile::parse("t", &fs::read_to_string(&path).unwrap()).unwrap();
        for test in file.tests {
            silent += usize::from(test.expectation.fires.is_empty());
            fires.extend(test.expectation.fires.into_iter().map(|rule| rule.text));
        }
        results.push(run_file(&path, &Options::default()));
    }
    let text = report::text(&results);
    assert!(!results.iter().any(FileResult::is_failure), "{text}");
    let rules = crate::rules::load(&default_sources()).rules;
    for rule in rules.rules() {
        assert!(
            fires.contains(&*rule.name),
            "no test in which '{}' fires",
            rule.name
        );
    }
    assert!(
        silent > rules.len(),
        "{silent} tests in which nothing fires"
    );
}
