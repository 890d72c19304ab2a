//! Compiled programs hold what the trees say.

use proptest::prelude::*;

use super::*;

/// The tree, evaluated as it stands.
fn naive(tree: &Expression, given: &dyn Fn(&FieldUse) -> Option<Value<'static>>) -> bool {
    match tree {
        Expression::And(parts) => parts.iter().all(|part| naive(part, given)),
        Expression::Or(parts) => parts.iter().any(|part| naive(part, given)),
        Expression::Not(inner) => !naive(inner, given),
        Expression::Comparison(comparison) => {
            test::Test::compile(comparison).is_ok_and(|test| test.holds(given))
        }
        Expression::Macro(_) => false,
    }
}

fn any_comparison() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("proc.name = a".to_owned()),
        Just("proc.name != a".to_owned()),
        Just("proc.name in (a, b)".to_owned()),
        Just("proc.pname startswith a".to_owned()),
        Just("fd.num > 0".to_owned()),
        Just("fd.num exists".to_owned()),
        Just("evt.type = open".to_owned()),
        Just("evt.type in (open, execve)".to_owned()),
        Just("evt.num = 0".to_owned()),
        Just("proc.name = val(proc.pname)".to_owned()),
        Just("proc.aname = a".to_owned()),
        Just("proc.aname != a".to_owned()),
        Just("proc.name in ()".to_owned()),
        Just("proc.name = anyof (a, c)".to_owned()),
        Just("proc.name != allof (a, c)".to_owned()),
        Just("proc.name startswith oneof (a, ab)".to_owned()),
        Just("proc.pname glob [ab]*".to_owned()),
        Just("toupper(proc.name) = A".to_owned()),
        Just("evt.type startswith open".to_owned()),
        Just("evt.num >= 1".to_owned()),
    ]
}

fn any_condition() -> impl Strategy<Value = String> {
    any_comparison().prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|part| format!("not ({part})")),
            proptest::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" and "))),
            proptest::collection::vec(inner, 2..4)
                .prop_map(|parts| format!("({})", parts.join(" or "))),
        ]
    })
}

proptest! {
    #[test]
    fn printing_and_parsing_give_the_same_tree(condition in any_condition()) {
        let tree = parse(&condition).unwrap();
        prop_assert_eq!(parse(&tree.to_string()).unwrap(), tree);
    }

    #[test]
    fn the_program_matches_what_the_tree_matches(
        conditions in proptest::collection::vec(any_condition(), 1..4),
        name in proptest::option::of("[abc]"),
        parent in proptest::option::of("[abc]"),
        number in proptest::option::of(-1..2_i64),
        event in 0..EventType::count(),
    ) {
        let event = EventType::all().nth(event).unwrap();
        let rules: String = conditions
            .iter()
            .enumerate()
            .map(|(index, condition)| rule(condition).replace(": r", &format!(": r{index}")))
            .collect();
        let report = load_text(&rules);
        let options = CompileOptions { matching: Matching::All, ..CompileOptions::default() };
        let program = Program::compile(&report.rules, options);
        let text = |text: &Option<String>| {
            text.clone().map(|text| Value::Bytes(text.into_bytes().into()))
        };
        let mut values = HashMap::from([
            ("evt.type".to_owned(), Value::text(event.name().as_bytes())),
            ("evt.num".to_owned(), Value::Uint(1)),
        ]);
        values.extend(text(&name).map(|value| ("proc.name".to_owned(), value)));
        values.extend(text(&parent).map(|value| ("proc.pname".to_owned(), value)));
        values.extend(text(&parent).map(|value| ("proc.aname".to_owned(), Value::List(vec![value]))));
        values.extend(number.map(|number| ("fd.num".to_owned(), Value::Int(number))));
        let given = Given { program: &program, values: values.clone() };
        let mut found = Vec::new();
        program.evaluate(event, &[&given], &mut EvaluationCache::default(), &mut found);
        let lookup = |field: &FieldUse| values.get(&field_text(field)).cloned();
        let expected: Vec<_> = report
            .rules
            .rules()
            .enumerate()
            .filter(|(_, rule)| naive(&rule.condition, &lookup))
            .map(|(index, _)| RuleIndex(index))
            .collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_text_makes_the_parser_or_the_loader_panic(text in "[a-z.=()\"'\\\\ \\[\\],<>!%:\\-\n]{0,80}") {
        let _tree = parse(&text);
        let _report = load_text(&text);
        let _report = load_text(&rule(&text));
    }
}
