//! What happens to records before they are validated: flattening.
//!
//! A transformation is made from the settings and a stream's schema, once for each SCHEMA. It gives
//! the schema that its records follow, and writes each record anew to a tape of its own. A stream
//! without one costs nothing.

pub(crate) mod flatten;
