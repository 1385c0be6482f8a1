//! What the command line accepts.
//!
//! The same for every target: only its name, version and description differ, and these are known
//! when the program runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::about::{Format, TargetInfo};
use crate::catalog::Discovery;
use crate::telemetry::{self, LogOptions};

/// The command line of a target. Without a subcommand it loads.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(
    args_conflicts_with_subcommands = false,
    disable_help_subcommand = true
)]
pub(crate) struct Args {
    /// What to do instead of loading.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    config: ConfigOption,

    #[command(flatten)]
    input: InputOption,

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
    pub(crate) log: LogOptions,
}

/// Where settings come from: understood before the subcommand and after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct ConfigOption {
    /// A file of settings in JSON, YAML or TOML; may be repeated, later ones win. The environment
    /// is always read and wins over files, so ENV, which asks for it, is not needed
    #[arg(long = "config", value_name = "FILE|ENV")]
    files: Vec<String>,
}

/// Where messages come from: understood before the subcommand and after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct InputOption {
    /// Read messages from this file instead of stdin
    #[arg(long = "input", value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What a target can do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Command {
    /// Load records; the same as no command
    Load {
        /// Where settings come from.
        #[command(flatten)]
        config: ConfigOption,
        /// Where messages come from.
        #[command(flatten)]
        input: InputOption,
        /// Write nothing and print no STATE: tell how many records would be created, updated,
        /// deleted or left, and why
        #[arg(long)]
        dry_run: bool,
        /// The format in which --dry-run tells it
        #[arg(long, value_enum, ignore_case = true, requires = "dry_run")]
        format: Option<ReportFormat>,
    },
    /// Compare messages that were loaded with what the destination holds; nothing is written
    Verify {
        /// Where settings come from.
        #[command(flatten)]
        config: ConfigOption,
        /// Where messages come from.
        #[command(flatten)]
        input: InputOption,
        /// The format
        #[arg(long, value_enum, ignore_case = true, default_value_t)]
        format: ReportFormat,
    },
    /// Bring what the destination holds into the form that the settings name
    Migrate {
        /// Where settings come from.
        #[command(flatten)]
        config: ConfigOption,
        /// A Singer catalog, of the tap or of `discover`, that tells the key properties of streams
        #[arg(long, value_name = "FILE")]
        catalog: Option<PathBuf>,
        /// Write nothing: tell how many keys would be rewritten, moved or left
        #[arg(long)]
        dry_run: bool,
        /// The format
        #[arg(long, value_enum, ignore_case = true, default_value_t)]
        format: ReportFormat,
    },
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
        /// How many of the newest values of each stream to read for its schema. Keys are counted
        /// without values
        #[arg(long, value_name = "RECORDS", default_value_t = Discovery::default().sample)]
        sample: usize,
    },
    /// Show or change the state that runs keep, for taps without an orchestrator
    State {
        /// What to do with it
        #[arg(value_enum)]
        action: StateAction,
        /// Where settings come from.
        #[command(flatten)]
        config: ConfigOption,
    },
    /// Write a completion script for a shell to stdout
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write a manual page to stdout
    Man,
}

/// How to tell what was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For reading in a terminal
    #[default]
    Text,
    /// For programs
    Json,
}

/// How to list what the destination holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiscoverFormat {
    /// A Singer catalog, in JSON
    #[default]
    Catalog,
    /// For reading in a terminal
    Text,
}

/// What to do with the state that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateAction {
    /// Print it: {} if there is none, so that a tap can be given the output
    Get,
    /// Take it from stdin
    Set,
    /// Remove it, so that the next run begins anew
    Clear,
}

impl Args {
    /// Reads the command line of this process.
    ///
    /// # Errors
    /// It is not understood, or asks for help or the version: [`clap::Error::exit`] does what is
    /// right for each, with code 2 for wrong usage.
    pub(crate) fn parse(target: &TargetInfo) -> Result<Self, clap::Error> {
        Self::parse_from(target, std::env::args_os())
    }

    fn parse_from<I, T>(target: &TargetInfo, arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let matches = Self::command_of(target).try_get_matches_from(arguments)?;
        let mut args = Self::from_arg_matches(&matches)?;
        if args.about {
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
            .max_term_width(100)
            .override_usage(format!(
                "TAP | {name} [--config FILE]…\n       {name} <COMMAND>",
                name = target.name
            ))
            .after_help(after_help(target.name))
            .mut_arg("log_level", |option| {
                let [own, common] = telemetry::level_variables(target.name);
                option.help(format!("How much to log; default: ${own}, ${common}, info"))
            })
            .mut_arg("log_format", |option| {
                let own = telemetry::format_variable(target.name);
                option.help(format!("What a line looks like; default: ${own}, text"))
            })
    }

    /// The values of `--config`, those before the subcommand first.
    pub(crate) fn config(&self) -> impl Iterator<Item = &str> {
        let own = match &self.command {
            Some(
                Command::Load { config, .. }
                | Command::Verify { config, .. }
                | Command::Migrate { config, .. }
                | Command::Check { config }
                | Command::Discover { config, .. }
                | Command::State { config, .. },
            ) => &config.files[..],
            _ => &[],
        };
        self.config.files.iter().chain(own).map(String::as_str)
    }

    /// The file of `--input`, the one after the subcommand first.
    pub(crate) fn input(&self) -> Option<&Path> {
        let own = match &self.command {
            Some(Command::Load { input, .. } | Command::Verify { input, .. }) => &input.file,
            _ => &None,
        };
        own.as_ref()
            .or(self.input.file.as_ref())
            .map(PathBuf::as_path)
    }
}

/// The completion script for a shell.
#[must_use]
pub(crate) fn completions(target: &TargetInfo, shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(
        shell,
        &mut Args::command_of(target),
        target.name,
        &mut script,
    );
    script
}

/// The manual page.
pub(crate) fn manual(target: &TargetInfo) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Args::command_of(target)).render(&mut page)?;
    Ok(page)
}

fn after_help(name: &str) -> String {
    format!(
        "\
Examples:
  tap-github --config tap.json | {name} --config config.json
  {name} --config base.yaml --config production.yaml --input records.jsonl
  {name} load --dry-run --config config.json --input records.jsonl
  {name} verify --config config.json --input records.jsonl
  {name} check --config config.json
  {name} about --format markdown
  tap-github --state <({name} state get --config config.json) | {name} --config config.json

Output:
  stdout  one STATE a line, each printed once everything before it is safe
  stderr  logs

Exit codes:
  0         everything was loaded
  1         the run failed; run again from the last STATE. Of verify: something differs;
            of migrate: keys were left as they are
  2         wrong usage or configuration
  3         the destination cannot be reached or does not allow it
  130, 143  ended by SIGINT, SIGTERM; run again from the last STATE"
    )
}

#[cfg(test)]
mod tests;
