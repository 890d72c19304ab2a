//! What came of the runs in one machine.

use std::collections::BTreeMap;

use super::console::{RunTranscript, Transcript};
use super::{Act, RUNS, Run};
use crate::tool;

/// Instructions that the verifier may walk in one program, of the 1,000,000 (`BPF_COMPLEXITY_LIMIT_INSNS`)
/// after which it refuses. The next kernel may walk twice as many.
const MAX_VERIFIED: u64 = 500_000;

/// Says it; whether all is well. The rules `silent` need not fire.
pub(super) fn say(transcript: &Transcript, runs: &[&Run], silent: &[&str]) -> bool {
    let mut is_good = true;
    for wanted in runs {
        let run = transcript.runs.iter().find(|run| run.name == wanted.name);
        let mut expected = wanted.act.expected();
        expected.retain(|rule| !silent.contains(&rule.as_str()));
        match problem(wanted, run, &expected) {
            None => {
                let ready = run.and_then(|run| run.ready.as_deref()).unwrap_or_default();
                let alerts = if wanted.act == Act::Nothing {
                    ""
                } else {
                    ", every rule fired that can"
                };
                tool::say(&format!("  {}: {ready}{alerts}", wanted.name));
            }
            Some(problem) => {
                is_good = false;
                tool::say(&format!("  {}: FAILED: {problem}", wanted.name));
                for line in run.iter().flat_map(|run| &run.log) {
                    tool::say(&format!("    {line}"));
                }
            }
        }
        // No failure: what was refused is read in another way.
        for refusal in run.iter().flat_map(|run| &run.refusals) {
            tool::say(&format!("    {refusal}"));
        }
    }
    say_verified(transcript) && is_good
}

/// What is wrong with a run.
fn problem(wanted: &Run, run: Option<&RunTranscript>, expected: &[String]) -> Option<String> {
    let Some(run) = run else {
        return Some("it was not run".to_owned());
    };
    if run.ready.is_none() {
        return Some("the agent was never ready".to_owned());
    }
    if wanted.act == Act::Nothing {
        return None;
    }
    let missing: Vec<&str> = expected
        .iter()
        .filter(|rule| !run.fired.contains(*rule))
        .map(String::as_str)
        .collect();
    if !run.miscounted.is_empty() {
        let counts = run.miscounted.join(", ");
        return Some(format!(
            "not fired as often as they had to (wanted, found): {counts}"
        ));
    }
    (!missing.is_empty()).then(|| format!("no alert of {}", missing.join(", ")))
}

/// A table of what the verifier walked, the most of any run; whether all is within the bound.
fn say_verified(transcript: &Transcript) -> bool {
    let mut programs: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for run in &transcript.runs {
        let is_oldest = RUNS
            .iter()
            .any(|wanted| wanted.name == run.name && wanted.is_oldest);
        for (program, instructions) in &run.verified {
            let most = &mut programs.entry(program).or_default()[usize::from(is_oldest)];
            *most = (*most).max(*instructions);
        }
    }
    if programs.is_empty() {
        tool::say("  this kernel does not tell how many instructions it verified");
        return true;
    }
    tool::say("  instructions verified     newest ways  oldest ways");
    for (program, [newest, oldest]) in &programs {
        tool::say(&format!("    {program:24} {newest:>10} {oldest:>12}"));
    }
    let mut is_good = true;
    for (program, most) in &programs {
        if most.iter().any(|instructions| *instructions > MAX_VERIFIED) {
            tool::say(&format!("  {program}: FAILED: more than {MAX_VERIFIED}"));
            is_good = false;
        }
    }
    is_good
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript(lines: &[&str]) -> Transcript {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        Transcript::parse(&lines)
    }

    #[test]
    fn a_rule_that_did_not_fire_is_a_problem_of_the_runs_that_act() {
        let acted = RUNS.iter().find(|run| run.act == Act::Calls).unwrap();
        let loaded = RUNS.iter().find(|run| run.act == Act::Nothing).unwrap();
        let expected = ["exec".to_owned(), "open".to_owned()];
        let said = transcript(&[
            "machine: run any",
            "log: peregrine: ready: 2 rules",
            "alert: {\"rule\":\"exec\"}",
        ]);
        let run = said.runs.first();
        let found = problem(acted, run, &expected);
        assert_eq!(found.as_deref(), Some("no alert of open"));
        assert_eq!(problem(loaded, run, &expected), None);
        assert!(problem(acted, None, &expected).is_some());
        let unready = transcript(&["machine: run any"]);
        assert!(problem(loaded, unready.runs.first(), &expected).is_some());
    }

    #[test]
    fn too_much_for_the_verifier_is_a_failure() {
        for (instructions, expected) in [(MAX_VERIFIED, true), (MAX_VERIFIED + 1, false)] {
            let log = format!("log: program=\"x\" verified_instructions={instructions}");
            let said = transcript(&["machine: run any", &log]);
            assert_eq!(say_verified(&said), expected);
        }
    }
}
