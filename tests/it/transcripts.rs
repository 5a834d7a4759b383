//! Transcripts of the program at work: `TRYCMD=overwrite cargo test --test it` renews them.

#[test]
fn transcripts_go_as_written() {
    // Transcripts are those of a machine without a GPU.
    trycmd::TestCases::new().env("CUDA_VISIBLE_DEVICES", "-1").case("tests/cmd/*.trycmd");
}
