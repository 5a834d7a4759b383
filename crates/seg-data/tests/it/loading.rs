//! Streams of samples out of chips.

use crate::fixture::Folder;
use crate::training_fixture::{Chip, five, identity, plain, single};
use ndarray::{Array2, Axis};
use seg_data::{
    AugmentSettings, Batch, BatchShare, ChipSet, Error, InputScale, Loader, LoaderPlan, Sample, sample,
};
use seg_grid::{Size, Window};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

const PLAN: LoaderPlan =
    LoaderPlan { seed: 9, batch: 3, crop: 32, share: BatchShare::ALL, first_sample: 0, workers: 1, queue: 2 };

/// Everything at once.
fn wild() -> AugmentSettings {
    AugmentSettings {
        d4: true,
        channel_gain: 0.1,
        gamma: [0.8, 1.2],
        blur: 0.5,
        noise: 4.0,
        ..AugmentSettings::default()
    }
}

fn imagenet() -> InputScale {
    InputScale { divide: 255.0, mean: vec![0.485, 0.456, 0.406], std: vec![0.229, 0.224, 0.225] }
}

fn stream(set: &Arc<ChipSet>, plan: LoaderPlan, batches: usize) -> Vec<Batch> {
    let mut loader = Loader::start(Arc::clone(set), wild(), imagenet(), plan).expect("starts");
    (0..batches).map(|_| loader.next().expect("a batch")).collect()
}

#[test]
fn a_stream_is_the_same_for_any_number_of_threads_and_equals_its_samples() {
    let folder = Folder::new();
    let set = Arc::new(five(&folder));
    let one = stream(&set, PLAN, 5);
    for workers in [2, 5] {
        assert_eq!(stream(&set, LoaderPlan { workers, queue: 1, ..PLAN }, 5), one, "{workers} threads");
    }
    let numbers =
        (0..15).zip(one.iter().flat_map(|batch| batch.images.outer_iter().zip(batch.labels.outer_iter())));
    for (number, (image, label)) in numbers {
        let alone = sample(&set, &wild(), &imagenet(), 9, 32, number).expect("a sample");
        assert_eq!((alone.image.view(), alone.label.view()), (image, label), "sample {number}");
        assert!(image.iter().all(|value| value.is_finite()));
    }
    assert_eq!(one[0].images.dim(), (3, 3, 32, 32));
    assert_eq!(one.iter().map(|batch| batch.first_sample).collect::<Vec<_>>(), [0, 3, 6, 9, 12]);
    let chips: Vec<_> = one.iter().flat_map(|batch| batch.chips.clone()).collect();
    for epoch in chips.chunks(5) {
        assert_eq!(epoch.iter().copied().collect::<BTreeSet<_>>(), (0..5).collect());
    }
}

#[test]
fn a_stream_taken_up_is_the_rest_of_it() {
    let folder = Folder::new();
    let set = Arc::new(five(&folder));
    let whole = stream(&set, PLAN, 6);
    assert_eq!(stream(&set, LoaderPlan { first_sample: 9, workers: 2, ..PLAN }, 3), whole[3..]);
}

#[test]
fn processes_share_the_batches_of_one_stream_in_turn() {
    let folder = Folder::new();
    let set = Arc::new(five(&folder));
    let whole = stream(&set, PLAN, 6);
    for of in [2, 3] {
        for place in 0..of {
            let share = BatchShare { place, of };
            let expected: Vec<_> = whole.iter().skip(place).step_by(of).cloned().collect();
            let plan = LoaderPlan { share, workers: 2, ..PLAN };
            assert_eq!(stream(&set, plan, expected.len()), expected, "{share:?}");
            // Taken up at its second batch.
            assert_eq!(
                stream(&set, LoaderPlan { first_sample: 3, ..plan }, expected.len() - 1),
                expected[1..]
            );
        }
    }
}

#[test]
fn seeds_and_epochs_differ() {
    let folder = Folder::new();
    let set = single(&folder, Chip::coordinates(Size::square(60), 0));
    let images: Vec<_> = [(1, 0), (1, 1), (2, 0)]
        .map(|(seed, number)| sample(&set, &wild(), &imagenet(), seed, 32, number).expect("a sample").image)
        .into();
    assert!(images[0] != images[1] && images[0] != images[2] && images[1] != images[2]);
}

/// The crop that a sample of [`Chip::coordinates`] at its own size shows: labels follow from the image's values.
fn assert_aligned(sample: &Sample, size: Size) {
    for ((y, x), &label) in sample.label.indexed_iter() {
        let (column, row) = (sample.image[[0, y, x]] as usize, sample.image[[1, y, x]] as usize);
        // Ids 0, 1 and 2 are the model's classes 1, 0 and 2.
        let expected = if row + 1 == size.height { 2 } else { u8::from(column < size.width / 2) };
        assert_eq!(label, expected, "at {x}, {y} from {column}, {row}");
    }
}

#[test]
fn labels_follow_the_image_through_crops_and_all_eight_symmetries() {
    let folder = Folder::new();
    let size = Size { width: 40, height: 36 };
    let set = single(&folder, Chip::coordinates(size, 0));
    let d4 = AugmentSettings { d4: true, ..plain() };
    let (mut turns, mut corners) = (BTreeSet::new(), BTreeSet::new());
    for number in 0..80 {
        let sample = sample(&set, &d4, &identity(3), 1, 24, number).expect("a sample");
        assert_aligned(&sample, size);
        let at = |y: usize, x: usize| (sample.image[[0, y, x]] as i32, sample.image[[1, y, x]] as i32);
        let (first, right, down) = (at(0, 0), at(0, 1), at(1, 0));
        turns.insert((right.0 - first.0, right.1 - first.1, down.0 - first.0, down.1 - first.1));
        corners.insert(first);
    }
    assert_eq!(turns.len(), 8);
    assert!(corners.len() > 40);
}

#[test]
fn scaled_crops_show_what_scaling_first_shows() {
    let folder = Folder::new();
    let size = Size { width: 48, height: 40 };
    let set = single(&folder, Chip::coordinates(size, 0));
    for ratio in [0.6, 1.0, 1.7] {
        let (width, height) = ((48.0 * ratio) as usize, (40.0 * ratio) as usize);
        for number in 0..10 {
            // Labels are read whole if crops can be drawn again, else crop by crop.
            let (cat_max_ratio, crop_tries) = if number % 2 == 0 { (1.0, 0) } else { (0.7, 3) };
            let settings = AugmentSettings { scale: [ratio, ratio], cat_max_ratio, crop_tries, ..plain() };
            let sample = sample(&set, &settings, &identity(3), 3, 20, number).expect("a sample");
            let place = |x: usize, from: usize, to: usize| {
                ((x as f32 + 0.5) * from as f32 / to as f32 - 0.5).clamp(0.0, from as f32 - 1.0)
            };
            // Ramps stay ramps, so the values tell where the crop is.
            let (last_x, last_y) = (sample.image[[0, 10, 10]], sample.image[[1, 10, 10]]);
            let left = find_start(last_x, |x| place(x, 48, width), width);
            let top = find_start(last_y, |y| place(y, 40, height), height);
            for ((y, x), &label) in sample.label.indexed_iter() {
                assert!((sample.image[[0, y, x]] - place(left + x, 48, width)).abs() < 1e-3);
                assert!((sample.image[[1, y, x]] - place(top + y, 40, height)).abs() < 1e-3);
                let nearest =
                    |x: usize, from: f64, to: usize| (x as f64 * (1.0 / (to as f64 / from))) as usize;
                let (column, row) = (nearest(left + x, 48.0, width), nearest(top + y, 40.0, height));
                let expected = if row == 39 { 2 } else { u8::from(column < 24) };
                assert_eq!(label, expected);
            }
        }
    }
}

/// The start of a crop of which the value at place 10 is known.
fn find_start(value: f32, place: impl Fn(usize) -> f32, to: usize) -> usize {
    (0..=to - 20).find(|&x| (place(x + 10) - value).abs() < 1e-3).expect("a place")
}

#[test]
fn crops_that_one_class_fills_are_drawn_again() {
    let folder = Folder::new();
    // One corner is water, the rest field.
    let mut chip = Chip::coordinates(Size::square(96), 0);
    chip.label =
        Some(Array2::from_shape_fn(
            (96, 96),
            |(y, x)| if y < 40 && x < 40 { 1 } else { 2 * u8::from(x == 95) },
        ));
    let set = single(&folder, chip);
    let varied = |settings: &AugmentSettings| {
        let is_varied = |number| {
            let label = sample(&set, settings, &identity(3), 5, 24, number).expect("a sample").label;
            let water = label.iter().filter(|label| **label == 0).count() as f64 / 576.0;
            (0.25..=0.75).contains(&water)
        };
        (0..60).filter(|&number| is_varied(number)).count()
    };
    let any = varied(&plain());
    let picky = varied(&AugmentSettings { cat_max_ratio: 0.75, crop_tries: 60, ..plain() });
    assert!(any < 30 && picky > 55, "{any} and {picky} of 60");
}

#[test]
fn what_lies_outside_or_has_no_data_is_zero_and_ignored() {
    let folder = Folder::new();
    let mut chip = Chip::coordinates(Size { width: 20, height: 12 }, 7);
    chip.image.mapv_inplace(|value| value + 100);
    chip.image.index_axis_mut(Axis(0), 0).column_mut(4).fill(0);
    chip.nodata = Some(0.0);
    let set = single(&folder, chip);
    let (_, valid, label) = set.read(0, Window::whole(set.size(0))).expect("readable");
    assert!(valid.indexed_iter().all(|((_, x), &valid)| valid == (x != 4)));
    assert_eq!(label[[0, 4]], 1);
    let sample = sample(&set, &plain(), &imagenet(), 0, 32, 0).expect("a sample");
    for ((y, x), &label) in sample.label.indexed_iter() {
        let nothing = x >= 20 || y >= 12 || x == 4;
        assert_eq!(label == 255, nothing, "at {x}, {y}");
        let pixel: Vec<_> = (0..3).map(|c| sample.image[[c, y, x]]).collect();
        assert_eq!(pixel == [0.0; 3], nothing, "at {x}, {y}");
        if !nothing {
            let expected = (f64::from(x as u8 + 100) / 255.0 - 0.485) / 0.229;
            assert!((f64::from(pixel[0]) - expected).abs() < 1e-5);
        }
    }
}

#[test]
fn changes_of_color_leave_labels_and_stay_within_bytes() {
    let folder = Folder::new();
    let set = single(&folder, Chip::coordinates(Size::square(40), 200));
    let colored = AugmentSettings { photometric: true, ..plain() };
    let mut changed = 0;
    for number in 0..40 {
        let with = sample(&set, &colored, &identity(3), 2, 24, number);
        // White is 1 for this scale: everything from 1 on is cut off, so the labels alone can be compared.
        let without = sample(&set, &plain(), &identity(3), 2, 24, number).expect("a sample");
        assert_eq!(with.expect("a sample").label, without.label);
        let bytes = InputScale { divide: 255.0, mean: vec![0.0; 3], std: vec![1.0; 3] };
        let image = sample(&set, &colored, &bytes, 2, 24, number).expect("a sample").image;
        assert!(image.iter().all(|value| (0.0..=1.0).contains(value)));
        changed += usize::from(image.mapv(|value| (value * 255.0).round()) != without.image);
    }
    assert!(changed > 30);
}

#[test]
fn an_unreadable_chip_is_told_in_its_place_and_the_stream_goes_on() {
    let folder = Folder::new();
    let set = Arc::new(five(&folder));
    std::fs::write(folder.path("chips/images/2.tif"), "broken").expect("written");
    let plan = LoaderPlan { batch: 1, workers: 3, ..PLAN };
    let mut loader = Loader::start(Arc::clone(&set), plain(), identity(3), plan).expect("starts");
    let outcomes: Vec<_> = (0..10).map(|_| loader.next()).collect();
    for epoch in outcomes.chunks(5) {
        assert_eq!(epoch.iter().filter(|outcome| outcome.is_err()).count(), 1);
    }
    assert_eq!(outcomes[9].as_ref().map_or(9, |batch| batch.first_sample), 9);
}

#[test]
fn a_dropped_loader_ends_with_its_queue_full_or_empty() {
    let folder = Folder::new();
    let set = Arc::new(five(&folder));
    for (queue, pause) in [(1, 100), (3, 0), (50, 10)] {
        let (told, done) = mpsc::channel();
        let set = Arc::clone(&set);
        std::thread::spawn(move || {
            let plan = LoaderPlan { workers: 4, queue, ..PLAN };
            let loader = Loader::start(set, wild(), imagenet(), plan).expect("starts");
            std::thread::sleep(Duration::from_millis(pause));
            drop(loader);
            told.send(()).expect("heard");
        });
        done.recv_timeout(Duration::from_secs(20)).expect("the loader ended");
    }
}

#[test]
fn what_cannot_work_is_refused_before_a_thread_starts() {
    let folder = Folder::new();
    let set = Arc::new(five(&folder));
    let start = |scale, plan| Loader::start(Arc::clone(&set), wild(), scale, plan).map(drop);
    for (scale, plan, key) in [
        (identity(2), PLAN, "mean"),
        (InputScale { std: vec![0.0; 3], ..identity(3) }, PLAN, "std"),
        (InputScale { divide: 0.0, ..identity(3) }, PLAN, "divide"),
        (identity(3), LoaderPlan { crop: 0, ..PLAN }, "crop"),
        (identity(3), LoaderPlan { batch: 0, ..PLAN }, "batch"),
    ] {
        assert!(
            matches!(start(scale, plan), Err(Error::Setting { key: named, .. }) if named == key),
            "{key}"
        );
    }
}
