//! Settings: whatever a file says, it is taken or refused with a reason, and a secret is not told.
#![no_main]

use std::fs;

use libfuzzer_sys::{arbitrary::Arbitrary, fuzz_target};
use singer_sinks::encoders::msgpack::{MessagePack, MessagePackConfig};
use singer_sinks::nats_kv::NatsKv;
use singer_sinks::nats_kv::config::NatsKvConfig;
use singer_target::config::{Environment, Section, Settings, SettingsSchema, Sources, TargetSettings};
use singer_target::plugin::{EncoderPlugin, SinkPlugin};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    text: &'a str,
    format: u8,
}

fuzz_target!(|input: Input| {
    let extension = ["json", "yaml", "toml"][usize::from(input.format) % 3];
    let file = std::env::temp_dir().join(format!("fuzz-{}.{extension}", std::process::id()));
    fs::write(&file, input.text).expect("the temporary directory is writable");
    let schema = SettingsSchema::new(&[
        Section::of::<TargetSettings>("Target"),
        Section::of::<NatsKvConfig>("nats-kv"),
        Section::of::<MessagePackConfig>("msgpack"),
    ])
    .expect("the names differ");
    let sources = Sources::new([file.display().to_string()], Environment::default());
    match Settings::load("target-fuzz", &sources, &schema) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(settings) => {
            let target = settings.section::<TargetSettings>();
            let sink = settings.section::<NatsKvConfig>();
            if let Ok(config) = settings.section::<MessagePackConfig>() {
                MessagePack::build(config);
            }
            for error in [target.err(), sink.as_ref().err().map(Clone::clone)].into_iter().flatten() {
                assert!(!error.to_string().is_empty());
            }
            if let Ok(config) = sink {
                let _ = NatsKv::validate(&config);
                let _ = config.warnings();
                let _ = format!("{config:?}");
            }
        }
    }
    let _ = fs::remove_file(file);
});
