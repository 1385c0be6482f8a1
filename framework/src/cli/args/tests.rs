//! What is understood, what is refused, and how help looks.

use super::*;
use crate::telemetry::{Level, LogFormat};

const TARGET: TargetInfo = TargetInfo {
    name: "target-x",
    version: "1.2.3",
    description: "Loads streams into x",
};

fn parse(line: &str) -> Result<Args, clap::Error> {
    Args::parse_from(&TARGET, line.split(' '))
}

/// What clap would print, and the code it would exit with.
fn refused(line: &str) -> (String, i32) {
    let error = parse(line).expect_err("not a run");
    (error.to_string(), error.exit_code())
}

#[test]
fn the_definition_is_sound() {
    Args::command_of(&TARGET).debug_assert();
}

#[test]
fn loads_without_a_subcommand() {
    let args = parse("target-x --config a.json --config ENV --input in.jsonl").expect("valid");
    assert_eq!(args.command, None);
    assert_eq!(args.input(), Some(Path::new("in.jsonl")));
    assert_eq!(args.config().collect::<Vec<_>>(), ["a.json", "ENV"]);
}

#[test]
fn the_input_may_stand_on_both_sides() {
    for line in [
        "target-x --input in.jsonl load --dry-run",
        "target-x load --dry-run --input in.jsonl --format json",
        "target-x verify --input in.jsonl",
    ] {
        let args = parse(line).expect("valid");
        assert_eq!(args.input(), Some(Path::new("in.jsonl")), "{line}");
    }
}

#[test]
fn options_may_stand_on_both_sides_of_the_subcommand() {
    let args = parse("target-x --config a --log-level WARNING check --config b --log-format json")
        .expect("valid");
    assert_eq!(args.config().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(args.log.log_level, Some(Level::Warn));
    assert_eq!(args.log.log_format, Some(LogFormat::Json));
}

#[test]
fn the_sdks_way_to_ask_is_the_subcommand() {
    let asked = |line| parse(line).expect("valid").command;
    let about = |format| Some(Command::About { format });
    assert_eq!(asked("target-x --about"), about(Format::Text));
    assert_eq!(asked("target-x --about --format=json"), about(Format::Json));
    assert_eq!(
        asked("target-x about --format markdown"),
        about(Format::Markdown)
    );
    let discover = asked("target-x discover --format text");
    assert!(matches!(
        discover,
        Some(Command::Discover {
            format: DiscoverFormat::Text,
            ..
        })
    ));
}

#[test]
fn wrong_usage_exits_with_2() {
    for line in [
        "target-x --format json",
        "target-x --log-level loud",
        "target-x about --format xml",
        "target-x records.jsonl",
        "target-x load --format json",
    ] {
        let (text, code) = refused(line);
        assert_eq!(code, 2, "{text}");
    }
    assert_eq!(
        refused("target-x --version"),
        ("target-x 1.2.3\n".to_owned(), 0)
    );
}

#[test]
fn help() {
    let mut command = Args::command_of(&TARGET).term_width(100);
    insta::assert_snapshot!(command.render_long_help(), @r"
    Loads streams into x

    Usage: TAP | target-x [--config FILE]…
           target-x <COMMAND>

    Commands:
      load         Load records; the same as no command
      verify       Compare messages that were loaded with what the destination holds; nothing is written
      migrate      Bring what the destination holds into the form that the settings name
      about        Describe settings, capabilities and plugins
      check        Connect, and check permissions and settings; nothing is written
      discover     List the streams that the destination holds
      state        Show or change the state that runs keep, for taps without an orchestrator
      completions  Write a completion script for a shell to stdout
      man          Write a manual page to stdout

    Options:
          --config <FILE|ENV>
              A file of settings in JSON, YAML or TOML; may be repeated, later ones win. The environment
              is always read and wins over files, so ENV, which asks for it, is not needed

          --input <FILE>
              Read messages from this file instead of stdin

          --about
              Describe settings, capabilities and plugins, as `about` does

          --format <FORMAT>
              The format of --about

              Possible values:
              - text:     For reading in a terminal
              - json:     As the Meltano SDK writes it, with the settings as a JSON Schema
              - markdown: The settings page
              - meltano:  A plugin definition for `meltano add --from-ref`

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Logs, on stderr:
          --log-level <LEVEL>
              How much to log; default: $TARGET_X_LOGLEVEL, $LOGLEVEL, info

              Possible values:
              - off:   Nothing
              - error: Only what ends the run
              - warn:  Also what needs attention
              - info:  Also how the run goes
              - debug: Also what happens to each batch
              - trace: Everything

          --log-format <FORMAT>
              What a line looks like; default: $TARGET_X_LOG_FORMAT, text

              Possible values:
              - text:   Time, level, message, fields
              - json:   One JSON object a line
              - singer: One JSON object a line, as the Meltano SDK writes it and Meltano reads it

    Examples:
      tap-github --config tap.json | target-x --config config.json
      target-x --config base.yaml --config production.yaml --input records.jsonl
      target-x load --dry-run --config config.json --input records.jsonl
      target-x verify --config config.json --input records.jsonl
      target-x check --config config.json
      target-x about --format markdown
      tap-github --state <(target-x state get --config config.json) | target-x --config config.json

    Output:
      stdout  one STATE a line, each printed once everything before it is safe
      stderr  logs

    Exit codes:
      0         everything was loaded
      1         the run failed; run again from the last STATE. Of verify: something differs;
                of migrate: keys were left as they are
      2         wrong usage or configuration
      3         the destination cannot be reached or does not allow it
      130, 143  ended by SIGINT, SIGTERM; run again from the last STATE
    ");
}

#[test]
fn the_manual_page_has_commands_options_and_exit_codes() {
    let page = manual(&TARGET).expect("it is written to memory");
    let page = String::from_utf8(page).expect("UTF-8");
    for part in [".TH target-x 1", "check", "\\-\\-config", "Exit codes:"] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn completions_know_the_targets_name() {
    let script = String::from_utf8(completions(&TARGET, Shell::Bash)).expect("UTF-8");
    assert!(script.contains("target-x") && script.contains("--config"));
}
