//! An alert as a line: text, or JSON in Falco's shape.

use std::fmt::Write as _;
use std::io;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter};

use super::Alert;
use crate::escape::{JsonEscaped, is_unprintable, write_escaped};

/// The source of alerts that the agent raises about itself.
pub const INTERNAL_SOURCE: &str = "internal";

/// What a line contains; each switch has the configuration key of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one switch for each configuration key, independent of each other"
)]
pub struct AlertFormat {
    /// `json_output`: JSON lines rather than text lines.
    pub json: bool,
    /// `json_include_output_property`: the key `output`, the text line.
    pub output: bool,
    /// `json_include_message_property`: the key `message`, the text line without time and priority.
    pub message: bool,
    /// `json_include_output_fields_property`: the key `output_fields`.
    pub output_fields: bool,
    /// `json_include_tags_property`: the key `tags`.
    pub tags: bool,
    /// `time_format_iso_8601`: UTC date and time in the text line rather than local time of day.
    pub iso_8601: bool,
}

impl Default for AlertFormat {
    fn default() -> Self {
        Self {
            json: false,
            output: true,
            message: false,
            output_fields: true,
            tags: true,
            iso_8601: false,
        }
    }
}

/// Turns alerts into lines.
#[derive(Clone, Debug)]
pub struct Renderer {
    format: AlertFormat,
    hostname: String,
    /// Read once: looking the system's zone up costs file accesses.
    time_zone: TimeZone,
}

/// The keys in the order of the alphabet, which is the order that Falco prints.
#[derive(Serialize)]
struct JsonLine<'a> {
    hostname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_fields: Option<&'a serde_json::Map<String, Value>>,
    priority: &'static str,
    rule: &'a str,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<&'a str>>,
    time: &'a str,
}

impl Renderer {
    /// Renders with the system's time zone (`TZ`, else `/etc/localtime`, else UTC).
    pub fn new(format: AlertFormat, hostname: String) -> Self {
        Self::with_time_zone(format, hostname, TimeZone::system())
    }

    /// Renders local times in this time zone.
    pub fn with_time_zone(format: AlertFormat, hostname: String, time_zone: TimeZone) -> Self {
        Self {
            format,
            hostname,
            time_zone,
        }
    }

    /// The alert as one line, ended by a newline, with no other control character in it.
    pub fn line(&self, alert: &Alert) -> String {
        if self.format.json {
            self.json_line(alert)
        } else {
            let mut line = JsonEscaped(&self.text(alert)).to_string();
            line.push('\n');
            line
        }
    }

    /// The time, the priority and the message, not escaped.
    fn text(&self, alert: &Alert) -> String {
        let mut text = if self.format.iso_8601 {
            iso_8601(alert.time, "+0000")
        } else {
            time_of_day(alert.time, &self.time_zone)
        };
        let _ = write!(text, ": {} {}", alert.priority, alert.message);
        if &*alert.source == INTERNAL_SOURCE && !self.format.json && !alert.output_fields.is_empty()
        {
            let fields = alert.output_fields.iter().map(|(name, value)| match value {
                Value::String(value) => format!("{name}={value}"),
                value => format!("{name}={value}"),
            });
            let _ = write!(text, " ({})", fields.collect::<Vec<_>>().join(" "));
        }
        text
    }

    fn json_line(&self, alert: &Alert) -> String {
        // Falco always gives an internal alert its text and fields, and never a message or tags.
        let internal = &*alert.source == INTERNAL_SOURCE;
        let output = (internal || self.format.output).then(|| self.text(alert));
        let output_fields = (internal || self.format.output_fields).then(|| {
            let mut fields = alert.output_fields.clone();
            // Replaces what the output printed for the same field: in JSON it is a number.
            fields.insert(self.time_field().to_owned(), Value::from(alert.time));
            fields
        });
        let line = JsonLine {
            hostname: &self.hostname,
            message: (!internal && self.format.message).then_some(&*alert.message),
            output: output.as_deref(),
            output_fields: output_fields.as_ref(),
            priority: alert.priority.name(),
            rule: &alert.rule,
            source: &alert.source,
            tags: (!internal && self.format.tags)
                .then(|| alert.tags.iter().map(|tag| &**tag).collect()),
            time: &iso_8601(alert.time, "Z"),
        };
        json_text(&line) + "\n"
    }

    fn time_field(&self) -> &'static str {
        if self.format.iso_8601 {
            "evt.time.iso8601"
        } else {
            "evt.time"
        }
    }
}

/// `HH:MM:SS.nnnnnnnnn` in a time zone; the time is ns since the epoch.
pub fn time_of_day(time: u64, time_zone: &TimeZone) -> String {
    let time = timestamp(time).to_zoned(time_zone.clone()).time();
    format!(
        "{:02}:{:02}:{:02}.{:09}",
        time.hour(),
        time.minute(),
        time.second(),
        time.subsec_nanosecond()
    )
}

/// Anything with text keys as JSON on one line, safe to look at.
pub fn json_text(value: &impl Serialize) -> String {
    let mut bytes = Vec::with_capacity(512);
    let mut serializer =
        serde_json::Serializer::with_formatter(&mut bytes, PrintableFormatter(CompactFormatter));
    let written = value.serialize(&mut serializer);
    debug_assert!(written.is_ok(), "string keys into memory cannot fail");
    // The serializer writes UTF-8 only, so this moves the bytes and replaces none.
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// `YYYY-MM-DDTHH:MM:SS.nnnnnnnnn` in UTC, and the suffix that says so.
fn iso_8601(time: u64, suffix: &str) -> String {
    let time = timestamp(time).to_zoned(TimeZone::UTC).datetime();
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}{suffix}",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.subsec_nanosecond()
    )
}

/// Nanoseconds since the epoch as a timestamp. 64 bits of them end in the year 2554, well within
/// what a timestamp holds.
fn timestamp(time: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(time)).unwrap_or(Timestamp::MAX)
}

/// JSON on one line that is also safe to look at: characters that JSON allows but a terminal acts
/// upon (DEL, C1, text direction) are escaped. For a JSON parser nothing changes.
struct PrintableFormatter(CompactFormatter);

impl Formatter for PrintableFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, character)) = rest.char_indices().find(|(_, c)| is_unprintable(*c)) {
            self.0.write_string_fragment(writer, &rest[..at])?;
            let mut escaped = String::new();
            write_escaped(&mut escaped, character).map_err(io::Error::other)?;
            writer.write_all(escaped.as_bytes())?;
            rest = &rest[at + character.len_utf8()..];
        }
        self.0.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::rules::Priority;

    /// 2026-01-02T03:04:05.000000006Z
    const TIME: u64 = 1_767_323_045_000_000_006;

    fn alert(message: &str) -> Alert {
        Alert {
            time: TIME,
            rule: "Shell in container".into(),
            priority: Priority::Warning,
            source: "syscall".into(),
            tags: [Arc::from("T1059"), Arc::from("container")].into(),
            message: message.to_owned(),
            output_fields: [
                ("proc.name".to_owned(), json!("sh")),
                ("container.id".to_owned(), Value::Null),
            ]
            .into_iter()
            .collect(),
        }
    }

    fn render(format: AlertFormat, alert: &Alert) -> String {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        Renderer::with_time_zone(format, "node-1".to_owned(), zone).line(alert)
    }

    #[test]
    fn text_has_local_time_or_iso_8601() {
        for (iso_8601, expected) in [
            (false, "05:04:05.000000006: Warning a shell (sh)\n"),
            (
                true,
                "2026-01-02T03:04:05.000000006+0000: Warning a shell (sh)\n",
            ),
        ] {
            let format = AlertFormat {
                iso_8601,
                ..AlertFormat::default()
            };
            assert_eq!(render(format, &alert("a shell (sh)")), expected);
        }
    }

    #[test]
    fn no_message_can_forge_a_line_or_drive_a_terminal() {
        let hostile = "x\n00:00:00.0: Notice fake\r\"\\\u{1b}[2K\u{7f}\u{9b}0m\u{202e}\u{2028}";
        for json in [false, true] {
            let format = AlertFormat {
                json,
                message: true,
                ..AlertFormat::default()
            };
            let mut alert = alert(hostile);
            alert
                .output_fields
                .insert("proc.cmdline".to_owned(), json!(hostile));
            let line = render(format, &alert);
            let body = line.strip_suffix('\n').unwrap();
            assert!(!body.chars().any(is_unprintable), "{body:?}");
            if json {
                let value: Value = serde_json::from_str(body).unwrap();
                assert_eq!(value["message"], hostile);
                assert_eq!(value["output_fields"]["proc.cmdline"], hostile);
            } else {
                assert!(body.contains(r#"fake\r\"\\\u001b[2K\u007f\u009b0m\u202e"#));
            }
        }
    }

    #[test]
    fn json_has_falcos_keys_in_order() {
        let format = AlertFormat {
            json: true,
            message: true,
            ..AlertFormat::default()
        };
        assert_eq!(
            render(format, &alert("a shell")),
            concat!(
                r#"{"hostname":"node-1","message":"a shell","#,
                r#""output":"05:04:05.000000006: Warning a shell","#,
                r#""output_fields":{"container.id":null,"evt.time":1767323045000000006,"proc.name":"sh"},"#,
                r#""priority":"Warning","rule":"Shell in container","source":"syscall","#,
                r#""tags":["T1059","container"],"time":"2026-01-02T03:04:05.000000006Z"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn each_switch_removes_its_key() {
        let format = AlertFormat {
            json: true,
            output: false,
            message: false,
            output_fields: false,
            tags: false,
            iso_8601: true,
        };
        let value: Value = serde_json::from_str(&render(format, &alert("a shell"))).unwrap();
        assert_eq!(
            value.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["hostname", "priority", "rule", "source", "time"]
        );
    }

    #[test]
    fn the_time_field_follows_the_time_format_and_is_a_number() {
        let format = AlertFormat {
            json: true,
            iso_8601: true,
            ..AlertFormat::default()
        };
        let mut alert = alert("m");
        alert.output_fields.insert(
            "evt.time.iso8601".to_owned(),
            json!("2026-01-02T03:04:05.000000006+0000"),
        );
        let value: Value = serde_json::from_str(&render(format, &alert)).unwrap();
        assert_eq!(value["output_fields"]["evt.time.iso8601"], TIME);
        assert!(value["output_fields"].get("evt.time").is_none());
    }

    #[test]
    fn an_internal_alert_shows_its_fields_in_the_text() {
        let mut alert = alert("events were lost");
        alert.source = INTERNAL_SOURCE.into();
        alert.output_fields = [
            ("cause".to_owned(), json!("ring full")),
            ("lost".to_owned(), json!(7)),
        ]
        .into_iter()
        .collect();
        assert_eq!(
            render(AlertFormat::default(), &alert),
            "05:04:05.000000006: Warning events were lost (cause=ring full lost=7)\n"
        );
        let format = AlertFormat {
            json: true,
            message: true,
            ..AlertFormat::default()
        };
        let value: Value = serde_json::from_str(&render(format, &alert)).unwrap();
        assert!(value.get("tags").is_none());
        assert!(value.get("message").is_none());
    }

    #[test]
    fn every_time_renders() {
        for time in [0, u64::MAX] {
            let mut alert = alert("m");
            alert.time = time;
            assert!(render(AlertFormat::default(), &alert).ends_with(": Warning m\n"));
        }
        assert_eq!(iso_8601(u64::MAX, "Z"), "2554-07-21T23:34:33.709551615Z");
    }
}
