//! The documentation is as the program is, and its links lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use target_tests::nats_server::NatsServer;
use target_tests::singer::{record, schema};
use target_tests::target::Target;
use target_tests::walkthrough::Walkthrough;
use target_tests::{page, place, python};

#[test]
fn the_page_of_settings_is_what_the_program_says() {
    let page = place::repository().join("docs/configuration.md");
    let said = Target::new(["about", "--format", "markdown"])
        .run("")
        .success()
        .stdout;
    assert!(said.contains("refresh_mode"), "no page of settings: {said}");
    if fs::read_to_string(&page).ok().as_deref() != Some(&said) {
        fs::create_dir_all(place::repository().join("docs")).expect("the repository is writable");
        fs::write(&page, said).expect("the repository is writable");
        panic!(
            "{} was stale and has been rewritten: look at it and commit it",
            page.display()
        );
    }
}

/// Where the files of this repository are shown.
const REPOSITORY: &str = "https://github.com/target-nats-kv/target-nats-kv/blob/main/";

#[test]
fn links_lead_to_files() {
    let mut followed = 0;
    for name in page::all() {
        let text = page::read(&name);
        let page = place::repository().join(&name);
        let folder = page.parent().expect("a file is in a folder");
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next())
        {
            // The book has the pages of its own folder only, so they give all others their address.
            let to = match link.strip_prefix(REPOSITORY) {
                Some(file) => place::repository().join(file),
                None => folder.join(link),
            };
            if !link.is_empty() && (link.starts_with(REPOSITORY) || !link.contains("://")) {
                assert!(to.exists(), "{name} links to {link}, which is not there");
                followed += 1;
            }
        }
    }
    assert!(followed > 5, "the pages hold links: {followed}");
}

#[test]
fn the_book_has_every_page() {
    let docs = place::repository().join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).expect("it is readable");
    for entry in fs::read_dir(docs).expect("there is documentation") {
        let name = entry.expect("it is readable").file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".md") && name != "SUMMARY.md" {
            assert!(summary.contains(&format!("]({name})")), "{name} is missing");
        }
    }
}

/// Follows a page from an empty server on, in a folder that `prepare` has made ready for it.
fn follow(page: &str, prepare: impl FnOnce(Walkthrough, &NatsServer, &Path) -> Walkthrough) {
    let server = NatsServer::start();
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    let walk = Walkthrough::new(page, folder.path()).server(&server);
    let mut walk = prepare(walk, &server, folder.path());
    assert!(walk.follow() > 0, "{page} has no commands");
}

#[test]
fn keys_and_values() {
    follow("docs/keys-and-values.md", |walk, _, _| walk);
}

#[test]
fn refresh_modes() {
    follow("docs/refresh-modes.md", |walk, _, _| walk);
}

#[test]
fn deletes() {
    follow("docs/deletes.md", |walk, _, _| walk);
}

#[test]
fn before_and_after() {
    follow("docs/before-and-after.md", |walk, _, _| walk);
}

#[test]
fn migrating() {
    follow("docs/migrating.md", |walk, server, folder| {
        leave_as_the_python_target_did(server, folder);
        walk
    });
}

#[test]
fn stream_maps() {
    follow("docs/stream-maps.md", |walk, _, _| walk);
}

#[test]
fn batch() {
    follow("docs/batch.md", |walk, server, folder| {
        walk.instead("/srv/exports", folder.display().to_string())
            .variable("TARGET_NATS_KV_URL", server.url())
    });
}

#[test]
fn operations() {
    follow("docs/operations.md", |walk, server, _| {
        leave_a_dead_letter(server);
        walk
    });
}

#[test]
fn performance() {
    let measure = env!("CARGO_BIN_EXE_throughput");
    follow("docs/performance.md", |walk, _, _| {
        walk.instead("cargo throughput", measure)
    });
}

#[test]
fn readme() {
    follow("README.md", |walk, _, folder| {
        let tap = Tap::new(folder, "tap-something");
        install_here(walk, folder)
            .programs(tap.programs)
            .instead("cargo demo", env!("CARGO_BIN_EXE_demo"))
    });
}

/// The page ends with a job for cron. It is run by the line of the crontab, and once more by that
/// line, when the tap fails in the middle.
#[test]
fn quick_start() {
    let page = "docs/quick-start.md";
    let server = NatsServer::start();
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    let tap = Tap::new(folder.path(), "tap-shop");
    let mut walk = install_here(Walkthrough::new(page, folder.path()), folder.path())
        .server(&server)
        .programs(&tap.programs)
        .instead("/srv/shop", folder.path().display().to_string())
        .instead("/home/you/.local/bin", tap.programs.display().to_string())
        .instead(
            "/home/you/.cargo/bin",
            folder.path().join("installed/bin").display().to_string(),
        );
    assert!(walk.follow() > 0, "{page} has no commands");
    let kept = "target-nats-kv state get --config target.json";
    let state = walk.run(kept).stdout;
    assert!(state.contains("planets"), "the job has run: {state}");

    let many = "{\"name\": \"Vulcan\"}\n".repeat(2_000);
    fs::write(&tap.table, [many.as_bytes(), b"\xff"].concat()).expect("it is ours");
    let blocks = page::blocks(&page::read(page));
    let crontab = blocks.iter().find(|block| block.kind == "cron");
    let crontab = crontab.expect("the page has a crontab");
    let succeeds =
        |walk: &Walkthrough, crontab: &page::Block| walk.run_scheduled(crontab)[0].status.success();
    let log = || fs::read_to_string(folder.path().join("job.log")).expect("the crontab names it");
    assert!(!succeeds(&walk, crontab));
    assert!(log().contains("UnicodeDecodeError"), "{}", log());
    assert_eq!(walk.run(kept).stdout, state);
    fs::copy(planets(), &tap.table).expect("it is ours");
    assert!(succeeds(&walk, crontab));
    // cron's own PATH leads to neither the tap nor the target.
    let mut bare = crontab.clone();
    bare.text = crontab.text.replace("PATH=", "OTHER_PATH=");
    assert!(!succeeds(&walk, &bare));
}

/// A real tap of the name that a page gives it.
struct Tap {
    programs: PathBuf,
    /// What it reads.
    table: PathBuf,
}

impl Tap {
    /// The tap, and its settings and its catalog in `folder`, where pages have them.
    fn new(folder: &Path, name: &str) -> Self {
        let tap = Self {
            programs: folder.join("programs"),
            table: folder.join("planets.jsonl"),
        };
        fs::create_dir(&tap.programs).expect("our own directory is writable");
        let program = python::installed("tap").join("tap-jsonl");
        let link = tap.programs.join(name);
        std::os::unix::fs::symlink(&program, link).expect("our own directory is writable");
        fs::copy(planets(), &tap.table).expect("our own directory is writable");
        let config = json!({"path": tap.table, "stream_name": "planets", "primary_keys": ["name"]});
        let file = folder.join("tap.json");
        fs::write(&file, config.to_string()).expect("our own directory is writable");
        let mut discover = Command::new(program);
        discover.arg("--config").arg(file).arg("--discover");
        let catalog = python::checked(&mut discover, "the tap does not tell its catalog").stdout;
        fs::write(folder.join("catalog.json"), catalog).expect("our own directory is writable");
        tap
    }
}

fn planets() -> PathBuf {
    place::repository().join("tests/demo/planets.jsonl")
}

/// `cargo install` as it is shown, but quick to build, from wherever the shell is, and for nobody else.
fn install_here(walk: Walkthrough, folder: &Path) -> Walkthrough {
    let package = place::repository().join("target-nats-kv");
    let root = folder.join("installed");
    let options = format!("--debug --root {}", root.display());
    walk.instead(
        "cargo install --locked --path target-nats-kv",
        format!(
            "cargo install --locked --path {} {options}",
            package.display()
        ),
    )
    .variable(
        "CARGO_TARGET_DIR",
        place::build_directory().display().to_string(),
    )
    .programs(root.join("bin"))
}

/// A record that was too large for its bucket, in the stream that the page reads.
fn leave_a_dead_letter(server: &NatsServer) {
    let input = [
        schema("orders", json!({"id": {"type": "integer"}}), &["id"]),
        record("orders", json!({"id": 1, "text": "x".repeat(500)})),
    ];
    let settings = json!({"url": server.url(), "bucket": "narrow", "bucket_max_value_size": 200,
        "on_invalid_record": "dead_letter", "dead_letter_stream": "dead"});
    let _ = Target::with_config(settings).run(input.concat()).success();
}

/// A bucket with keys of the old format, and what the tap has sent.
fn leave_as_the_python_target_did(server: &NatsServer, folder: &Path) {
    let properties = json!({"shop": {"type": "string"}, "id": {"type": "integer"},
        "count": {"type": "number"}});
    let input = [
        schema("stock", properties, &["shop", "id"]),
        record("stock", json!({"shop": "north", "id": 7, "count": 1.5})),
        record("stock", json!({"shop": "a:b", "id": 8, "count": 2})),
    ]
    .concat();
    fs::write(folder.join("records.jsonl"), &input).expect("our own directory is writable");
    let settings = json!({"url": server.url(), "bucket": "singer", "key_format": "legacy"});
    let _ = Target::with_config(settings).run(input).success();
}
