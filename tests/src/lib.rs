//! Support for the tests and the demo: real servers, the real binary, real buckets.
//!
//! Nothing here stands in for a part of the product. [`nats_server`] starts, stalls and kills
//! real servers, [`cluster`] three of them, [`proxy`] is the network between, [`target`] runs the
//! binary as Meltano would, [`bucket`] reads what arrived with an ordinary NATS client, [`singer`]
//! writes the lines that a tap would write, [`file_server`] and [`object_store`] serve the files of
//! BATCH messages, [`tls`] and [`operator`] say who may connect, [`page`] is a page of the documentation
//! and [`walkthrough`] somebody who follows it, `postgres` is what a tap reads and `meltano` what runs
//! both, [`ways`] tries one fault in several ways, and [`oracle`] judges what came of them.

pub mod bucket;
pub mod case;
pub mod cluster;
pub mod file_server;
#[cfg(target_os = "linux")]
pub mod meltano;
pub mod nats_server;
pub mod object_store;
pub mod operator;
pub mod oracle;
pub mod page;
pub mod place;
#[cfg(target_os = "linux")]
pub mod postgres;
pub mod proxy;
pub mod python;
pub mod sdk_maps;
pub mod server_binary;
pub mod singer;
pub mod tap;
pub mod target;
pub mod tls;
pub mod walkthrough;
pub mod ways;
