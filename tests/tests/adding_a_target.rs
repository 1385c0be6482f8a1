//! What somebody gets who writes a target of their own: the page that tells how, taken at its word,
//! and the template.
//!
//! Both are built outside the workspace, with the workspace's build directory and lock file, so that
//! only what they add has to be compiled.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use target_tests::place;

/// A package in a folder of its own, beside a link to the repository.
struct Package(PathBuf);

impl Package {
    fn new(name: &str) -> Self {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("adding-a-target");
        let package = Self(parent.join(name));
        let _ = fs::remove_dir_all(&package.0);
        fs::create_dir_all(&package.0).expect("a folder");
        let clone = parent.join("target-nats-kv");
        if !clone.exists() {
            // Of two tests that do this at once, one finds it done.
            let _ = std::os::unix::fs::symlink(place::repository(), clone);
        }
        let lock = place::repository().join("Cargo.lock");
        fs::copy(lock, package.0.join("Cargo.lock")).expect("a lock file");
        package
    }

    fn append(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        let mut whole = fs::read_to_string(&path).unwrap_or_default();
        if !whole.is_empty() {
            whole.push('\n');
        }
        fs::write(path, whole + text).expect("written");
    }

    /// Runs a command, which must succeed and warn of nothing. Returns what it prints.
    fn run(&self, command: &str) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new("sh")
            .args(["-c", command])
            .current_dir(&self.0)
            .env("CARGO_TARGET_DIR", place::build_directory())
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        let stdout = String::from_utf8_lossy(&stdout).into_owned();
        let stderr = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{command}: {status}\n{stderr}\n{stdout}");
        assert!(!stderr.contains("warning: "), "{command}\n{stderr}");
        stdout
    }
}

/// A fenced block of a page.
struct Block<'a> {
    language: &'a str,
    /// What stands behind `file=`.
    file: Option<&'a str>,
    text: &'a str,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let fenced = page.split("```").skip(1).step_by(2);
    fenced
        .filter_map(|block| block.split_once('\n'))
        .map(|(info, text)| Block {
            language: info.split(' ').next().unwrap_or_default(),
            file: info.split(' ').find_map(|word| word.strip_prefix("file=")),
            text,
        })
        .collect()
}

/// The commands of a console, each with what it should print.
fn commands(console: &str) -> Vec<(&str, String)> {
    let mut commands: Vec<(&str, String)> = Vec::new();
    for line in console.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command, String::new())),
            (None, Some((_, output))) => *output += &format!("{line}\n"),
            (None, None) => panic!("output before a command: {line}"),
        }
    }
    commands
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Stops the page's server also when the test fails.
struct StopServer(u16);

impl Drop for StopServer {
    fn drop(&mut self) {
        let _ = Command::new("redis-cli")
            .args(["-p", &self.0.to_string(), "shutdown", "nosave"])
            .output();
    }
}

#[test]
fn the_page_builds_a_target_that_keeps_the_contract() {
    for program in ["redis-server", "redis-cli"] {
        let found = Command::new(program).arg("--version").output();
        assert!(
            found.is_ok(),
            "{program} is missing: install Redis (Debian's package is redis-server)"
        );
    }
    let page = fs::read_to_string(place::repository().join("docs/adding-a-target.md"));
    // The one thing that is not as printed: the port, which may be taken.
    let port = free_port();
    let page = page.expect("the page").replace("6390", &port.to_string());
    let _server = StopServer(port);
    let package = Package::new("target-redis");
    let mut ran = 0;
    for block in blocks(&page) {
        match block {
            Block {
                file: Some(file),
                text,
                ..
            } => package.append(file, text),
            Block {
                language: "console",
                text,
                ..
            } => {
                for (command, expected) in commands(text) {
                    let printed = package.run(command);
                    if !expected.is_empty() {
                        assert_eq!(printed, expected, "{command}");
                    }
                    ran += 1;
                }
            }
            _ => {}
        }
    }
    assert!(ran >= 7, "the page runs something: {ran}");
    let definition = fs::read_to_string(package.0.join("target-redis.yml")).expect("written");
    assert!(definition.contains("key_prefix"), "{definition}");
}

/// Fills in the template as `cargo generate` does: placeholders, names that end with `.liquid`,
/// what is left out.
fn generate(package: &Package, name: &str, sink: &str) {
    let template = place::repository().join("framework/template");
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(template.join(&folder)).expect("the template") {
            let entry = entry.expect("the template");
            let file = folder.join(entry.file_name());
            let file_name = file.to_str().expect("UTF-8");
            if entry.file_type().expect("the template").is_dir() {
                folders.push(file);
            } else if !["TEMPLATE.md", "cargo-generate.toml"].contains(&file_name) {
                let text = fs::read_to_string(entry.path())
                    .expect("text")
                    .replace("{{project-name}}", name)
                    .replace("{{crate_name}}", &name.replace('-', "_"))
                    .replace("{{sink}}", sink)
                    .replace("{{repository}}", "../target-nats-kv");
                assert!(!text.contains("{{"), "{file_name}: {text}");
                package.append(file_name.trim_end_matches(".liquid"), &text);
            }
        }
    }
}

#[test]
fn the_template_is_a_target_that_keeps_the_contract() {
    let package = Package::new("target-mine");
    generate(&package, "target-mine", "mine");
    package.append("config.json", r#"{"folder": "out"}"#);
    let schema = r#"{"type":"SCHEMA","stream":"s","key_properties":["id"],"schema":{}}"#;
    let record = r#"{"type":"RECORD","stream":"s","record":{"id":1}}"#;
    let state = r#"{"type":"STATE","value":{"s":1}}"#;
    package.append("input.jsonl", &[schema, record, state].join("\n"));
    let printed = package.run("cargo run --quiet -- --config config.json --input input.jsonl");
    assert_eq!(printed, "{\"s\":1}\n");
    let stored = fs::read_to_string(package.0.join("out/s/1")).expect("stored");
    assert_eq!(stored, r#"{"id":1}"#);
    let about = package.run("cargo run --quiet -- --about");
    assert!(about.contains("max_record_bytes"), "{about}");
    package.run("cargo test --quiet");
    package.run("cargo fmt --check");
    let readme = fs::read_to_string(package.0.join("README.md")).expect("a README");
    assert!(readme.starts_with("# target-mine\n"), "{readme}");
}
