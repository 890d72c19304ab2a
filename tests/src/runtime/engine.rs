//! What Docker and Podman have in common.

use super::daemon::Daemon;
use super::image::IMAGE;

/// An engine with a client that makes containers of [`IMAGE`].
pub trait Engine {
    /// The value of `container.type`.
    const TYPE: &'static str;
    /// What the client has to be told for a privileged container.
    const PRIVILEGED: &'static [&'static str];

    /// Starts one.
    fn start() -> Self;

    /// The daemon of this one.
    fn daemon(&self) -> &Daemon;

    /// Runs a command of the client that has to succeed; returns what it says.
    fn client<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> String;

    /// Runs a container of [`IMAGE`] to its end, or in the background with `-d`; returns what it says.
    fn run(&self, options: &[&str], command: &[&str]) -> String {
        let start = ["run", "--network", "none"].iter();
        let words = start.chain(options).chain(&[IMAGE]).chain(command);
        self.client(words.copied())
    }
}
