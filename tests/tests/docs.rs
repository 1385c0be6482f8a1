//! The documentation is as the program is, and its links lead somewhere.

use std::fs;
use std::path::PathBuf;

use target_tests::place;
use target_tests::target::Target;

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
            if !link.is_empty() && !link.contains("://") {
                let to = folder.join(link);
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
