//! For reading in a terminal.

use std::fmt::Write as _;

use super::About;
use crate::config::Setting;

/// The column that text is broken at.
const WIDTH: usize = 88;

pub(super) fn render(about: &About<'_>) -> String {
    let target = &about.target;
    let mut out = format!("{} {}\n", target.name, target.version);
    paragraph(&mut out, "", target.description);
    out.push_str("\nCapabilities\n");
    paragraph(&mut out, "  ", &about.capabilities.join(", "));
    out.push_str("\nPlugins\n");
    let kind_width = about.plugins.iter().map(|plugin| plugin.kind.len()).max();
    let name_width = about.plugins.iter().map(|plugin| plugin.name.len()).max();
    for plugin in &about.plugins {
        let (kind_width, name_width) = (kind_width.unwrap_or(0), name_width.unwrap_or(0));
        push(
            &mut out,
            format_args!(
                "  {:kind_width$}  {:name_width$}  {}\n",
                plugin.kind, plugin.name, plugin.description
            ),
        );
    }
    for section in about.schema.sections() {
        let mut settings = about
            .schema
            .settings()
            .filter(|setting| setting.section == section.title)
            .peekable();
        if settings.peek().is_none() {
            continue;
        }
        push(&mut out, format_args!("\nSettings: {}\n", section.title));
        for setting in settings {
            describe(&mut out, setting, target.name);
        }
    }
    out
}

fn describe(out: &mut String, setting: &Setting, target_name: &str) {
    let state = match setting.default() {
        Some(default) => format!(" = {default}"),
        None if setting.required => " (required)".to_owned(),
        None => String::new(),
    };
    let secret = if setting.is_secret() { ", secret" } else { "" };
    push(out, format_args!("\n  {}{state}\n", setting.name));
    let own = setting.variable(target_name);
    let fallbacks = setting.fallback_variables();
    let variables: Vec<_> = std::iter::once(own.as_str()).chain(fallbacks).collect();
    let variables = variables.join(", else ");
    paragraph(
        out,
        "      ",
        &format!("{}{secret}; {variables}", setting.allowed()),
    );
    for text in setting.description().split("\n\n") {
        paragraph(out, "      ", text);
    }
    for choice in setting.choices() {
        let text = format!("{}: {}", choice.value, choice.description);
        paragraph(out, "      - ", text.trim_end_matches(": "));
    }
}

/// Words broken into lines; the first line begins with the indent, the others with its width.
fn paragraph(out: &mut String, indent: &str, text: &str) {
    for line in text.lines() {
        let mut column = 0;
        for word in line.split_whitespace() {
            if column == 0 {
                out.push_str(indent);
                column = indent.len();
            } else if column + 1 + word.len() > WIDTH {
                out.push('\n');
                out.push_str(&" ".repeat(indent.len()));
                column = indent.len();
            } else {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            column += word.len();
        }
        out.push('\n');
    }
}

pub(super) fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("a String takes all that is written to it");
}
