use crate::fixture::{CLASSES, Folder, HALF_METER, geotiff, open_all};
use ndarray::{Array3, s};
use seg_gdal::{
    ClassEntry, Content, ControlPoint, Crs, Error, GridReference, OutputFormat, RasterSpec, RasterWriter,
};
use seg_grid::{Block, GeoTransform, RasterSource, Size, Window};
use std::path::Path;
use std::process::Command;

pub(crate) fn spec(reference: &GridReference, content: Content, format: OutputFormat) -> RasterSpec<'_> {
    RasterSpec { reference, content, classes: &CLASSES, format, creation_options: &[], metadata: &[] }
}

/// Writes a raster in strips of 512 rows and gives it its name.
pub(crate) fn write_raster(path: &Path, spec: &RasterSpec<'_>, block: impl Fn(Window) -> Block) {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let mut writer = RasterWriter::create(Path::new(&part), spec).expect("created");
    let Size { width, height } = spec.reference.size;
    for y in (0..height).step_by(512) {
        let window = Window { x: 0, y, width, height: 512.min(height - y) };
        writer.write(window, &block(window)).expect("written");
    }
    writer.finish().expect("finished").rename(path).expect("renamed");
}

pub(crate) fn classes(window: Window) -> Block {
    let shape = (1, window.height, window.width);
    Block::U8(Array3::from_shape_fn(shape, |(_, y, x)| [0, 1, 4, 255][(x / 3 + window.y + y) % 4]))
}

fn placed(size: Size) -> GridReference {
    GridReference {
        crs: Some(Crs::parse("EPSG:32633").expect("a CRS")),
        transform: Some(GeoTransform::from_gdal(HALF_METER)),
        ..GridReference::unplaced(size)
    }
}

pub(crate) fn info(path: &Path) -> serde_json::Value {
    let output =
        Command::new("gdalinfo").args(["-json", "-stats"]).arg(path).output().expect("gdalinfo runs");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn classes_come_back_with_names_and_colors() {
    let folder = Folder::new();
    let reference = placed(Size { width: 700, height: 1100 });
    for format in [OutputFormat::GTiff, OutputFormat::Cog] {
        let path = folder.file("classes.tif");
        write_raster(&path, &spec(&reference, Content::Classes, format), classes);
        let raster = open_all(&path);
        let profile = raster.raster_profile();
        assert_eq!(GridReference::from(profile), reference);
        let band = &profile.bands[0];
        assert_eq!((band.nodata, band.block), (Some(255.0), Size::square(512)));
        assert_eq!(band.palette.as_ref().unwrap().entries[4], [255, 255, 0, 255]);
        let whole = Window::whole(reference.size);
        let Block::U8(expected) = classes(whole) else { unreachable!("bytes") };
        let seg_gdal::RawValues::UInt8(values) = &raster.read_raw(whole).unwrap().bands[0].1 else {
            panic!("bytes")
        };
        assert!(values.iter().eq(expected.iter()));
        let info = info(&path);
        assert_eq!(info["bands"][0]["colorInterpretation"], "Palette");
        assert_eq!(info["metadata"][""]["AREA_OR_POINT"], "Area");
        assert_eq!(info["metadata"]["IMAGE_STRUCTURE"]["COMPRESSION"], "DEFLATE");
        assert_eq!(info["rat"]["row"][0]["f"][1], "low & <wet>");
        let text = Command::new("gdalinfo").arg(&path).output().unwrap().stdout;
        assert!(String::from_utf8(text).unwrap().contains("0: low & <wet>"));
        assert_eq!(folder.names(), ["classes.tif", "classes.tif.aux.xml"], "nothing else is left");
        if format == OutputFormat::Cog {
            assert_eq!(info["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"], "COG");
            assert_eq!(info["bands"][0]["overviews"].as_array().unwrap().len(), 2);
        }
    }
}

#[test]
fn the_same_blocks_make_the_same_bytes() {
    let folder = Folder::new();
    let reference = placed(Size { width: 1300, height: 1100 });
    for format in [OutputFormat::GTiff, OutputFormat::Cog] {
        let bytes = |name: &str| {
            write_raster(&folder.file(name), &spec(&reference, Content::Classes, format), classes);
            (
                std::fs::read(folder.file(name)).unwrap(),
                std::fs::read(folder.file(&format!("{name}.aux.xml"))).unwrap(),
            )
        };
        assert!(bytes("a.tif") == bytes("b.tif"), "{format:?}");
    }
}

#[test]
fn probabilities_are_bands_named_like_classes() {
    let folder = Folder::new();
    let reference = placed(Size { width: 600, height: 530 });
    let four: Vec<ClassEntry<'_>> = ["a", "b", "c", "d"]
        .into_iter()
        .zip(0..)
        .map(|(name, id)| ClassEntry { id, name, color: [id; 3] })
        .collect();
    for format in [OutputFormat::GTiff, OutputFormat::Cog] {
        let path = folder.file("p.tif");
        let bytes = RasterSpec { classes: &four, ..spec(&reference, Content::ProbabilitiesU8, format) };
        write_raster(&path, &bytes, |w| Block::U8(Array3::from_elem((4, w.height, w.width), 127)));
        let mut raster = open_all(&path);
        assert_eq!(raster.profile().bands, 4, "{format:?}: the fourth class is not alpha");
        let names: Vec<_> = raster.raster_profile().bands.iter().map(|b| b.description.clone()).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        let floats = spec(&reference, Content::ProbabilitiesF32, format);
        write_raster(&path, &floats, |w| {
            let mut values = Array3::from_elem((3, w.height, w.width), 0.25);
            values.slice_mut(s![.., 0, 0]).fill(f32::NAN);
            Block::F32(values)
        });
        raster = open_all(&path);
        let patch = raster.read(Window { x: 0, y: 0, width: 2, height: 2 }).unwrap().unwrap();
        assert_eq!((patch.values[[2, 1, 1]], patch.valid[[0, 0]], patch.valid[[0, 1]]), (0.25, false, true));
        assert!(!folder.names().contains(&"p.tif.aux.xml".to_owned()));
    }
}

#[test]
fn columns_can_be_written_one_after_the_other() {
    let folder = Folder::new();
    let reference = placed(Size { width: 1200, height: 600 });
    let (path, part) = (folder.file("a.tif"), folder.file("a.tif.part"));
    let mut writer =
        RasterWriter::create(&part, &spec(&reference, Content::Classes, OutputFormat::GTiff)).unwrap();
    let whole = Window::whole(reference.size);
    let Block::U8(all) = classes(whole) else { unreachable!("bytes") };
    for (x, y) in [(0, 0), (512, 0), (1024, 0), (0, 512), (512, 512), (1024, 512)] {
        let window = Window { x, y, width: 512, height: 512 }.clip(reference.size).unwrap();
        let (rows, columns) = window.ranges();
        writer.write(window, &Block::U8(all.slice(s![.., rows, columns]).to_owned())).unwrap();
    }
    writer.finish().unwrap().rename(&path).unwrap();
    let seg_gdal::RawValues::UInt8(values) = open_all(&path).read_raw(whole).unwrap().bands.remove(0).1
    else {
        panic!("bytes")
    };
    assert!(values.iter().eq(all.iter()));
}

fn rpc() -> Vec<String> {
    let coefficients = |name: &str| format!("{name}_COEFF={}", vec!["0.5"; 20].join(" "));
    let mut items: Vec<String> = ["LINE_NUM", "LINE_DEN", "SAMP_NUM", "SAMP_DEN"].map(coefficients).to_vec();
    for name in ["LINE", "SAMP", "LAT", "LONG", "HEIGHT"] {
        items.extend([format!("{name}_OFF=10"), format!("{name}_SCALE=20")]);
    }
    items
}

#[test]
fn places_of_all_kinds_survive() {
    let folder = Folder::new();
    let size = Size { width: 30, height: 20 };
    let crs = |text: &str| Some(Crs::parse(text).unwrap());
    let points: Vec<ControlPoint> =
        [(0.0, 0.0, 13.0, 52.0), (30.0, 0.5, 13.1, 52.0), (2.25, 20.0, 13.0, 51.9)]
            .into_iter()
            .zip(1..)
            .map(|((column, row, x, y), n)| ControlPoint {
                id: n.to_string(),
                info: String::new(),
                column,
                row,
                x,
                y,
                z: 3.0,
            })
            .collect();
    let unplaced = GridReference::unplaced(size);
    let transform = |terms| Some(GeoTransform::from_gdal(terms));
    let references = [
        ("nowhere", unplaced.clone()),
        ("no CRS", GridReference { transform: transform(HALF_METER), ..unplaced.clone() }),
        ("CRS only", GridReference { crs: crs("EPSG:32633"), ..unplaced.clone() }),
        (
            "rotated",
            GridReference {
                transform: transform([5e5, 0.4, 0.3, 5e6, 0.3, -0.4]),
                crs: crs("EPSG:25833"),
                ..unplaced.clone()
            },
        ),
        (
            "south up",
            GridReference {
                transform: transform([5e5, 0.5, 0.0, 5e6, 0.0, 0.5]),
                crs: crs("EPSG:25833"),
                ..unplaced.clone()
            },
        ),
        (
            "degrees",
            GridReference {
                transform: transform([13.0, 1e-6, 0.0, 52.0, 0.0, -1e-6]),
                crs: crs("EPSG:4326"),
                ..unplaced.clone()
            },
        ),
        (
            "compound",
            GridReference {
                transform: transform(HALF_METER),
                crs: crs("EPSG:25832+7837"),
                ..unplaced.clone()
            },
        ),
        (
            "a CRS that GeoTIFF cannot hold",
            GridReference {
                transform: transform(HALF_METER),
                crs: crs("+proj=ob_tran +o_proj=eqc +o_lon_p=30 +o_lat_p=50 +lon_0=5 +R=6370000"),
                ..unplaced.clone()
            },
        ),
        ("points", GridReference { gcps: points.clone(), gcp_crs: crs("EPSG:4326"), ..unplaced.clone() }),
        ("polynomials", GridReference { rpc: rpc(), ..unplaced.clone() }),
        ("points without CRS", GridReference { gcps: points, ..unplaced }),
    ];
    for (what, reference) in references {
        for format in [OutputFormat::GTiff, OutputFormat::Cog] {
            let path = folder.file("a.tif");
            write_raster(&path, &spec(&reference, Content::Classes, format), classes);
            let back = GridReference::from(open_all(&path).raster_profile());
            assert_eq!(back.transform.is_some(), reference.transform.is_some(), "{what}, {format:?}");
            assert_eq!(back.gcps, reference.gcps, "{what}, {format:?}");
            let same = |a: &Option<Crs>, b: &Option<Crs>| match (a, b) {
                (Some(a), Some(b)) => a.is_same(b),
                (a, b) => a.is_none() && b.is_none(),
            };
            assert!(
                same(&back.crs, &reference.crs),
                "{what}, {format:?}: {:?} {:?}",
                back.crs,
                reference.crs
            );
            assert!(same(&back.gcp_crs, &reference.gcp_crs), "{what}, {format:?}");
            assert_eq!(back.rpc.is_empty(), reference.rpc.is_empty(), "{what}, {format:?}");
        }
    }
}

#[test]
fn nothing_of_the_input_s_profile_is_taken_over() {
    let folder = Folder::new();
    let input = folder.file("in.tif");
    geotiff(
        &input,
        &Array3::from_elem((3, 32, 32), 9_u8),
        &["COMPRESS=JPEG", "PHOTOMETRIC=YCBCR", "TILED=YES"],
        |d| {
            d.set_geo_transform(&HALF_METER).unwrap();
            d.rasterband(1).unwrap().set_no_data_value(Some(0.0)).unwrap();
        },
    );
    let reference = GridReference::from(open_all(&input).raster_profile());
    let path = folder.file("out.tif");
    write_raster(&path, &spec(&reference, Content::Classes, OutputFormat::GTiff), classes);
    let info = info(&path);
    assert_eq!(info["metadata"]["IMAGE_STRUCTURE"]["COMPRESSION"], "DEFLATE");
    assert_eq!(info["bands"][0]["noDataValue"], 255.0);
}

#[test]
fn the_user_s_creation_options_win() {
    let folder = Folder::new();
    let reference = placed(Size { width: 100, height: 90 });
    let options = ["compress=LZW".to_owned(), "TILED=NO".to_owned()];
    let path = folder.file("a.tif");
    let mut spec = spec(&reference, Content::Classes, OutputFormat::GTiff);
    spec.creation_options = &options;
    write_raster(&path, &spec, classes);
    assert_eq!(info(&path)["metadata"]["IMAGE_STRUCTURE"]["COMPRESSION"], "LZW");
    let seg_gdal::RawValues::UInt8(values) =
        open_all(&path).read_raw(Window::whole(reference.size)).unwrap().bands.remove(0).1
    else {
        panic!("bytes")
    };
    let Block::U8(expected) = classes(Window::whole(reference.size)) else { unreachable!("bytes") };
    assert!(values.iter().eq(expected.iter()));
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = Folder::new();
    let reference = GridReference::unplaced(Size::square(8));
    let spec = spec(&reference, Content::Classes, OutputFormat::Cog);
    let mut writer = RasterWriter::create(&folder.file("a.tif"), &spec).unwrap();
    let window = Window::whole(reference.size);
    let error = writer.write(window, &Block::U8(Array3::zeros((2, 8, 8)))).unwrap_err();
    assert!(matches!(error, Error::BlockShape { .. }), "{error}");
    assert!(writer.write(window, &Block::F32(Array3::zeros((1, 8, 8)))).is_err());
    drop(writer);
    assert_eq!(folder.names(), Vec::<String>::new(), "an unfinished COG leaves nothing");
    let error = RasterWriter::create(Path::new("/nowhere/a.tif"), &spec).unwrap_err();
    assert!(error.to_string().starts_with("cannot create raster /nowhere/a.tif"), "{error}");
}
