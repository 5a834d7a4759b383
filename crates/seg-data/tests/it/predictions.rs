//! What is written of the classes that a network sees.

use crate::fixture::{Folder, contents, legend};
use crate::training_fixture::{Chip, five, open, write, write_manifest};
use seg_data::{CompareJob, Error, Existing, LabelFile, PredictionFolder, PredictionStyle, compare};
use seg_gdal::{LabelKind, LabelRaster};
use seg_grid::{Silent, Size, Window};
use seg_label::{Convention, Scores};

#[test]
fn predictions_are_the_legend_s_colors_or_ids_under_the_chips_names() {
    let folder = Folder::new();
    let set = five(&folder);
    for (style, kind) in
        [(PredictionStyle::Colors, LabelKind::Colors), (PredictionStyle::Ids, LabelKind::Ids)]
    {
        let out = folder.path(&format!("{style:?}"));
        let predictions = PredictionFolder::create(&out, Existing::Refuse, &set, style).expect("room");
        let mut job = CompareJob::new(Vec::new(), Vec::new(), 1);
        job.convention = Some(Convention::new(legend()));
        for index in 0..set.len() {
            let (.., truth) = set.read(index, Window::whole(set.size(index))).expect("reads");
            predictions.write(index, &truth).expect("written");
            let label = folder.path("chips").join(set.chip(index).label.as_ref().expect("labeled"));
            let stem =
                set.chip(index).image.trim_start_matches("images/").rsplit_once('.').expect("an ending").0;
            job.predictions.push(out.join(format!("{stem}.png")).to_string_lossy().into_owned());
            job.truths.push(LabelFile::Raster(label.to_string_lossy().into_owned()));
        }
        assert!(!std::path::Path::new(&job.predictions[0]).exists(), "none before all are whole");
        predictions.publish().expect("moved");
        assert_eq!(contents(&out).len(), 5);
        assert_eq!(LabelRaster::open(&job.predictions[0]).expect("opens").kind(), kind);
        // They are read back as any class raster of this legend.
        let matrix = compare(&job, &Silent).expect("compared").total.matrix;
        assert_eq!(Scores::new(&matrix).miou, Some(1.0), "{style:?}");
        let again = PredictionFolder::create(&out, Existing::Refuse, &set, style);
        assert!(matches!(again, Err(Error::PredictionExists { .. })), "{again:?}");
        PredictionFolder::create(&out, Existing::Replace, &set, style).expect("room");
        assert_eq!(contents(&out).len(), 5, "what is not published changes nothing");
    }
}

#[test]
fn an_abandoned_folder_is_gone_and_names_that_collide_are_refused() {
    let folder = Folder::new();
    let set = five(&folder);
    let out = folder.path("out");
    let style = PredictionStyle::Ids;
    drop(PredictionFolder::create(&out, Existing::Refuse, &set, style).expect("room"));
    assert!(!out.exists());
    let among = PredictionFolder::create(&folder.path("chips/images"), Existing::Replace, &set, style);
    assert!(matches!(among, Err(Error::AmongChips { .. })), "{among:?}");
    let mut records = write(&folder, &[Chip::coordinates(Size::square(16), 0)]);
    records.push(records[0].clone());
    write_manifest(&folder, &records);
    let set = open(&folder).expect("a set");
    let error = PredictionFolder::create(&out, Existing::Refuse, &set, style);
    assert!(matches!(error, Err(Error::SameName { .. })), "{error:?}");
}
