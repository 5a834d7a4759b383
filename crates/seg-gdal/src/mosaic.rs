use crate::data_name::DataName;
use crate::mosaic_fit::Layout;
use crate::warp::{Resampling, Warped};
use crate::{Error, GeoRaster, GridReference, Note, Probe, ReadOptions};
use ndarray::{Array2, Array3, Zip, s};
use seg_grid::{GeoTransform, IoError, Patch, RasterSource, Size, SourceProfile, Window};
use std::ops::Range;
use std::sync::Arc;

/// Members that one handle keeps open at most; a process may open some thousand files.
const MOST_OPEN: usize = 32;
/// Bytes of decoded blocks that open members may hold, unless two of them hold more.
const HELD: u64 = 64 << 20;

/// Several rasters on one grid as one: later ones lie over earlier ones where they have data.
///
/// Each member tells by its own nodata, masks and alpha which of its pixels count, as it does alone; so pieces
/// of a raster give what the raster gives. Pixels that no member covers are not valid.
///
/// ```no_run
/// use seg_gdal::{Mosaic, ReadOptions};
/// use seg_grid::{RasterSource, Window};
/// let names = ["west.tif".to_owned(), "east.tif".to_owned()];
/// let mut mosaic = Mosaic::open(&names, &ReadOptions::default())?;
/// let patch = mosaic.read(Window { x: 0, y: 0, width: 512, height: 512 })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Mosaic {
    members: Arc<[Member]>,
    options: ReadOptions,
    grid: GridReference,
    profile: SourceProfile,
    notes: Vec<Note>,
    most_open: usize,
    /// Members that are open, the one used last at the end.
    open: Vec<(usize, GeoRaster)>,
}

#[derive(Debug)]
struct Member {
    name: DataName,
    /// Where it lies in the mosaic.
    window: Window,
}

impl Mosaic {
    /// Opens the members one after another, reads a sample of each, and lays them on the grid of the first.
    ///
    /// # Errors
    /// If one cannot be opened or read, or does not fit the first: another CRS, pixel size, rotation, data type
    /// or set of bands, no geotransform, or pixels that are shifted by a fraction of a pixel.
    pub fn open(names: &[String], options: &ReadOptions) -> Result<Self, Error> {
        let names: Vec<DataName> = names.iter().map(|name| DataName::plain(name)).collect();
        let mut hasher = blake3::Hasher::new();
        let mut layout: Option<Layout> = None;
        let (mut notes, mut profile) = (Vec::new(), None::<SourceProfile>);
        for name in &names {
            let mut raster = GeoRaster::open_named(name, options).or_else(|error| {
                // Other bands than the first has are the better reason.
                match (&mut layout, &error) {
                    (Some(layout), Error::AmbiguousBands { .. } | Error::NoSuchBand { .. }) => {
                        layout.add(&name.profile()?)?;
                        Err(error)
                    }
                    _ => Err(error),
                }
            })?;
            if let Some(layout) = &mut layout {
                layout.add(raster.raster_profile())?;
            } else {
                layout = Some(Layout::new(raster.raster_profile())?);
                notes = raster.notes();
            }
            raster.probe(Probe::Sample)?;
            let own = raster.profile();
            hasher.update(own.fingerprint.as_bytes());
            profile = Some(match profile {
                Some(all) => SourceProfile { block_bytes: all.block_bytes.max(own.block_bytes), ..all },
                None => own.clone(),
            });
        }
        let (Some(layout), Some(profile)) = (layout, profile) else { return Err(Error::NoMembers) };
        let (grid, windows) = layout.finish();
        for window in &windows {
            hasher.update(window.to_string().as_bytes());
        }
        let members: Vec<Member> =
            names.into_iter().zip(windows).map(|(name, window)| Member { name, window }).collect();
        let others = members.len() - 1;
        let most_open = (HELD / profile.block_bytes.max(1)).clamp(2, MOST_OPEN as u64) as usize;
        let profile = SourceProfile {
            block_bytes: profile.block_bytes * most_open.min(members.len()) as u64,
            name: if others == 0 { profile.name } else { format!("{} and {others} more", profile.name) },
            size: grid.size,
            gsd: grid.transform.map(GeoTransform::gsd),
            fingerprint: hasher.finalize().to_hex().to_string(),
            ..profile
        };
        let (members, options) = (members.into(), options.clone());
        Ok(Self { members, options, grid, profile, notes, most_open, open: Vec::new() })
    }

    /// The same on another grid, each member resampled by GDAL as it is read.
    ///
    /// # Errors
    /// If a member cannot be opened, or has values that cannot be resampled.
    pub fn resampled(&mut self, target: &GridReference, how: Resampling) -> Result<Self, Error> {
        let (mut members, mut options) = (Vec::new(), None);
        let mut block_bytes = 0;
        let mut profile = None;
        for index in 0..self.members.len() {
            let shown = self.members[index].name.shown.clone();
            let raster = self.member(index)?;
            let place = GridReference::from(raster.raster_profile());
            let Some(window) = target.window_of(&place, &shown)? else { continue };
            let warped = Warped::new(raster, &target.for_window(window), how)?;
            let own = options.get_or_insert_with(|| Warped::options(raster));
            if profile.is_none() {
                profile = Some(GeoRaster::open_named(&warped.name, own)?.profile().clone());
            }
            block_bytes = block_bytes.max(warped.bytes);
            members.push(Member { name: warped.name, window });
        }
        let (Some(options), Some(first)) = (options, profile) else { return Err(Error::NoMembers) };
        let profile = SourceProfile {
            name: self.profile.name.clone(),
            size: target.size,
            gsd: target.transform.map(GeoTransform::gsd),
            block_bytes: block_bytes + self.profile.block_bytes,
            fingerprint: format!("{} resampled", self.profile.fingerprint),
            ..first
        };
        let (members, grid, notes) = (members.into(), target.clone(), self.notes.clone());
        Ok(Self { members, options, grid, profile, notes, most_open: self.most_open, open: Vec::new() })
    }

    /// Where it lies.
    pub const fn grid(&self) -> &GridReference {
        &self.grid
    }

    /// What a caller should tell the user about the members.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The numbers of the members that touch a window, the uppermost first.
    fn touching(&self, window: Window) -> Vec<usize> {
        let touches = |index: &usize| self.members[*index].window.intersect(window).is_some();
        (0..self.members.len()).rev().filter(touches).collect()
    }

    /// An open member.
    fn member(&mut self, index: usize) -> Result<&mut GeoRaster, Error> {
        let raster = if let Some(place) = self.open.iter().position(|(open, _)| *open == index) {
            self.open.remove(place).1
        } else {
            if self.open.len() >= self.most_open {
                self.open.remove(0);
            }
            let member = &self.members[index];
            let raster = GeoRaster::open_named(&member.name, &self.options)?;
            if raster.profile().size != member.window.size() {
                return Err(Error::MemberChanged { name: member.name.shown.clone() });
            }
            raster
        };
        self.open.push((index, raster));
        // Something was pushed just now.
        self.open.last_mut().map(|(_, raster)| raster).ok_or(Error::NoMembers)
    }

    /// A patch without a valid pixel.
    fn nothing(&self, size: Size) -> Patch {
        Patch {
            values: Array3::zeros((self.profile.bands, size.height, size.width)), // (C, H, W)
            valid: Array2::from_elem((size.height, size.width), false),           // (H, W)
        }
    }
}

impl RasterSource for Mosaic {
    fn profile(&self) -> &SourceProfile {
        &self.profile
    }

    fn read(&mut self, window: Window) -> Result<Option<Patch>, IoError> {
        let Some(inside) = window.clip(self.profile.size) else { return Ok(None) };
        let mut all = self.nothing(window.size());
        let (mut some, mut left) = (false, inside.area());
        for index in self.touching(inside) {
            let place = self.members[index].window;
            let Some(part) = place.intersect(inside) else { continue };
            let Some(patch) = self.member(index)?.read(part.relative_to(place))? else { continue };
            left -= lay_under(&mut all, &patch, part.relative_to(window));
            some = true;
            if left == 0 {
                break;
            }
        }
        Ok(some.then_some(all))
    }

    fn read_decimated(&mut self, window: Window, size: Size) -> Result<Patch, IoError> {
        let mut all = self.nothing(size);
        for index in self.touching(window) {
            let place = self.members[index].window;
            let Some(part) = place.intersect(window) else { continue };
            let within = part.relative_to(window);
            let columns = centers_in(within.x..within.right(), window.width, size.width);
            let rows = centers_in(within.y..within.bottom(), window.height, size.height);
            if columns.is_empty() || rows.is_empty() {
                continue;
            }
            let small = Window { x: columns.start, y: rows.start, width: columns.len(), height: rows.len() };
            let patch = self.member(index)?.read_decimated(part.relative_to(place), small.size())?;
            lay_under(&mut all, &patch, small);
        }
        Ok(all)
    }

    fn reopen(&self) -> Result<Box<dyn RasterSource>, IoError> {
        Ok(Box::new(Self {
            members: Arc::clone(&self.members),
            options: self.options.clone(),
            grid: self.grid.clone(),
            profile: self.profile.clone(),
            notes: self.notes.clone(),
            most_open: self.most_open,
            open: Vec::new(),
        }))
    }
}

/// Puts a patch where nothing lies yet, and says how many pixels it gave.
fn lay_under(all: &mut Patch, patch: &Patch, place: Window) -> u64 {
    let (rows, columns) = place.ranges();
    let mut valid = all.valid.slice_mut(s![rows.clone(), columns.clone()]);
    for (mut to, from) in all.values.outer_iter_mut().zip(patch.values.outer_iter()) {
        let to = to.slice_mut(s![rows.clone(), columns.clone()]);
        Zip::from(to).and(from).and(&valid).and(&patch.valid).for_each(|to, &from, &before, &has| {
            if has && !before {
                *to = from;
            }
        });
    }
    let mut given = 0;
    valid.zip_mut_with(&patch.valid, |valid, &has| {
        given += u64::from(has && !*valid);
        *valid |= has;
    });
    given
}

/// The pixels of a decimated axis whose centers lie in `part` of the axis before.
fn centers_in(part: Range<usize>, length: usize, decimated: usize) -> Range<usize> {
    // Pixel i's center is (i + 1/2) length / decimated: the first with a center at or after `from`.
    let first = |from: usize| (2 * from * decimated).saturating_sub(length).div_ceil(2 * length.max(1));
    first(part.start)..first(part.end).min(decimated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_of_a_picture_comes_from_one_part() {
        for (length, decimated, cut) in [(10, 10, 3), (10, 3, 5), (7, 2, 1), (5, 9, 2), (1, 1, 1)] {
            let (a, b) = (centers_in(0..cut, length, decimated), centers_in(cut..length, length, decimated));
            assert_eq!((a.start, a.end, b.end), (0, b.start, decimated), "{length} to {decimated}");
            for i in 0..decimated {
                let center = (i as f64 + 0.5) * length as f64 / decimated as f64;
                assert_eq!(a.contains(&i), center < cut as f64, "{i} of {length} to {decimated}");
            }
        }
    }
}
