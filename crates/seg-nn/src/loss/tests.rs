//! Losses that can be computed by hand.

use tch::{Device, Kind, Tensor};

use super::{ContrastMemory, CpcAbsent, CpcCategory, Criterion, Denominator, LossSettings, Losses};
use crate::bemseg::BemSegOutput;

/// Two pixels and two classes: the first class has probability 3/4 at the first and 1/2 at the second pixel.
fn two_pixels() -> Tensor {
    let logits = [3f32.ln(), 0.0, 0.0, 0.0];
    Tensor::from_slice(&logits).view([1, 2, 1, 2])
}

fn labels(labels: &[i64]) -> Tensor {
    Tensor::from_slice(labels).view([1, 1, -1])
}

fn losses(settings: &LossSettings, logits4: &Tensor, score: Option<&Tensor>, labels: &Tensor) -> Losses {
    let classes = logits4.size()[1] as usize;
    let output =
        BemSegOutput { logits4: logits4.shallow_clone(), score: score.map(Tensor::shallow_clone), aux: None };
    Criterion::new(settings, classes).unwrap().losses(&output, labels, &mut None).unwrap()
}

fn main_loss(change: impl Fn(&mut LossSettings), truth: &[i64]) -> f64 {
    let mut settings = LossSettings::default();
    change(&mut settings);
    losses(&settings, &two_pixels(), None, &labels(truth)).main.double_value(&[])
}

fn check(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-6, "{got} instead of {expected}");
}

#[test]
fn ignored_pixels_count_or_do_not() {
    let (first, second) = (-(0.75f64.ln()), 2f64.ln());
    check(main_loss(|_| {}, &[0, 1]), f64::midpoint(first, second));
    check(main_loss(|_| {}, &[0, 255]), first / 2.0);
    check(main_loss(|settings| settings.denominator = Denominator::Valid, &[0, 255]), first);
    check(
        main_loss(|settings| settings.denominator = Denominator::Valid, &[0, 1]),
        f64::midpoint(first, second),
    );
}

#[test]
fn classes_weigh_as_they_are_told() {
    let (first, second) = (-(0.75f64.ln()), 2f64.ln());
    let weigh = |settings: &mut LossSettings| settings.class_weights = Some(vec![3.0, 1.0]);
    check(main_loss(weigh, &[0, 1]), f64::midpoint(3.0 * first, second));
    let valid = |settings: &mut LossSettings| {
        weigh(settings);
        settings.denominator = Denominator::Valid;
    };
    check(main_loss(valid, &[0, 1]), (3.0 * first + second) / 4.0);
    check(main_loss(valid, &[0, 255]), first);
}

#[test]
fn a_batch_of_ignored_pixels_costs_nothing() {
    let score = two_pixels() * 0.5;
    for denominator in [Denominator::All, Denominator::Valid] {
        for class_weights in [None, Some(vec![3.0, 1.0])] {
            let settings = LossSettings {
                denominator,
                class_weights,
                dice_weight: 1.0,
                label_smoothing: 0.1,
                cpc_category: CpcCategory::Label,
                ..LossSettings::default()
            };
            let logits4 = two_pixels().set_requires_grad(true);
            let losses = losses(&settings, &logits4, Some(&score), &labels(&[255, 255]));
            losses.total.backward();
            let parts = [&losses.aux, &losses.cpc, &losses.dice].map(|loss| loss.as_ref().unwrap());
            for loss in parts.into_iter().chain([&losses.main, &losses.total]) {
                check(loss.double_value(&[]), 0.0);
            }
            check(logits4.grad().abs().max().double_value(&[]), 0.0);
        }
    }
}

#[test]
fn dice_is_the_overlap() {
    let settings = LossSettings { dice_weight: 1.0, ..LossSettings::default() };
    let dice = |logits: &Tensor, truth: &[i64]| {
        losses(&settings, logits, None, &labels(truth)).dice.unwrap().double_value(&[])
    };
    let certain = Tensor::from_slice(&[50f32, -50.0, -50.0, 50.0]).view([1, 2, 1, 2]);
    check(dice(&certain, &[0, 1]), 0.0);
    check(dice(&certain, &[1, 0]), 1.0);
    // The class that no label has does not count.
    check(dice(&certain, &[0, 255]), 0.0);
    // Both classes: 2 · 0.75 / (1.25 + 1) and 2 · 0.5 / (0.75 + 1).
    check(dice(&two_pixels(), &[0, 1]), 1.0 - f64::midpoint(1.5 / 2.25, 1.0 / 1.75));
}

#[test]
fn one_category_has_nothing_to_be_unlike() {
    let score = Tensor::ones([2, 3, 4, 4], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let settings = LossSettings { aux_weight: 0.0, ..LossSettings::default() };
    let truth = Tensor::zeros([2, 8, 8], (Kind::Int64, Device::Cpu));
    let losses = losses(&settings, &score.detach(), Some(&score), &truth);
    assert!(losses.aux.is_none());
    let cpc = losses.cpc.unwrap();
    check(cpc.double_value(&[]), 0.0);
    cpc.backward();
    check(score.grad().abs().max().double_value(&[]), 0.0);
}

#[test]
fn parts_without_weight_or_score_map_are_left_out() {
    let score = two_pixels();
    let truth = labels(&[0, 1]);
    let off = LossSettings { aux_weight: 0.0, cpc_weight: 0.0, ..LossSettings::default() };
    let without = losses(&off, &two_pixels(), Some(&score), &truth);
    assert!(without.aux.is_none() && without.cpc.is_none() && without.dice.is_none());
    let plain = losses(&LossSettings::default(), &two_pixels(), None, &truth);
    assert!(plain.aux.is_none() && plain.cpc.is_none());
    assert_eq!(plain.total, plain.main);
    let all = LossSettings { dice_weight: 0.5, ..LossSettings::default() };
    let all = losses(&all, &two_pixels(), Some(&score), &truth);
    let value = |loss: &Option<Tensor>| loss.as_ref().unwrap().double_value(&[]);
    let sum =
        all.main.double_value(&[]) + 0.4 * value(&all.aux) + 0.2 * value(&all.cpc) + 0.5 * value(&all.dice);
    check(all.total.double_value(&[]), sum);
}

#[test]
fn memory_remembers_without_gradient_and_begins_anew_for_another_batch() {
    let settings = LossSettings { cpc_absent: CpcAbsent::Memory, ..LossSettings::default() };
    let criterion = Criterion::new(&settings, 2).unwrap();
    let step = |score: Tensor, memory: &mut Option<ContrastMemory>| {
        let truth = Tensor::zeros([score.size()[0], 1, 2], (Kind::Int64, Device::Cpu));
        let output =
            BemSegOutput { logits4: score.detach(), score: Some(score.set_requires_grad(true)), aux: None };
        criterion.losses(&output, &truth, memory).unwrap().cpc.unwrap().double_value(&[])
    };
    let one_class = || Tensor::from_slice(&[1f32, 1.0, 0.0, 0.0]).view([1, 2, 1, 2]);
    let both = || Tensor::from_slice(&[1f32, 0.0, 0.0, 1.0]).view([1, 2, 1, 2]);
    let mut memory = None;
    check(step(one_class(), &mut memory), 0.0);
    assert!(step(both(), &mut memory) > 0.0);
    // The second class is remembered: (1, 0) against (1, 0) and (0, 1).
    check(step(one_class(), &mut memory), (-10f64).exp().ln_1p());
    assert!(memory.as_ref().unwrap().tensors().iter().all(|(_, tensor)| !tensor.requires_grad()));
    check(step(Tensor::cat(&[one_class(), one_class()], 0), &mut memory), 0.0);
    check(step(one_class(), &mut memory), 0.0);
}

#[test]
fn less_precise_outputs_are_taken_and_other_labels_are_told() {
    let settings = LossSettings::default();
    let coarse = two_pixels().to_kind(Kind::BFloat16);
    let result = losses(&settings, &coarse, Some(&coarse), &labels(&[0, 1]));
    assert_eq!((result.total.kind(), result.cpc.unwrap().kind()), (Kind::Float, Kind::Float));

    let criterion = Criterion::new(&settings, 2).unwrap();
    let output = BemSegOutput { logits4: two_pixels(), score: None, aux: None };
    let error = |labels: &Tensor| criterion.losses(&output, labels, &mut None).unwrap_err().to_string();
    let bytes = error(&labels(&[0, 1]).to_kind(Kind::Uint8));
    assert_eq!(bytes, "the loss takes labels (1, H, W), Int64 on Cpu, got [1, 1, 2], Uint8 on Cpu");
    assert!(error(&labels(&[0, 1]).squeeze()).contains("got [2]"));
    let other =
        Criterion::new(&settings, 3).unwrap().losses(&output, &labels(&[0, 1]), &mut None).unwrap_err();
    assert!(other.to_string().contains("made for 3 classes"), "{other}");
}
