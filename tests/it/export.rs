//! `rs-seg model export`: the same classes with the exported network.

use crate::infer::ids;
use crate::program::rs_seg_in;
use seg_gdal::{BandIndex, BandSelection, GeoRaster, ReadOptions};
use seg_grid::{RasterSource as _, Window};
use std::fs;
use std::path::Path;
use tch::{CModule, Tensor};

/// The scene in examples/data, beside which lies a strip that is smaller than a tile and has pixels without data.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/haiti.tif");
    fs::copy(data, folder.path().join("haiti.tif")).expect("a copy");
    let band = |n: usize| {
        format!(
            "<VRTRasterBand dataType=\"Byte\" band=\"{n}\"><NoDataValue>70</NoDataValue><SimpleSource>\
             <SourceFilename relativeToVRT=\"1\">haiti.tif</SourceFilename><SourceBand>{}</SourceBand>\
             <SrcRect xOff=\"40\" yOff=\"50\" xSize=\"200\" ySize=\"130\"/>\
             <DstRect xOff=\"0\" yOff=\"0\" xSize=\"200\" ySize=\"130\"/></SimpleSource></VRTRasterBand>",
            4 - n
        )
    };
    let bands: String = (1..=3).map(band).collect();
    let vrt = format!("<VRTDataset rasterXSize=\"200\" rasterYSize=\"130\">{bands}</VRTDataset>");
    fs::write(folder.path().join("small.vrt"), vrt).expect("writes");
    folder
}

fn classes(folder: &Path, arguments: &[&str], out: &str) -> Vec<u8> {
    let run = rs_seg_in(folder, &[&["infer"][..], arguments, &["--quiet", "--out", out]].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    ids(&folder.join(out))
}

#[test]
fn the_exported_network_gives_the_classes_of_the_checkpoint_here_and_in_torchscript_alone() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let run = rs_seg_in(folder.path(), &["model", "export", "default", "--out", "net.pt", "--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.json()["outputs"]["network"], "net.pt");
    let toml = fs::read_to_string(path("net.toml")).expect("a description");
    assert!(toml.contains("output = \"probabilities\"") && toml.contains("divide = 1.0"), "{toml}");

    for (raster, bands) in [("haiti.tif", "3,2,1"), ("small.vrt", "1,2,3")] {
        let how = [raster, "--bands", bands, "--tile", "256", "--overlap", "64"];
        let own = classes(folder.path(), &how, &format!("{raster}.own.tif"));
        let exported =
            classes(folder.path(), &[&how[..], &["--model", "net.pt"]].concat(), &format!("{raster}.pt.tif"));
        let differing = own.iter().zip(&exported).filter(|(a, b)| a != b).count();
        // Folding the normalization rounds otherwise where two classes are as likely as each other.
        assert!(differing * 100_000 <= own.len(), "{raster}: {differing} of {} pixels differ", own.len());
        assert!(raster != "small.vrt" || own.contains(&255), "some pixels have no data");
    }

    // libtorch alone, as a script in Python would: one tile of pixels in, the most probable class out.
    let window = Window { x: 64, y: 32, width: 256, height: 192 };
    let bands = [3, 2, 1].map(|band| BandIndex::from_number(band).expect("a band")).to_vec();
    let options = ReadOptions { bands: BandSelection::Explicit(bands), ..ReadOptions::default() };
    let mut scene = GeoRaster::open(&path("haiti.tif").to_string_lossy(), &options).expect("opens");
    let pixels = scene.read(window).expect("reads").expect("data").values;
    let image = Tensor::from_slice(pixels.as_slice().expect("in order")).view([1, 3, 192, 256]); // (B, C, H, W)
    let network = CModule::load(path("net.pt")).expect("loads");
    let found = tch::no_grad(|| network.forward_ts(&[image])).expect("runs");
    assert_eq!(found.size(), [1, 5, 192, 256]);
    let sums = found.sum_dim_intlist(1_i64, false, None::<tch::Kind>) - 1.0; // (B, K, H, W) -> (B, H, W)
    assert!(sums.abs().max().double_value(&[]) < 1e-5, "probabilities");
    let legend = rs_seg_in(folder.path(), &["model", "info", "net.pt", "--json"]).json();
    assert_eq!(legend["classes"].as_array().map(Vec::len), Some(5), "{legend}");
    let place = format!("{},{},{},{}", window.x, window.y, window.width, window.height).replace(',', " ");
    let cut = std::process::Command::new("gdal_translate")
        .args(["-q", "-b", "3", "-b", "2", "-b", "1", "-srcwin"])
        .args(place.split(' '))
        .args(["haiti.tif", "cut.tif"])
        .current_dir(folder.path())
        .status()
        .expect("gdal_translate runs");
    assert!(cut.success());
    let own = classes(folder.path(), &["cut.tif", "--bands", "1,2,3", "--tile", "256"], "cut.classes.tif");
    let seen: Vec<i64> = Vec::try_from(found.argmax(1, false).view([-1])).expect("numbers");
    let differing = own.iter().zip(&seen).filter(|(own, class)| i64::from(**own) != **class).count();
    assert!(differing <= 1, "{differing} of {} pixels differ", own.len());
}

#[test]
fn what_others_read_is_beside_the_network_and_nothing_is_replaced_unasked() {
    let folder = tempfile::tempdir().expect("a folder");
    let export = |more: &[&str]| {
        rs_seg_in(folder.path(), &[&["model", "export", "default", "--out", "my net.pt"][..], more].concat())
    };
    assert_eq!(export(&[]).code, Some(0));
    let json = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(folder.path().join(name)).expect(name)).expect("JSON")
    };
    let metadata = json("my net.metadata.json");
    assert_eq!(
        (&metadata["model_type"], &metadata["tiles_overlap"]),
        (&"\"Segmentor\"".into(), &"25".into())
    );
    assert!(
        metadata["class_names"].as_str().is_some_and(|names| names.contains("\"0\":\"building\"")),
        "{metadata}"
    );
    let item = json("my net.mlm.json");
    assert_eq!(item["properties"]["mlm:framework"], "PyTorch");
    assert_eq!(item["properties"]["mlm:architecture"], "BEMSeg");
    assert_eq!(item["assets"]["model"]["href"], "./my net.pt");
    assert_eq!(
        item["properties"]["mlm:output"][0]["classification:classes"].as_array().map(Vec::len),
        Some(5)
    );
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    assert_eq!(names, ["my net.metadata.json", "my net.mlm.json", "my net.pt", "my net.toml"]);

    let first = fs::read(folder.path().join("my net.pt")).expect("a network");
    fs::remove_file(folder.path().join("my net.pt")).expect("removed");
    let refused = export(&[]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("exists") && refused.stderr.contains("--overwrite"), "{refused:?}");
    assert_eq!(export(&["--overwrite"]).code, Some(0));
    assert_eq!(fs::read(folder.path().join("my net.pt")).expect("a network"), first, "the same bytes");

    let run = rs_seg_in(folder.path(), &["model", "export", "default", "--out", "net.safetensors"]);
    assert!(run.code == Some(1) && run.stderr.contains(".pt"), "{run:?}");
    let run = rs_seg_in(folder.path(), &["model", "export", "my net.pt", "--out", "other.pt"]);
    assert!(run.code == Some(1) && run.stderr.contains("no checkpoint"), "{run:?}");
}
