//! The real launcher, where there is one.

use std::process::Command;

#[test]
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn torchrun_starts_trainings_and_starts_them_anew() {
    let Some(python) = std::env::var_os("RS_SEG_TORCHRUN").filter(|name| !name.is_empty()) else {
        println!("skipped: no torchrun; RS_SEG_TORCHRUN names a Python that has torch");
        return;
    };
    let output = Command::new("scripts/test-torchrun")
        .arg(env!("CARGO_BIN_EXE_rs-seg"))
        .env("RS_SEG_TORCHRUN", python)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the script runs");
    let [told, errors] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "{told}{errors}");
    assert!(told.contains("equal: ") && told.contains("restarted: "), "{told}{errors}");
}
