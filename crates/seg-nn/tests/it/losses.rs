//! Losses and their gradients equal those of the reference program in `tests/data/losses/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use seg_nn::{BemSegOutput, ContrastMemory, Criterion, LossSettings, Losses};
use tch::{Device, Kind, Tensor};

use crate::parity::relative_error;

const TOLERANCE: f64 = 1e-5;

/// Losses by the names of the repository's own reference.
fn by_name(losses: &Losses) -> BTreeMap<&'static str, Tensor> {
    let optional = [("aux", &losses.aux), ("cpc", &losses.cpc), ("dice", &losses.dice)];
    let optional = optional.into_iter().filter_map(|(name, loss)| Some((name, loss.as_ref()?.detach())));
    optional.chain([("main", losses.main.detach()), ("total", losses.total.detach())]).collect()
}

/// A copy that gets a gradient.
pub(crate) fn leaf(tensor: &Tensor) -> Tensor {
    tensor.copy().set_requires_grad(true)
}

#[test]
fn every_setting_equals_the_reference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/losses/losses.safetensors");
    let bytes = fs::read(&path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let cases: BTreeMap<String, String> =
        serde_json::from_str(&header.metadata().as_ref().unwrap()["cases"]).unwrap();
    let tensors: BTreeMap<_, _> = Tensor::read_safetensors(&path).unwrap().into_iter().collect();
    let mut largest = 0.0f64;
    for (case, text) in cases {
        let criterion = Criterion::new(&toml::from_str(&text).unwrap(), 4).unwrap();
        let mut memory = None;
        for step in ["first", "second", "third"] {
            let input = |name: &str| &tensors[&format!("{step}/{name}")];
            let (logits4, score) = (leaf(input("logits4")), leaf(input("score")));
            let output = BemSegOutput {
                logits4: logits4.shallow_clone(),
                score: Some(score.shallow_clone()),
                aux: None,
            };
            let losses = criterion.losses(&output, input("labels"), &mut memory).unwrap();
            losses.total.backward();
            let mut got = by_name(&losses);
            got.extend([("grad/logits4", logits4.grad()), ("grad/score", score.grad())]);
            let prefix = format!("{case}/{step}/");
            let expected =
                tensors.iter().filter_map(|(key, tensor)| Some((key.strip_prefix(&prefix)?, tensor)));
            let expected: BTreeMap<_, _> = expected.collect();
            assert!(expected.keys().eq(got.keys()), "{case}: {:?} {:?}", expected.keys(), got.keys());
            for (name, expected) in expected {
                let error = relative_error(&got[name], expected);
                assert!(error <= TOLERANCE, "{prefix}{name} differs by {error:.2e}");
                largest = largest.max(error);
            }
        }
    }
    eprintln!("losses: {largest:.1e}");
}

#[test]
fn a_memory_that_was_saved_goes_on() {
    let criterion = Criterion::new(&LossSettings::default(), 4).unwrap();
    let random = |seed: f64| {
        (Tensor::arange(2 * 4 * 9, (Kind::Float, Device::Cpu)) * seed).sin().view([2, 4, 3, 3]) * 0.3
    };
    let labels = Tensor::zeros([2, 12, 12], (Kind::Int64, Device::Cpu));
    let step = |score: &Tensor, memory: &mut Option<ContrastMemory>| {
        let output = BemSegOutput { logits4: random(0.3), score: Some(score.shallow_clone()), aux: None };
        criterion.losses(&output, &labels, memory).unwrap().cpc.unwrap().double_value(&[])
    };
    let mut memory = None;
    step(&random(0.37), &mut memory);
    let saved = memory.as_ref().unwrap().tensors();
    assert!(saved.iter().all(|(_, tensor)| !tensor.requires_grad()));
    let saved = saved.into_iter().map(|(name, tensor)| (name, tensor.copy())).collect();
    let mut restored = ContrastMemory::from_tensors(&saved, Device::Cpu).unwrap();
    let lowest = random(1.1).slice(1, 0, 1, 1) * 0.0 - 0.3;
    let second = Tensor::cat(&[lowest, random(1.1).slice(1, 1, 4, 1)], 1);
    let expected = step(&second, &mut memory);
    assert_eq!(step(&second, &mut restored).to_bits(), expected.to_bits());
    assert_ne!(step(&second, &mut None).to_bits(), expected.to_bits());

    assert!(ContrastMemory::from_tensors(&BTreeMap::new(), Device::Cpu).unwrap().is_none());
    let mut damaged = saved;
    damaged.insert("cpc.seen".to_owned(), Tensor::zeros([2, 3], (Kind::Uint8, Device::Cpu)));
    let error = ContrastMemory::from_tensors(&damaged, Device::Cpu).unwrap_err();
    assert!(error.to_string().starts_with("cpc.bank: [2, 4, 4] and cpc.seen [2, 3]"), "{error}");
}
