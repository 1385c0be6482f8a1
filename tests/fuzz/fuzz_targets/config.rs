//! Settings: whatever a file says, it is taken or refused with a reason, and a secret is not told.
#![no_main]

use std::fs;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use singer_sinks::nats_kv::NatsKv;
use singer_target::SinkPlugin;
use singer_target::internals::SettingsReader;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    text: &'a str,
    format: u8,
}

thread_local! {
    static READER: SettingsReader<NatsKv> = SettingsReader::new().expect("they go together");
}

fuzz_target!(|input: Input| {
    let extension = ["json", "yaml", "toml"][usize::from(input.format) % 3];
    let file = std::env::temp_dir().join(format!("fuzz-{}.{extension}", std::process::id()));
    fs::write(&file, input.text).expect("the temporary directory is writable");
    match READER.with(|reader| reader.read(&file)) {
        Err(error) => assert!(!error.is_empty()),
        Ok(config) => {
            let _ = NatsKv::validate(&config);
            let _ = config.warnings();
            let _ = format!("{config:?}");
        }
    }
    let _ = fs::remove_file(file);
});
