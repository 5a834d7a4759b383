//! Seconds of a forward pass of BEMSeg on CLIP's RN50, prepared for inference: one tile to class indices.
//!
//! `cargo bench --bench forward -- [--size 512] [--threads 2] [--precision f32|bf16] [--runs 5]` prints
//! "median SECONDS s"; `benches/forward.sh` runs it beside another program in turns.
#![expect(clippy::print_stdout, reason = "a benchmark's result")]

use std::time::Instant;

use seg_nn::{BemSeg, Config, SegModel as _, TextPart, initialize};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

/// The value after a flag, or what stands for it.
fn flag(name: &str, default: &str) -> String {
    let mut words = std::env::args().skip_while(|word| word != name);
    words.nth(1).unwrap_or_else(|| default.to_owned())
}

fn number(name: &str, default: &str) -> usize {
    let text = flag(name, default);
    text.parse().unwrap_or_else(|_| panic!("{name} takes a number, got {text}"))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (size, threads, runs) = (number("--size", "512"), number("--threads", "2"), number("--runs", "5"));
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/bemseg-rn50-potsdam.toml");
    let config = Config::read(config.as_ref())?;
    seg_torch::set_intra_op_threads(u16::try_from(threads)?);
    let vs = VarStore::new(Device::Cpu);
    let network = BemSeg::new(&vs.root(), &config, TextPart::Tower)?;
    initialize(&vs, 0)?;
    let network = network.prepare()?;
    let side = i64::try_from(size)?;
    let image = Tensor::rand([1, 3, side, side], (Kind::Float, Device::Cpu)); // (1, 3, H, W)
    let mut seconds = Vec::new();
    for _ in 0..=runs {
        let start = Instant::now();
        let classes = network.forward(&image)?.tensor().f_argmax(1, false)?; // (1, K, H, W) -> (1, H, W)
        drop(classes);
        seconds.push(start.elapsed().as_secs_f64());
    }
    // The first pass makes what later ones keep.
    seconds.remove(0);
    seconds.sort_by(f64::total_cmp);
    let [least, most] = [seconds[0], seconds[seconds.len() - 1]];
    let median = seconds[seconds.len() / 2];
    println!("forward size={size} threads={threads}: median {median:.3} s  min {least:.3}  max {most:.3}");
    Ok(())
}
