use crate::fixture::{Folder, assert_measured_alike, collection, name, open};
use crate::outputs::{classes, spec, write_raster};
use seg_gdal::{BandSelection, Content, Error, GeoRaster, GridReference, OutputFormat, Probe};
use seg_grid::{RasterSource, Size, Window};
use std::path::Path;
use std::time::{Duration, Instant};

/// Files that cannot be used, and why.
const REFUSED: [(&str, Why); 26] = [
    ("gdal__cfloat32.tif", Why::Complex),
    ("gdal__rgbsmall_JXL.tif", Why::Open),
    ("gdal__byte_buggy_packbits.tif", Why::Block),
    ("gdal__byte_zstd_corrupted.tif", Why::Block),
    ("gdal__corrupted_deflate_singlestrip.tif", Why::Block),
    ("gdal__corrupted_gtiff_tags.tif", Why::Block),
    ("gdal__excessive-memory-TIFFFillStrip.tif", Why::Block),
    ("gdal__excessive-memory-TIFFFillStrip2.tif", Why::Block),
    ("gdal__excessive-memory-TIFFFillTile.tif", Why::Block),
    ("gdal__huge-number-strips.tif", Why::Implausible),
    ("gdal__hugeblocksize.tif", Why::Open),
    ("gdal__missing_tilebytecounts_and_offsets.tif", Why::Block),
    ("gdal__tiled_bad_offset.tif", Why::Block),
    ("gdal__uint33.tif", Why::Open),
    ("gdal__unknown_compression.tif", Why::Open),
    ("gdal__ycbcr_14_lzw.tif", Why::Block),
    ("gdal__zackthecat_corrupted.tif", Why::Block),
    ("imagetiff__colormap-shl-overflow.tiff", Why::Open),
    ("imagetiff__graydepth-invert-overflow-5a0aad5024cc4ff3.tiff", Why::Open),
    ("imagetiff__sample-get-lzw-stuck.tiff", Why::Block),
    ("nodegdal__truncated.tiff", Why::Block),
    ("gdal__bigtiff_header_extract.tif", Why::Implausible),
    ("gdal__huge_raster_with_ovr_huge_block.tif", Why::Implausible),
    ("gdal__strip_larger_than_2GB_header.tif", Why::Implausible),
    ("gdal__tiff_dos_strip_chop.tif", Why::Implausible),
    ("nodegdal__huge-sparse.tiff", Why::Implausible),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// GDAL cannot open it.
    Open,
    /// Its values are complex.
    Complex,
    /// A block cannot be read.
    Block,
    /// It claims more than it can hold.
    Implausible,
}

impl Why {
    fn of(error: &Error) -> Option<Self> {
        match error {
            Error::OpenRaster { .. } => Some(Self::Open),
            Error::ComplexBand { .. } => Some(Self::Complex),
            Error::ReadBlock { .. } => Some(Self::Block),
            Error::Implausible { .. } => Some(Self::Implausible),
            _ => None,
        }
    }
}

fn open_and_probe(path: &Path) -> Result<GeoRaster, Error> {
    let mut raster = open(path, BandSelection::All)?;
    raster.probe(Probe::Sample)?;
    Ok(raster)
}

#[test]
fn every_raster_opens_or_is_refused_by_name() {
    for path in collection() {
        let start = Instant::now();
        let outcome = open_and_probe(&path);
        let name = name(&path);
        let expected = REFUSED.iter().find(|(file, _)| *file == name).map(|(_, why)| *why);
        match outcome {
            Ok(mut raster) => {
                assert_eq!(expected, None, "{name} opens");
                let Size { width, height } = raster.profile().size;
                let window = Window { x: width / 2, y: height / 2, width: 64, height: 64 };
                raster.read(window).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_measured_alike(&mut raster, window);
                // Rasters smaller than it reach into it; the corner is where collars of nodata lie.
                assert_measured_alike(&mut raster, Window { x: 0, y: 0, ..window });
                if let Ok(mut colors) = open(&path, BandSelection::Auto { needed: 3 }) {
                    assert_measured_alike(&mut colors, Window { x: 0, y: 0, ..window });
                }
            }
            Err(error) => {
                assert_eq!(Why::of(&error), expected, "{name}: {error}");
                assert!(error.to_string().contains(&name), "{error}");
                assert!(std::error::Error::source(&error).is_some() || error.hint().is_some(), "{error}");
            }
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{name} took {:?}", start.elapsed());
    }
}

#[test]
fn outputs_lie_where_their_inputs_do() {
    let folder = Folder::new();
    for path in collection() {
        let Ok(raster) = open(&path, BandSelection::All) else { continue };
        let Size { width, height } = raster.profile().size;
        let corner = Window { x: 0, y: 0, width: width.min(600), height: height.min(600) };
        let reference = GridReference::from(raster.raster_profile()).for_window(corner);
        let format = if width % 2 == 0 { OutputFormat::GTiff } else { OutputFormat::Cog };
        let output = folder.file("out.tif");
        // Finishing fails unless CRS, geotransform and control points read back.
        write_raster(&output, &spec(&reference, Content::Classes, format), classes);
        let back = GridReference::from(open(&output, BandSelection::All).expect("a raster").raster_profile());
        let name = name(&path);
        assert_eq!(back.size, reference.size, "{name}");
        assert_eq!(back.transform.is_some(), reference.transform.is_some(), "{name}");
        assert_eq!(back.gcps.len(), reference.gcps.len(), "{name}");
        assert_eq!(back.rpc.is_empty(), reference.rpc.is_empty(), "{name}");
        let epoch = |r: &GridReference| r.crs.as_ref().map(|crs| (crs.to_string(), crs.epoch()));
        assert_eq!(epoch(&back), epoch(&reference), "{name}");
    }
}
