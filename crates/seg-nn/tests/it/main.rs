//! The integration tests of seg-nn.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(
    clippy::print_stderr,
    reason = "the parity tests tell how near they come, or that they were skipped"
)]

mod checkpoint;
mod configs;
mod import;
mod losses;
mod parity;
mod torchscript;
mod transfer;
