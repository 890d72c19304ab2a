//! Alerts as lines on standard output.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};

use super::{Delivery, Sink, SinkError};

/// How much a buffered sink keeps before it writes, in bytes: that of a pipe.
const BUFFER_BYTES: usize = 64 * 1024;

/// The sink for standard output.
pub type Stdout = StreamSink<File>;

impl Stdout {
    /// Standard output; with `buffered`, lines are written 64 KiB at a time or when none came for a
    /// second. The descriptor is duplicated: no other buffer is between the sink and the kernel.
    pub fn new(buffered: bool) -> io::Result<Self> {
        let descriptor = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self::to_stream("stdout", File::from(descriptor), buffered))
    }
}

/// A sink that writes whole lines to a stream.
#[derive(Debug)]
pub struct StreamSink<W> {
    name: &'static str,
    stream: W,
    buffered: bool,
    pending: Vec<u8>,
    pending_alerts: u64,
    /// A write failed within a line, so the stream does not stand at the start of one.
    inside_line: bool,
}

impl<W: Write + AsFd + Send> StreamSink<W> {
    /// Writes to this stream; errors and metrics name it so.
    pub fn to_stream(name: &'static str, stream: W, buffered: bool) -> Self {
        Self {
            name,
            stream,
            buffered,
            pending: Vec::new(),
            pending_alerts: 0,
            inside_line: false,
        }
    }

    fn write_pending(&mut self) -> io::Result<()> {
        let mut written = 0;
        while written < self.pending.len() {
            match self.stream.write(&self.pending[written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    written += count;
                    self.inside_line = self.pending[written - 1] != b'\n';
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Someone who shares the pipe or terminal made it non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(&self.stream, PollFlags::OUT)], None)?;
                }
                Err(error) => return Err(error),
            }
        }
        self.stream.flush()
    }
}

impl<W: Write + AsFd + Send> Sink for StreamSink<W> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<(), SinkError> {
        if self.pending.is_empty() && self.inside_line {
            // The rest of a line that broke off (a full disk) must not swallow this one.
            self.pending.push(b'\n');
        }
        self.pending.extend_from_slice(delivery.line().as_bytes());
        self.pending_alerts += 1;
        if self.buffered && self.pending.len() < BUFFER_BYTES {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        let written = self.write_pending();
        let alerts = std::mem::take(&mut self.pending_alerts);
        self.pending.clear();
        written.map_err(|source| SinkError {
            lost: alerts,
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::OnceLock;

    use super::super::tests::alert;
    use super::super::{AlertFormat, Renderer};
    use super::*;

    fn deliver<W: Write + AsFd + Send>(
        sink: &mut StreamSink<W>,
        message: &str,
    ) -> Result<(), SinkError> {
        let renderer = Renderer::new(AlertFormat::default(), String::new());
        let (alert, line) = (alert(message), OnceLock::new());
        sink.deliver(&Delivery::new(&alert, &renderer, &line))
    }

    #[test]
    fn a_line_is_written_at_once_unless_buffered() {
        for (buffered, lines) in [(false, 1), (true, 0)] {
            let (mut reader, writer) = io::pipe().unwrap();
            let mut sink = StreamSink::to_stream("test", writer, buffered);
            deliver(&mut sink, "one").unwrap();
            if lines > 0 {
                let mut seen = vec![0; 4096];
                let count = reader.read(&mut seen).unwrap();
                assert!(seen[..count].ends_with(b": Notice one\n"));
            }
            sink.flush().unwrap();
            drop(sink);
            let mut rest = String::new();
            reader.read_to_string(&mut rest).unwrap();
            assert_eq!(rest.lines().count(), 1 - lines);
        }
    }

    #[test]
    fn a_full_disk_is_an_error_that_counts_its_alerts() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut sink = StreamSink::to_stream("test", full, true);
        deliver(&mut sink, "one").unwrap();
        deliver(&mut sink, "two").unwrap();
        let error = sink.flush().unwrap_err();
        assert_eq!(error.lost, 2);
        assert_eq!(error.source.kind(), ErrorKind::StorageFull);
    }

    #[test]
    fn a_reader_that_left_is_an_error() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut sink = StreamSink::to_stream("test", writer, false);
        let error = deliver(&mut sink, "one").unwrap_err();
        assert_eq!(error.source.kind(), ErrorKind::BrokenPipe);
        assert_eq!(error.lost, 1);
    }

    #[test]
    fn a_non_blocking_pipe_is_waited_for() {
        let (mut reader, writer) = io::pipe().unwrap();
        rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
        let mut sink = StreamSink::to_stream("test", writer, false);
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        // More than a pipe holds, so that some write finds it full.
        let message = "x".repeat(100_000);
        for _ in 0..3 {
            deliver(&mut sink, &message).unwrap();
        }
        drop(sink);
        assert_eq!(reading.join().unwrap().lines().count(), 3);
    }

    #[test]
    fn after_a_broken_off_line_the_next_starts_on_its_own() {
        /// Takes five bytes, fails once, then takes everything.
        struct BreaksOff {
            file: File,
            steps: u32,
        }
        impl Write for BreaksOff {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.steps += 1;
                match self.steps {
                    1 => self.file.write(&bytes[..5]),
                    2 => Err(ErrorKind::StorageFull.into()),
                    _ => self.file.write(bytes),
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        impl AsFd for BreaksOff {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.file.as_fd()
            }
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let stream = BreaksOff {
            file: file.reopen().unwrap(),
            steps: 0,
        };
        let mut sink = StreamSink::to_stream("test", stream, false);
        assert_eq!(deliver(&mut sink, "lost").unwrap_err().lost, 1);
        deliver(&mut sink, "whole").unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].len(), 5);
        assert!(lines[1].ends_with(": Notice whole"));
    }
}
