//! Flags that every command takes, and those of every command that opens rasters.

use crate::value::{DeviceArg, KeyValue, LogFormat, ProgressChoice, device, key_value};
use clap::{ArgAction, Args};
use std::num::NonZeroUsize;

/// The heading under which help lists these flags.
pub(crate) const GLOBAL_HEADING: &str = "Everywhere";
/// The heading under which help lists flags that few runs need.
pub(crate) const ADVANCED_HEADING: &str = "Advanced";

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = GLOBAL_HEADING)]
pub(crate) struct GlobalArgs {
    /// Tell only warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Tell more; twice or three times for even more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// What the log on standard error looks like
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// How progress is told on standard error
    #[arg(long, global = true, value_name = "HOW", default_value = "auto")]
    pub progress: ProgressChoice,
    /// Processor threads to use [default: all]
    #[arg(long, global = true, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Where networks run: auto, cpu, cuda or cuda:N (`rs-seg doctor` lists them)
    #[arg(long, global = true, value_name = "DEVICE", default_value = "auto", value_parser = device)]
    pub device: DeviceArg,
    /// Replace outputs that exist
    #[arg(long, global = true)]
    pub overwrite: bool,
    /// Print the result as JSON on standard output
    #[arg(long, global = true)]
    pub json: bool,
}

/// Flags of every command that opens rasters.
#[derive(Debug, Clone, Args)]
pub(crate) struct GdalArgs {
    /// GDAL configuration option, such as `GDAL_HTTP_TIMEOUT=30`; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, help_heading = ADVANCED_HEADING)]
    pub config: Vec<KeyValue>,
}
