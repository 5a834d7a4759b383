//! What a folder of chips must be to be learned from.

use crate::fixture::{Folder, Listener, palette_patch, ramp, truth};
use crate::training_fixture::{Chip, classes, five, open, remove, write, write_manifest};
use seg_data::{AbsentClasses, ChipSet, DataSettings, Error, Split, check_chips, tile};
use seg_grid::{Silent, Size, Window};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn open_with(
    folder: &Folder,
    classes: &[String],
    bands: usize,
    settings: &DataSettings,
) -> Result<ChipSet, Error> {
    ChipSet::open(&folder.path("chips"), Split::Train, classes, bands, settings)
}

fn hint(error: &Error) -> String {
    error.hint().unwrap_or_default()
}

#[test]
fn what_tile_writes_is_read_as_it_was() {
    let folder = Folder::new();
    let size = Size { width: 96, height: 64 };
    let image = folder.raster("a.tif", size, None, (1..4).map(|step| ramp(size, step)).collect());
    let colors = [[10, 200, 10], [0, 0, 255], [90, 90, 90]];
    let labels = folder.patch("truth.tif", palette_patch(size, truth(size), &colors), None);
    for png in [false, true] {
        let mut job = folder.labeled_job(&image, &labels);
        job.out = folder.path(if png { "png" } else { "chips" });
        if png {
            job.format = seg_gdal::ChipFormat::Png;
        }
        let summary = tile(&job, &Silent).expect("tiled");
        let set =
            ChipSet::open(&job.out, Split::Train, &classes(), 3, &DataSettings::default()).expect("a set");
        assert_eq!(Some(&set.len()), summary.chips.get(&Split::Train));
        check_chips(&set, &Silent).expect("in order");
        let mut pixels = vec![0; 3];
        for index in 0..set.len() {
            let (values, valid, label) = set.read(index, Window::whole(set.size(index))).expect("readable");
            assert_eq!((values.dim(), label.dim()), ((3, 32, 32), (32, 32)));
            assert!(valid.iter().all(|&valid| valid));
            let window = set.chip(index).window;
            for ((y, x), &label) in label.indexed_iter() {
                let expected = [1, 0, 2][usize::from(truth(size)[(window.y + y) * 96 + window.x + x])];
                assert_eq!(label, expected);
                pixels[usize::from(label)] += 1;
            }
            let part = set.read(index, Window { x: 3, y: 5, width: 7, height: 4 }).expect("readable").2;
            assert_eq!(part[[0, 0]], label[[5, 3]]);
            assert!(matches!(
                set.read(index, Window { x: 30, y: 0, width: 7, height: 4 }),
                Err(Error::OutsideChip { .. })
            ));
        }
        assert_eq!(set.class_pixels(), pixels);
    }
}

#[test]
fn folders_without_chips_say_how_to_make_them() {
    let folder = Folder::new();
    let error = open_with(&folder, &classes(), 3, &DataSettings::default()).expect_err("nothing there");
    assert!(matches!(error, Error::NoManifest { .. }) && hint(&error).contains("rs-seg tile"), "{error}");
    let size = Size::square(16);
    write(&folder, &[Chip { label: None, ..Chip::coordinates(size, 0) }, Chip::coordinates(size, 1)]);
    let error = open(&folder).expect_err("no label");
    assert!(matches!(error, Error::UnlabeledChips { chips: 1, of: 2, .. }), "{error}");
    let settings = DataSettings { exclude: names(&["^scene0"]), ..DataSettings::default() };
    assert_eq!(open_with(&folder, &classes(), 3, &settings).expect("one is left").len(), 1);
}

#[test]
fn an_empty_split_tells_which_are_not() {
    let folder = Folder::new();
    write(&folder, &[Chip { split: Split::Val, ..Chip::coordinates(Size::square(16), 0) }]);
    let error = open(&folder).expect_err("no training chip");
    assert!(hint(&error).contains("0 train, 1 val, 0 test"), "{}", hint(&error));
    let settings = DataSettings { train: Split::Val, exclude: names(&["scene"]), ..DataSettings::default() };
    let path = folder.path("chips");
    let error = ChipSet::open(&path, Split::Val, &classes(), 3, &settings).expect_err("all left out");
    assert!(matches!(error, Error::EmptySplit { excluded: 1, .. }), "{error}");
    // Patterns are for training: another split keeps its chips.
    let settings = DataSettings { train: Split::Train, ..settings };
    assert_eq!(ChipSet::open(&path, Split::Val, &classes(), 3, &settings).expect("a set").len(), 1);
    let settings = DataSettings { exclude: names(&["("]), ..DataSettings::default() };
    assert!(matches!(open_with(&folder, &classes(), 3, &settings), Err(Error::ExcludePattern { .. })));
}

#[test]
fn classes_must_be_those_of_the_labels() {
    let folder = Folder::new();
    let set = five(&folder);
    assert!(set.check_all_classes_occur().is_ok());
    let refused = |list: &[&str]| {
        open_with(&folder, &names(list), 3, &DataSettings::default()).expect_err("other classes")
    };
    let error = refused(&["water", "field", "road", "car"]);
    assert!(error.to_string().contains("the class car"), "{error}");
    assert!(hint(&error).contains("car; the labels have field, water, road"), "{}", hint(&error));
    let error = refused(&["water", "road"]);
    assert!(error.to_string().contains("the class field"), "{error}");
    assert!(matches!(error, Error::ClassesNotInModel { .. }));
}

#[test]
fn a_class_that_comes_nowhere_is_refused_unless_allowed() {
    let folder = Folder::new();
    let mut chip = Chip::coordinates(Size::square(16), 0);
    chip.label = chip.label.map(|label| label.mapv(|id| if id == 2 { 255 } else { id }));
    write(&folder, &[chip]);
    let set = open(&folder).expect("a set");
    assert_eq!(set.class_pixels()[2], 0);
    let error = set.check_all_classes_occur().expect_err("no road");
    assert_eq!(error.to_string(), "no train chip shows the class road");
    let settings = DataSettings { absent_classes: AbsentClasses::Allow, ..DataSettings::default() };
    open_with(&folder, &classes(), 3, &settings).expect("a set").check_all_classes_occur().expect("allowed");
}

#[test]
fn bands_are_chosen_by_number_and_missing_ones_refused() {
    let folder = Folder::new();
    five(&folder);
    let bands = |bands: &[usize]| DataSettings { bands: Some(bands.to_vec()), ..DataSettings::default() };
    let set = open_with(&folder, &classes(), 2, &bands(&[2, 1])).expect("a set");
    let (values, ..) = set.read(0, Window { x: 3, y: 9, width: 1, height: 1 }).expect("readable");
    assert_eq!(values.into_raw_vec_and_offset().0, [9.0, 3.0]);
    for (numbers, needed) in [(vec![1], 2), (vec![0, 1], 2)] {
        let error = open_with(&folder, &classes(), needed, &bands(&numbers)).expect_err("no such choice");
        assert!(matches!(error, Error::Setting { key: "bands", .. }), "{error}");
    }
    for (settings, needed) in [(bands(&[1, 2, 3, 4]), 4), (DataSettings::default(), 5)] {
        let error = open_with(&folder, &classes(), needed, &settings).expect_err("too few bands");
        assert!(
            matches!(error, Error::ChipBands { .. }) && hint(&error).contains("bands = [1, 2"),
            "{error}"
        );
    }
}

#[test]
fn damaged_sets_are_found_before_training() {
    let folder = Folder::new();
    let size = Size::square(16);
    let mut records = write(&folder, &[Chip::coordinates(size, 0), Chip::coordinates(size, 1)]);
    let set = open(&folder).expect("a set");
    check_chips(&set, &Silent).expect("in order");

    let mut odd = Chip::coordinates(size, 1);
    odd.label = odd.label.map(|label| label.mapv(|id| if id == 1 { 77 } else { id }));
    write(&folder, &[Chip::coordinates(size, 0), odd]);
    let error = check_chips(&set, &Silent).expect_err("an id without a class");
    assert!(
        error.to_string().ends_with("labels/1.tif has ids that legend.toml does not have: 77"),
        "{error}"
    );

    let mut small = Chip::coordinates(size, 1);
    small.label = Chip::coordinates(Size::square(12), 1).label;
    write(&folder, &[Chip::coordinates(size, 0), small]);
    let error = check_chips(&set, &Silent).expect_err("another size");
    assert!(matches!(error, Error::ChipSize { .. }) && !hint(&error).is_empty(), "{error}");

    records[1].label = Some(records[1].image.clone());
    write_manifest(&folder, &records);
    let error = check_chips(&open(&folder).expect("a set"), &Silent).expect_err("an image as a label");
    assert!(matches!(error, Error::NotALabelChip { .. }), "{error}");

    remove(&folder.path("chips/images/1.tif"));
    assert!(matches!(open(&folder), Err(Error::MissingChip { .. })));
    let stopped = check_chips(&set, &Listener::cancelling_after(0));
    assert!(matches!(stopped, Err(Error::Cancelled)));
}
