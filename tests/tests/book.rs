//! The documentation as a site: mdBook builds it, and each of its links leads somewhere, anchors included.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use target_tests::{place, python};

/// The mdBook that builds the site.
const VERSION: &str = "0.5.4";
/// Each page once more, for paper and for who asks for a page that is not there.
const COPIES: [&str; 2] = ["print.html", "404.html"];

/// mdBook, installed in the build directory unless it was: in a workspace of its own, where it decides
/// over no feature of what we ship.
fn mdbook() -> PathBuf {
    let root = place::build_directory().join("mdbook");
    let program = root.join("bin/mdbook");
    let there = Command::new(&program).arg("--version").output();
    if !there.is_ok_and(|it| String::from_utf8_lossy(&it.stdout).contains(VERSION)) {
        python::checked(
            Command::new(env!("CARGO"))
                .args(["install", "mdbook", "--version", &format!("={VERSION}")])
                .args(["--locked", "--debug", "--quiet", "--no-default-features"])
                .args(["--force", "--root"])
                .arg(root)
                .env("CARGO_PROFILE_DEV_DEBUG", "0"),
            "cannot install mdBook",
        );
    }
    program
}

#[test]
fn every_link_of_the_site_leads_somewhere() {
    let site = tempfile::tempdir().expect("the temporary directory is writable");
    let mut build = Command::new(mdbook());
    build
        .arg("build")
        .arg(place::repository().join("docs"))
        .arg("--dest-dir")
        .arg(site.path());
    let said = python::checked(&mut build, "the site is not built").stderr;
    let said = String::from_utf8_lossy(&said);
    assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");

    let pages = pages(site.path());
    let mut followed = 0;
    for (name, page) in &pages {
        for link in attributes(page, "href").chain(attributes(page, "src")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            if link.contains(':') || COPIES.contains(&file) {
                continue;
            }
            let file = if file.is_empty() { name } else { file };
            assert!(site.path().join(file).exists(), "{name} links to {link}");
            if !anchor.is_empty() {
                let ids: BTreeSet<_> = attributes(&pages[file], "id").collect();
                assert!(
                    ids.contains(anchor),
                    "{name} links to {link}: no such heading"
                );
            }
            followed += 1;
        }
    }
    assert!(followed > 500, "the pages hold links: {followed}");
}

/// The pages of the site, by their names.
fn pages(site: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(site).expect("the site was built");
    let names = files.map(|file| file.expect("it is readable").file_name());
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.ends_with(".html") && !COPIES.contains(&name.as_str()))
        .map(|name| {
            let page = fs::read_to_string(site.join(&name)).expect("it is text");
            (name, page)
        })
        .collect()
}

/// The values of an attribute, as mdBook writes them.
fn attributes<'a>(page: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let begin = format!(" {name}=\"");
    let values: Vec<_> = page
        .split(&begin)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    values.into_iter()
}
