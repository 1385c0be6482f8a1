//! Support for the tests and the demo: real servers, the real binary, real buckets.
//!
//! Nothing here stands in for a part of the product. [`nats_server`] starts, stalls and kills
//! real servers, [`target`] runs the binary as Meltano would, [`bucket`] reads what arrived with
//! an ordinary NATS client, and [`singer`] writes the lines that a tap would write.

pub mod bucket;
pub mod case;
pub mod nats_server;
pub mod place;
pub mod server_binary;
pub mod singer;
pub mod tap;
pub mod target;
