//! Encoders: what is written is read back as it was, and whatever bytes are read, none panics.
#![no_main]

mod oracle;

use libfuzzer_sys::fuzz_target;
use singer_sinks::encoders::{Json, MessagePack, MessagePackConfig};
use singer_target::value::Tape;
use singer_target::{Encoder, EncoderPlugin};

/// Encodes what is on the tape and reads it back; what came of it must then stay as it is.
fn round_trip(encoder: &dyn Encoder, tape: &Tape, exact: bool) {
    let record = tape.root().expect("a value");
    let mut bytes = Vec::new();
    if encoder.encode(record, &mut bytes).is_err() {
        assert!(bytes.is_empty(), "what cannot be encoded leaves nothing");
        return;
    }
    let mut back = Tape::new();
    encoder.decode(&bytes, &mut back).expect("we wrote it");
    let back = back.root().expect("a value");
    if exact {
        assert_eq!(back.to_json(), record.to_json());
    }
    let mut again = Vec::new();
    encoder.encode(back, &mut again).expect("it was encoded before");
    assert_eq!(bytes, again, "a second round changes it");
}

fuzz_target!(|bytes: &[u8]| {
    let msgpack = MessagePack::build(MessagePackConfig::default());
    let mut tape = Tape::new();
    if oracle::parse(bytes, &mut tape) {
        round_trip(&Json, &tape, true);
        round_trip(&msgpack, &tape, false);
    }
    if msgpack.decode(bytes, &mut tape).is_ok() {
        round_trip(&msgpack, &tape, false);
        round_trip(&Json, &tape, true);
    } else {
        assert!(tape.root().is_none(), "a failed decode leaves nothing");
    }
});
