//! `rs-seg describe`.

use crate::cli::DescribeArgs;
use crate::context::{Context, ResultFormat};
use crate::describe::description;

/// Lists commands and parameters.
pub(crate) fn run(_: &DescribeArgs, context: &Context) -> anyhow::Result<()> {
    let description = description();
    if context.format == ResultFormat::Json {
        return context.printer.json(&description);
    }
    for command in description.commands() {
        context.printer.data(format!("{}: {}", command.name, command.about))?;
        for parameter in &command.parameters {
            let flag =
                parameter.long.as_ref().map_or_else(|| parameter.name.clone(), |long| format!("--{long}"));
            context.printer.data(format!("    {flag:22} {}", parameter.help))?;
        }
    }
    Ok(())
}
