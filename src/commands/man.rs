//! `rs-seg man`.

use crate::cli::{Cli, ManArgs};
use crate::context::Context;
use anyhow::Context as _;
use clap::CommandFactory as _;
use std::fs;

/// Prints the man page, or writes all of them to a folder.
pub(crate) fn run(args: &ManArgs, context: &Context) -> anyhow::Result<()> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        return context.printer.data(String::from_utf8_lossy(&page).trim_end());
    };
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("cannot write man pages to {}", folder.display()))?;
    context.printer.data(folder.join("rs-seg.1").display())
}
