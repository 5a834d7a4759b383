//! Transcripts of the program at work: `TRYCMD=overwrite cargo test --test it` renews them.

#[test]
fn transcripts_go_as_written() {
    trycmd::TestCases::new().case("tests/cmd/*.trycmd");
}
