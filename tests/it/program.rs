//! Runs the built program.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a run left.
#[derive(Debug)]
pub(crate) struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The program, ready to be given arguments.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rs-seg"));
    command.args(arguments).env_remove("RUST_BACKTRACE").env_remove("RS_SEG_LOG").stdin(Stdio::null());
    // What is promised to the byte is promised for the processor.
    command.env_remove("RS_SEG_LIBTORCH").env("CUDA_VISIBLE_DEVICES", "-1");
    // A launcher may have started the tests too.
    for variable in
        ["WORLD_SIZE", "RANK", "SLURM_NTASKS", "TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_USE_AGENT_STORE"]
    {
        command.env_remove(variable);
    }
    command
}

/// Runs the program in the root of the repository.
pub(crate) fn rs_seg(arguments: &[&str]) -> Run {
    rs_seg_in(Path::new(env!("CARGO_MANIFEST_DIR")), arguments)
}

/// Runs the program in a folder.
pub(crate) fn rs_seg_in(folder: &Path, arguments: &[&str]) -> Run {
    let output = command(arguments).current_dir(folder).output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Run {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Standard error as one JSON object a line.
    pub(crate) fn events(&self) -> Vec<Value> {
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stderr.lines().map(read).collect()
    }
}
