//! Peregrine watches what processes do through eBPF, matches it with rules written in Falco's
//! language, and says so.
//!
//! The modules follow the data: [`sensor`] reads the kernel's records, [`event`] decodes them,
//! [`state`] knows what is between events, [`container`] turns a cgroup into a container,
//! [`fields`] gives values to [`rules`], and [`alert`] carries the result out.

pub mod alert;
mod capability;
pub mod cli;
pub mod config;
pub mod container;
pub mod default_rules;
pub mod escape;
pub mod event;
pub mod fields;
pub mod heap;
pub mod http;
pub mod logging;
pub mod metrics;
pub mod pipeline;
pub mod rule_tests;
pub mod rules;
pub mod schema;
pub mod sensor;
pub mod state;
pub mod version;
