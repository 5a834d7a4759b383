//! The command line as data, read off clap's own description so that it never differs from the help.

mod dialog;
mod files;
mod kind;

use crate::cli::{ADVANCED_HEADING, Cli, GLOBAL_HEADING};
use clap::{Arg, ArgAction, Command, CommandFactory as _};
use dialog::Group;
use files::Files;
use kind::Kind;
use serde::Serialize;
use std::ffi::OsStr;

/// The whole command line.
#[derive(Debug, Serialize)]
pub(crate) struct Description {
    name: String,
    version: &'static str,
    about: String,
    /// Parameters that every command takes.
    global: Vec<Parameter>,
    commands: Vec<CommandDescription>,
}

/// One command; `model info` is one.
#[derive(Debug, Serialize)]
pub(crate) struct CommandDescription {
    pub name: String,
    /// What it does in a few words.
    title: String,
    group: Group,
    pub about: String,
    /// More than a line, where there is more to say.
    details: Option<String>,
    pub parameters: Vec<Parameter>,
}

/// One flag or argument.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "one for each fact in the JSON")]
pub(crate) struct Parameter {
    /// The long flag without dashes; the name of an argument without a flag.
    pub name: String,
    pub long: Option<String>,
    short: Option<char>,
    /// Its place among arguments without a flag, from 1.
    position: Option<usize>,
    pub help: String,
    details: Option<String>,
    /// What stands for the value in the help.
    value_name: Option<String>,
    #[serde(rename = "type")]
    pub kind: Kind,
    default: Option<String>,
    choices: Vec<Choice>,
    required: bool,
    /// The flag that makes a required parameter optional.
    required_unless: Option<&'static str>,
    /// Whether it takes several values, or can be repeated.
    multiple: bool,
    /// What its value names on disk or elsewhere.
    pub file: Option<Files>,
    unit: Option<&'static str>,
    /// Whether few runs need it.
    advanced: bool,
    /// Whether a dialog shows it at once.
    basic: bool,
}

/// One of the words that a parameter takes.
#[derive(Debug, Serialize)]
struct Choice {
    value: String,
    help: Option<String>,
}

/// Describes the command line.
pub(crate) fn description() -> Description {
    let mut cli = Cli::command();
    cli.build();
    let is_global = |arg: &&Arg| arg.is_global_set();
    let mut commands = Vec::new();
    collect(&cli, "", &mut commands);
    Description {
        name: cli.get_name().to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        about: text(cli.get_about()).unwrap_or_default(),
        global: cli.get_arguments().filter(is_global).map(|arg| parameter("", arg)).collect(),
        commands,
    }
}

impl Description {
    /// Every command.
    pub(crate) fn commands(&self) -> &[CommandDescription] {
        &self.commands
    }
}

fn collect(command: &Command, path: &str, commands: &mut Vec<CommandDescription>) {
    let children = command.get_subcommands().filter(|child| child.get_name() != "help");
    for child in children {
        let name = [path, child.get_name()].join(" ").trim_start().to_owned();
        if child.has_subcommands() {
            collect(child, &name, commands);
            continue;
        }
        let own = child.get_arguments().filter(|arg| !arg.is_global_set() && !is_built_in(arg));
        let about = text(child.get_about()).unwrap_or_default();
        commands.push(CommandDescription {
            title: dialog::title(&about),
            group: dialog::group(&name),
            about,
            details: text(child.get_long_about()),
            parameters: own.map(|arg| parameter(&name, arg)).collect(),
            name,
        });
    }
}

fn parameter(command: &str, arg: &Arg) -> Parameter {
    let name = arg.get_long().unwrap_or(arg.get_id().as_str()).to_owned();
    let value_names = arg.get_value_names().filter(|_| arg.get_action().takes_values());
    let value_name = value_names.and_then(|names| names.first()).map(ToString::to_string);
    let unit = match value_name.as_deref() {
        Some("PX") => Some("pixels"),
        Some("SIZE") => Some("bytes"),
        _ => None,
    };
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| lossy(value)).collect();
    let choices = if Kind::of(arg) == Kind::Flag { Vec::new() } else { arg.get_possible_values() };
    let file = files::of(command, &name);
    let advanced = matches!(arg.get_help_heading(), Some(ADVANCED_HEADING | GLOBAL_HEADING));
    let several = arg.get_num_args().is_some_and(|range| range.max_values() > 1);
    Parameter {
        long: arg.get_long().map(str::to_owned),
        short: arg.get_short(),
        position: arg.get_index(),
        help: text(arg.get_help()).unwrap_or_default(),
        details: text(arg.get_long_help()),
        value_name,
        kind: Kind::of(arg),
        default: (arg.get_action().takes_values() && !defaults.is_empty()).then(|| defaults.join(",")),
        choices: choices
            .iter()
            .map(|choice| Choice { value: choice.get_name().to_owned(), help: text(choice.get_help()) })
            .collect(),
        required: arg.is_required_set(),
        required_unless: files::required_unless(command, &name),
        multiple: several || matches!(arg.get_action(), ArgAction::Append | ArgAction::Count),
        basic: !advanced && dialog::has_room(command, &name, file),
        file,
        unit,
        advanced,
        name,
    }
}

/// Whether clap made it: `--help` and `--version`.
fn is_built_in(arg: &Arg) -> bool {
    matches!(
        arg.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    )
}

fn text(help: Option<&clap::builder::StyledStr>) -> Option<String> {
    help.map(ToString::to_string)
}

fn lossy(value: &OsStr) -> String {
    value.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_finds_no_fault() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_parameter_has_a_type_and_a_help() {
        let description = description();
        let own = description.commands.iter().flat_map(|command| &command.parameters);
        for parameter in own.chain(&description.global) {
            assert_ne!(parameter.kind, Kind::Unknown, "{}", parameter.name);
            assert!(!parameter.help.is_empty(), "{}", parameter.name);
        }
    }

    #[test]
    fn every_parameter_that_names_a_file_says_what_kind() {
        for command in &description().commands {
            for parameter in &command.parameters {
                let value = parameter.value_name.as_deref().unwrap_or_default();
                let names_a_file = parameter.kind == Kind::Path
                    || ["FILE", "DIR", "INPUT", "CLASSES", "MODEL", "CONFIG"]
                        .iter()
                        .any(|word| value.contains(word));
                let place = format!("{} {}", command.name, parameter.name);
                assert_eq!(parameter.file.is_some(), names_a_file, "{place}: see files.rs");
            }
        }
    }

    #[test]
    fn nothing_is_said_about_parameters_that_do_not_exist() {
        let description = description();
        for (command, name) in files::annotated() {
            let command = description.commands.iter().find(|known| known.name == command).expect(command);
            assert!(command.parameters.iter().any(|known| known.name == name), "{} {name}", command.name);
        }
    }
}
