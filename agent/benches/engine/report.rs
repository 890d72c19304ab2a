//! What was measured, as a table or as JSON.

use std::fmt::Write;

/// Numbers with their names and units, in their order.
#[derive(Default)]
pub(crate) struct Report(Vec<(String, f64, &'static str)>);

impl Report {
    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &'static str) {
        self.0.push((name.to_owned(), value, unit));
    }

    /// A line for each number, or one JSON object.
    pub(crate) fn shown(&self, json: bool) -> String {
        if json {
            let object: serde_json::Map<_, _> = self
                .0
                .iter()
                .map(|(name, value, _)| (name.clone(), (*value).into()))
                .collect();
            return serde_json::Value::Object(object).to_string();
        }
        let mut text = String::new();
        for (name, value, unit) in &self.0 {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name:<36} {value:>12.3} {unit}");
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// The value in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
