//! The documentation is as the program is, and its links lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use target_tests::nats_server::NatsServer;
use target_tests::place;
use target_tests::singer::{record, schema};
use target_tests::target::Target;
use target_tests::walkthrough;

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
    let mut pages: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md"]
        .map(|name| place::repository().join(name))
        .into();
    let docs = fs::read_dir(place::repository().join("docs")).expect("there is documentation");
    pages.extend(docs.map(|entry| entry.expect("it is readable").path()));
    let mut followed = 0;
    for page in pages
        .iter()
        .filter(|page| page.extension().is_some_and(|end| end == "md"))
    {
        let text = fs::read_to_string(page).expect("it is readable");
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
                assert!(
                    to.exists(),
                    "{} links to {link}, which is not there",
                    page.display()
                );
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

/// Each page that one can follow, from an empty server on.
#[test]
fn what_the_pages_show_is_what_happens() {
    for (page, commands) in [
        ("quick-start.md", 7),
        ("keys-and-values.md", 3),
        ("refresh-modes.md", 7),
        ("deletes.md", 9),
        ("before-and-after.md", 8),
        ("migrating.md", 5),
    ] {
        let server = NatsServer::start();
        let folder = tempfile::tempdir().expect("the temporary directory is writable");
        if page == "migrating.md" {
            leave_as_the_python_target_did(&server, folder.path());
        }
        assert_eq!(
            walkthrough::follow(page, &server, folder.path()),
            commands,
            "commands of {page}"
        );
    }
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
