//! Seconds of a forward pass of BEMSeg on CLIP's RN50, prepared for inference: one tile to class indices.
//!
//! `cargo bench -p seg-nn --bench forward -- [--size 512] [--threads 2] [--precision f32|bf16] [--runs 5]` prints
//! "median SECONDS s"; `benches/forward.sh` runs it beside another program in turns. With `--count N [--workers 2]`
//! so many tiles go through workers of one thread each, which prints "wall SECONDS cpu SECONDS".
#![expect(clippy::print_stdout, reason = "a benchmark's result")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use seg_nn::{BemSeg, Config, InferencePrecision, SegModel as _, TextPart, initialize};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

/// The value after a flag, or what stands for it.
fn flag(name: &str, default: &str) -> String {
    let mut words = std::env::args().skip_while(|word| word != name);
    words.nth(1).unwrap_or_else(|| default.to_owned())
}

/// Seconds of the processor that this process has used.
fn cpu_seconds() -> Result<f64, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // After the name in parentheses; the kernel counts hundredths.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

/// Runs a network `count` times, on `workers` threads.
fn loop_over(
    network: &BemSeg,
    image: &Tensor,
    count: usize,
    workers: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let (next, cpu, start) = (AtomicUsize::new(0), cpu_seconds()?, Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (network, image, next) = (network.fork(), image.shallow_clone(), &next);
            scope.spawn(move || {
                seg_torch::set_intra_op_threads(1);
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    let scores = network.forward(&image).and_then(seg_nn::Scores::into_probabilities);
                    drop(scores.expect("the network runs"));
                }
            });
        }
    });
    println!("wall {:.3} cpu {:.3}", start.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (size, threads): (i64, u16) = (flag("--size", "512").parse()?, flag("--threads", "2").parse()?);
    let runs: usize = flag("--runs", "5").parse()?;
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/bemseg-rn50-potsdam.toml");
    let config = Config::read(config.as_ref())?;
    seg_torch::set_intra_op_threads(threads);
    let vs = VarStore::new(Device::Cpu);
    let network = BemSeg::new(&vs.root(), &config, TextPart::Tower)?;
    initialize(&vs, 0)?;
    let precision = match flag("--precision", "f32").as_str() {
        "bf16" => InferencePrecision::Bf16,
        "f32" => InferencePrecision::F32,
        other => return Err(format!("--precision takes f32 or bf16, got {other}").into()),
    };
    let network = network.prepare(precision)?;
    let image = Tensor::rand([1, 3, size, size], (Kind::Float, Device::Cpu)); // (1, 3, H, W)
    if let Ok(count) = flag("--count", "").parse() {
        return loop_over(&network, &image, count, flag("--workers", "2").parse()?);
    }
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
    println!(
        "forward size={size} {precision:?} threads={threads}: median {median:.3} s  min {least:.3}  max {most:.3}"
    );
    Ok(())
}
