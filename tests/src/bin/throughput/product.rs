//! A run of the target: a process of its own, timed from its start to its end.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use target_tests::target::binary;
use tempfile::TempDir;
use wait4::Wait4 as _;

use crate::workload::Workload;

/// What a run took.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) wall: Duration,
    /// User and system time of the process.
    pub(crate) cpu: Duration,
    /// The most memory that it held, in bytes.
    pub(crate) memory: u64,
}

/// Where its input comes from.
pub(crate) enum Input<'a> {
    /// A file: costs no other process anything.
    File(&'a Path),
    /// A pipe that is fed as from a tap, for inputs that are too long to be kept.
    Pipe(Workload),
    Nothing,
}

/// Runs the target and makes sure that it was successful and printed its last state.
pub(crate) fn run(settings: &Json, input: &Input<'_>) -> Run {
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let place = |name: &str| directory.path().join(name);
    let create = |name: &str| File::create(place(name)).expect("our own directory is writable");
    std::fs::write(place("config.json"), settings.to_string()).expect("it is writable");
    let mut command = Command::new(binary());
    command
        .args(["--config", "config.json"])
        .current_dir(directory.path())
        .stdin(match input {
            Input::File(path) => File::open(path).expect("it was written").into(),
            Input::Pipe(_) => Stdio::piped(),
            Input::Nothing => Stdio::null(),
        })
        .stdout(create("states"))
        .stderr(create("log"));
    let start = Instant::now();
    let mut child = command.spawn().expect("the binary was built");
    let feeder = child.stdin.take().zip(match input {
        Input::Pipe(workload) => Some(*workload),
        _ => None,
    });
    let feeder = feeder.map(|(stdin, workload)| {
        let mut out = std::io::BufWriter::with_capacity(256 * 1024, stdin);
        thread::spawn(move || workload.write(&mut out))
    });
    let status_file = format!("/proc/{}/status", child.id());
    let watcher = thread::spawn(move || most_memory(Path::new(&status_file)));
    let used = child.wait4().expect("it is our child");
    let wall = start.elapsed();
    if let Some(feeder) = feeder {
        let fed = feeder.join().expect("it does not panic");
        fed.expect("the target reads its whole input");
    }
    assert!(used.status.success(), "{}", log(&directory));
    if !matches!(input, Input::Nothing) {
        let states = std::fs::read_to_string(place("states")).expect("it was written");
        assert!(states.ends_with("}\n"), "no state:\n{}", log(&directory));
    }
    Run {
        wall,
        cpu: used.rusage.utime + used.rusage.stime,
        memory: watcher.join().expect("it does not panic"),
    }
}

/// The most memory that a process has held, watched until it ends.
///
/// `wait4` knows it too, but counts what the process was before it became the target: a copy of us.
fn most_memory(status: &Path) -> u64 {
    let mut most = 0;
    let mut text = String::new();
    loop {
        text.clear();
        let read = File::open(status).and_then(|mut file| file.read_to_string(&mut text));
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let (Ok(_), Some(line)) = (read, line) else {
            return most;
        };
        let kilobytes = line.trim().trim_end_matches(" kB").parse::<u64>();
        most = kilobytes.map_or(most, |kilobytes| most.max(kilobytes * 1024));
        thread::sleep(Duration::from_millis(5));
    }
}

fn log(directory: &TempDir) -> String {
    std::fs::read_to_string(directory.path().join("log")).unwrap_or_default()
}
