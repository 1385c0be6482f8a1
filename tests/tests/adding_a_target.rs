//! What somebody gets who writes a target of their own: the page that tells how, taken at its word,
//! and the template.
//!
//! Both are built outside the workspace, with the workspace's build directory, lock file and profile, so
//! that little more than what they add has to be compiled.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use target_tests::walkthrough::Walkthrough;
use target_tests::{page, place};

const PAGE: &str = "docs/adding-a-target.md";

/// A folder with a link to the repository, as the page has it; the same each time, so that what was
/// built in it is not built again.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("adding-a-target");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let clone = folder.join("target-nats-kv");
    std::os::unix::fs::symlink(place::repository(), clone).expect("a link");
    // Or `cargo new` would make its package a member of the workspace above.
    let members = r#"["target-mine", "target-nats-kv", "target-redis"]"#;
    let alone = format!("[workspace]\nexclude = {members}\n");
    fs::write(folder.join("Cargo.toml"), alone).expect("a folder");
    fs::create_dir(folder.join(".cargo")).expect("a folder");
    fs::write(folder.join(".cargo/config.toml"), profile()).expect("a folder");
    folder
});

/// The workspace's profile for development: with another one, no dependency could be shared.
fn profile() -> String {
    let manifest = fs::read_to_string(place::repository().join("Cargo.toml")).expect("a workspace");
    let begin = manifest.find("[profile.dev]").expect("a profile");
    let end = manifest.find("[profile.release]").expect("a profile");
    manifest[begin..end].to_owned()
}

/// A package in a folder of its own, with the lock file of the workspace.
struct Package(PathBuf);

impl Package {
    fn new(name: &str) -> Self {
        let package = Self(FOLDER.join(name));
        fs::create_dir_all(&package.0).expect("a folder");
        package.lock();
        package
    }

    /// Begins with the dependencies that the workspace has.
    fn lock(&self) {
        let lock = place::repository().join("Cargo.lock");
        fs::copy(lock, self.0.join("Cargo.lock")).expect("a lock file");
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
    // The one thing that is not as printed: the port, which may be taken.
    let port = free_port();
    let _server = StopServer(port);
    let package = Package(FOLDER.join("target-redis"));
    let mut walk = Walkthrough::new(PAGE, &FOLDER)
        .instead("6390", port.to_string())
        .variable(
            "CARGO_TARGET_DIR",
            place::build_directory().display().to_string(),
        );
    let blocks = page::blocks(&page::read(PAGE));
    for (block, number) in blocks.iter().zip(1..) {
        for ran in walk.take(block) {
            assert!(!ran.stderr.contains("warning: "), "{}", ran.stderr);
        }
        // The first one has made the package.
        if number == 1 {
            package.lock();
        }
    }
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
