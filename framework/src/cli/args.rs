//! What the command line accepts.
//!
//! The same for every target: only its name, version and description differ, and these are known
//! when the program runs.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::about::{Format, TargetInfo};
use crate::telemetry::LogOptions;

/// The command line of a target. Without a subcommand it loads.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(
    args_conflicts_with_subcommands = false,
    disable_help_subcommand = true
)]
pub struct Args {
    /// What to do instead of loading.
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    config: ConfigOption,

    /// Read messages from this file instead of stdin
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// Describe settings, capabilities and plugins, as `about` does
    #[arg(long)]
    about: bool,

    /// The format of --about
    #[arg(
        long,
        value_enum,
        ignore_case = true,
        requires = "about",
        value_name = "FORMAT"
    )]
    format: Option<Format>,

    /// How to log.
    #[command(flatten)]
    pub log: LogOptions,
}

/// Where settings come from: understood before the subcommand and after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct ConfigOption {
    /// Settings file in JSON, YAML or TOML; of several the later wins. Environment variables are
    /// always read, and win; ENV is accepted for them
    #[arg(long = "config", value_name = "FILE|ENV")]
    files: Vec<String>,
}

/// What a target can do besides loading.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Describe settings, capabilities and plugins
    About {
        /// The format
        #[arg(long, value_enum, ignore_case = true, default_value_t)]
        format: Format,
    },
    /// Connect, and check permissions and settings; nothing is written
    Check {
        /// Where settings come from.
        #[command(flatten)]
        config: ConfigOption,
    },
    /// List the streams that the destination holds
    Discover {
        /// Where settings come from.
        #[command(flatten)]
        config: ConfigOption,
        /// The format
        #[arg(long, value_enum, ignore_case = true, default_value_t)]
        format: DiscoverFormat,
    },
    /// Write a completion script for a shell to stdout
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// How to list what the destination holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum DiscoverFormat {
    /// A Singer catalog, in JSON
    #[default]
    Catalog,
    /// For reading in a terminal
    Text,
}

impl Args {
    /// Reads the command line of this process.
    ///
    /// # Errors
    /// It is not understood, or asks for help or the version: [`clap::Error::exit`] does what is
    /// right for each, with code 2 for wrong usage.
    pub fn parse(target: &TargetInfo) -> Result<Self, clap::Error> {
        Self::parse_from(target, std::env::args_os())
    }

    fn parse_from<I, T>(target: &TargetInfo, arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let matches = Self::command_of(target).try_get_matches_from(arguments)?;
        let mut args = Self::from_arg_matches(&matches)?;
        if args.about && args.command.is_none() {
            let format = args.format.unwrap_or_default();
            args.command = Some(Command::About { format });
        }
        Ok(args)
    }

    /// The command, with the target's name, version and description.
    fn command_of(target: &TargetInfo) -> clap::Command {
        Self::command()
            .name(target.name)
            .bin_name(target.name)
            .display_name(target.name)
            .version(target.version)
            .about(target.description)
            .long_about(None)
            .override_usage(format!(
                "TAP | {name} [--config FILE]…\n       {name} <COMMAND>",
                name = target.name
            ))
            .after_help(after_help(target.name))
    }

    /// The values of `--config`, those before the subcommand first.
    pub fn config(&self) -> impl Iterator<Item = &str> {
        let own = match &self.command {
            Some(Command::Check { config } | Command::Discover { config, .. }) => &config.files[..],
            _ => &[],
        };
        self.config.files.iter().chain(own).map(String::as_str)
    }
}

/// The completion script for a shell.
#[must_use]
pub fn completions(target: &TargetInfo, shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(
        shell,
        &mut Args::command_of(target),
        target.name,
        &mut script,
    );
    script
}

fn after_help(name: &str) -> String {
    format!(
        "\
Examples:
  tap-github --config tap.json | {name} --config config.json
  {name} --config base.yaml --config production.yaml --input records.jsonl
  {name} check --config config.json
  {name} about --format markdown

Output:
  stdout  one STATE a line, each printed once everything before it is safe
  stderr  logs

Exit codes:
  0         everything was loaded
  1         the run failed; run again from the last STATE
  2         wrong usage or configuration
  3         the destination cannot be reached or does not allow it
  130, 143  ended by SIGINT, SIGTERM; run again from the last STATE"
    )
}

#[cfg(test)]
mod tests {
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
        assert_eq!(args.input, Some("in.jsonl".into()));
        assert_eq!(args.config().collect::<Vec<_>>(), ["a.json", "ENV"]);
    }

    #[test]
    fn options_may_stand_on_both_sides_of_the_subcommand() {
        let args =
            parse("target-x --config a --log-level WARNING check --config b --log-format json")
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
        let (text, code) = refused("target-x --help");
        assert_eq!(code, 0);
        insta::assert_snapshot!(text, @r"
        Loads streams into x

        Usage: TAP | target-x [--config FILE]…
               target-x <COMMAND>

        Commands:
          about        Describe settings, capabilities and plugins
          check        Connect, and check permissions and settings; nothing is written
          discover     List the streams that the destination holds
          completions  Write a completion script for a shell to stdout

        Options:
              --config <FILE|ENV>
                  Settings file in JSON, YAML or TOML; of several the later wins. Environment variables are
                  always read, and win; ENV is accepted for them

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
                  How much to log; default: $<TARGET>_LOGLEVEL, $LOGLEVEL, info

                  Possible values:
                  - off:   Nothing
                  - error: What ended the run
                  - warn:  And what somebody should look at
                  - info:  And how the run goes
                  - debug: And why, for each batch
                  - trace: And all there is

              --log-format <FORMAT>
                  What a line looks like; default: $<TARGET>_LOG_FORMAT, text

                  Possible values:
                  - text: Time, level, message, fields
                  - json: One JSON object a line

        Examples:
          tap-github --config tap.json | target-x --config config.json
          target-x --config base.yaml --config production.yaml --input records.jsonl
          target-x check --config config.json
          target-x about --format markdown

        Output:
          stdout  one STATE a line, each printed once everything before it is safe
          stderr  logs

        Exit codes:
          0         everything was loaded
          1         the run failed; run again from the last STATE
          2         wrong usage or configuration
          3         the destination cannot be reached or does not allow it
          130, 143  ended by SIGINT, SIGTERM; run again from the last STATE
        ");
    }

    #[test]
    fn completions_know_the_targets_name() {
        let script = String::from_utf8(completions(&TARGET, Shell::Bash)).expect("UTF-8");
        assert!(script.contains("target-x") && script.contains("--config"));
    }
}
