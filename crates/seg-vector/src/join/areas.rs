use super::border::{Border, Use, Way};
use super::chains::Chains;
use super::rings;
use crate::simplify::{Least, Scratch, Simplifier, Stop, Twin};
use crate::trace::{BandTrace, Contact, CornerBits, Part, PartRun, Side, contacts};
use crate::{Area, Connectedness, Corner};
use rayon::prelude::*;
use slab::Slab;
use std::collections::BTreeSet;

/// Puts areas together as bands come in, and gives away each one as soon as no band can add to it.
#[derive(Debug)]
pub(crate) struct Joiner {
    connectedness: Connectedness,
    parts: Slab<PartState>,
    groups: Slab<Group>,
    borders: Slab<Known>,
    /// Borders by their ends, if they are simplified.
    by_ends: BTreeSet<(Corner, Corner, u32)>,
    chains: Chains,
    simplifier: Option<Simplifier>,
    /// The runs of the last row so far, with their parts.
    bottom: Vec<PartRun>,
    /// Parts that reach the last row.
    open: Vec<u32>,
    /// Areas that were found to be whole in the last step, whose borders are all simplified.
    whole: Vec<Whole>,
    step: u32,
    given: u64,
}

/// A part, or one that was found to be the same as another.
#[derive(Debug)]
struct PartState {
    /// Itself, or the part that it was joined to.
    parent: u32,
    part: Part,
    uses: Vec<Use>,
    /// Parts that were joined to it, whose places are free when its own is.
    absorbed: Vec<u32>,
    group: u32,
    /// The last step in which it was looked at.
    stamp: u32,
}

/// Parts that are one area.
#[derive(Debug, Default)]
struct Group {
    parts: Vec<u32>,
    /// How many of them can still grow.
    open: usize,
}

/// A border and how many areas still want it.
#[derive(Debug)]
struct Known {
    border: Border,
    wanted: u8,
}

/// An area that is whole.
#[derive(Debug)]
struct Whole {
    id: u64,
    first: (u32, u32),
    last_row: u32,
    group: u32,
}

impl Joiner {
    pub(crate) fn new(connectedness: Connectedness, simplifier: Option<Simplifier>) -> Self {
        Self {
            connectedness,
            parts: Slab::new(),
            groups: Slab::new(),
            borders: Slab::new(),
            by_ends: BTreeSet::new(),
            chains: Chains::default(),
            simplifier,
            bottom: Vec::new(),
            open: Vec::new(),
            whole: Vec::new(),
            step: 0,
            given: 0,
        }
    }

    /// Takes the next band, the last one or not, and gives back what became of the areas that were whole before it, or
    /// are with the last one; if it was stopped, they are not what they should be.
    pub(crate) fn step<T: Send>(
        &mut self,
        mut trace: BandTrace,
        place: Place,
        stop: Stop<'_>,
        finish: &(impl Fn(Area) -> T + Sync),
    ) -> Vec<T> {
        self.step += 1;
        let ids = self.take_parts(&mut trace);
        let first_row = localized(trace.components.row(0), &ids);
        let pairs: Vec<_> = contacts(&self.bottom, &first_row)
            .filter(|(above, below, _)| above.run.class == below.run.class)
            .map(|(above, below, contact)| (above.part, below.part, contact))
            .collect();
        for (above, below, contact) in pairs {
            match contact {
                Contact::Edge(_) => self.unite(above, below),
                Contact::Corner => self.group(above, below),
            }
        }
        for (a, b) in std::mem::take(&mut trace.components.diagonals) {
            self.group(ids[a as usize], ids[b as usize]);
        }
        let fragments = std::mem::take(&mut trace.fragments);
        let above = std::mem::take(&mut self.bottom);
        let whole = self.chains.step(&fragments, &trace, |side| match side {
            Side::None => None,
            Side::Part(part) => Some(ids[part as usize]),
            Side::Above(run) => Some(above[run as usize].part),
        });
        let added = self.add_borders(whole, trace.vertices.take());
        let last = trace.components.rows() - 1;
        self.bottom = match place {
            Place::Last => Vec::new(),
            Place::Inside => localized(trace.components.row(last), &ids),
        };
        let complete = self.complete(&ids);
        let next = self.whole(complete);
        let now = std::mem::replace(&mut self.whole, next);
        // Borders are simplified while areas that need none of them are finished, so that no thread waits twice.
        let (simplified, mut given) =
            rayon::join(|| self.simplified(&added, stop), || self.finished(&now, finish));
        for (id, corners) in simplified {
            self.borders[id as usize].border.corners = corners;
        }
        self.free(now);
        if place == Place::Last {
            let last = std::mem::take(&mut self.whole);
            given.extend(self.finished(&last, finish));
            self.free(last);
        }
        given
    }

    /// Adds the band's parts.
    fn take_parts(&mut self, trace: &mut BandTrace) -> Vec<u32> {
        let parts = std::mem::take(&mut trace.components.parts);
        parts
            .into_iter()
            .map(|part| {
                let entry = self.parts.vacant_entry();
                let id = entry.key() as u32;
                let group = self.groups.insert(Group { parts: vec![id], open: 1 }) as u32;
                entry.insert(PartState {
                    parent: id,
                    part,
                    uses: Vec::new(),
                    absorbed: Vec::new(),
                    group,
                    stamp: 0,
                });
                id
            })
            .collect()
    }

    fn find(&mut self, mut id: u32) -> u32 {
        while self.parts[id as usize].parent != id {
            let parent = self.parts[id as usize].parent;
            let above = self.parts[parent as usize].parent;
            self.parts[id as usize].parent = above;
            id = above;
        }
        id
    }

    /// As [`Self::find`], for many threads at once.
    fn root(&self, mut id: u32) -> u32 {
        while self.parts[id as usize].parent != id {
            id = self.parts[id as usize].parent;
        }
        id
    }

    /// Makes two parts one.
    fn unite(&mut self, a: u32, b: u32) {
        let (a, b) = (self.find(a), self.find(b));
        if a == b {
            return;
        }
        let weight = |id: u32| {
            let state = &self.parts[id as usize];
            (state.uses.len() + state.absorbed.len(), std::cmp::Reverse(id))
        };
        let (keep, drop) = if weight(a) >= weight(b) { (a, b) } else { (b, a) };
        self.join_groups(keep, drop);
        let gone = &mut self.parts[drop as usize];
        gone.parent = keep;
        let (uses, absorbed) = (std::mem::take(&mut gone.uses), std::mem::take(&mut gone.absorbed));
        let (pixels, first, last_row) = (gone.part.pixels, gone.part.first, gone.part.last_row);
        let (touches_edge, confidence) = (gone.part.touches_edge, gone.part.confidence.take());
        let group = gone.group;
        let kept = &mut self.parts[keep as usize];
        kept.uses.extend(uses);
        kept.absorbed.extend(absorbed);
        kept.absorbed.push(drop);
        kept.part.pixels += pixels;
        kept.part.first = kept.part.first.min(first);
        kept.part.last_row = kept.part.last_row.max(last_row);
        kept.part.touches_edge |= touches_edge;
        if let (Some(kept), Some(more)) = (&mut kept.part.confidence, confidence) {
            kept.merge(&more);
        }
        self.groups[group as usize].open -= 1;
    }

    /// Makes two parts of one area out of parts that touch at a corner.
    fn group(&mut self, a: u32, b: u32) {
        if self.connectedness == Connectedness::Eight {
            let (a, b) = (self.find(a), self.find(b));
            self.join_groups(a, b);
        }
    }

    /// Makes one group of those of two parts.
    fn join_groups(&mut self, a: u32, b: u32) {
        let (a, b) = (self.parts[a as usize].group, self.parts[b as usize].group);
        if a == b {
            return;
        }
        let size = |group: u32| self.groups[group as usize].parts.len();
        let (keep, drop) = if size(a) >= size(b) { (a, b) } else { (b, a) };
        let gone = self.groups.remove(drop as usize);
        for &part in &gone.parts {
            self.parts[part as usize].group = keep;
        }
        let kept = &mut self.groups[keep as usize];
        kept.parts.extend(gone.parts);
        kept.open += gone.open;
    }

    /// Keeps borders until the areas on both sides are given away.
    fn add_borders(&mut self, mut borders: Vec<Border>, vertices: Option<CornerBits>) -> Vec<u32> {
        if let (Some(simplifier), Some(vertices)) = (&mut self.simplifier, vertices) {
            simplifier.add_rows(&vertices);
        }
        for border in &mut borders {
            border.sides = border.sides.map(|side| side.map(|id| self.find(id)));
        }
        let mut added = Vec::with_capacity(borders.len());
        for border in borders {
            let sides = border.sides;
            let wanted = sides.iter().flatten().count() as u8;
            let ends = border.ends().filter(|_| self.simplifier.is_some());
            let id = self.borders.insert(Known { border, wanted }) as u32;
            self.by_ends.extend(ends.map(|(start, end)| (start, end, id)));
            added.push(id);
            for (side, way) in sides.into_iter().zip([Way::Forward, Way::Backward]) {
                if let Some(part) = side {
                    self.parts[part as usize].uses.push(Use { border: id, way });
                }
            }
        }
        added
    }

    /// Simplifies new borders, each for both its areas, and gives the corners of those that lost some.
    fn simplified(&self, added: &[u32], stop: Stop<'_>) -> Vec<(u32, Vec<Corner>)> {
        let Some(simplifier) = &self.simplifier else { return Vec::new() };
        added
            .par_iter()
            .map_init(Scratch::default, |scratch, &id| {
                let border = &self.borders[id as usize].border;
                let least = Least::of(border, self.twin(id));
                Some((id, simplifier.simplify(border, least, scratch, stop)?))
            })
            .flatten_iter()
            .collect()
    }

    /// Whether another border with the same ends closes an area with this one, and comes before it; were both made
    /// straight, that area would be gone.
    ///
    /// Such an area ends above the lowest corner of one of the two, so all of it is known by now, whatever the bands.
    fn twin(&self, id: u32) -> Twin {
        let border = &self.borders[id as usize].border;
        let Some((start, end)) = border.ends() else { return Twin::None };
        let order = |border: &Border| (border.lowest, border.is_bent, border.headings[0]);
        let others = || self.by_ends.range((start, end, 0)..=(start, end, u32::MAX));
        let is_closed = border.sides.iter().flatten().any(|&side| {
            self.parts[side as usize].part.last_row < border.lowest
                && others().any(|&(.., other)| {
                    let other = &self.borders[other as usize].border;
                    order(other) < order(border)
                        && other.sides.iter().flatten().any(|&part| self.root(part) == side)
                })
        });
        if is_closed { Twin::Earlier } else { Twin::None }
    }

    /// Parts that end above the last row so far; the others stay open.
    fn complete(&mut self, ids: &[u32]) -> Vec<u32> {
        let step = self.step;
        let mut open = Vec::new();
        for index in 0..self.bottom.len() {
            let root = self.find(self.bottom[index].part);
            if std::mem::replace(&mut self.parts[root as usize].stamp, step) != step {
                open.push(root);
            }
        }
        let mut complete = Vec::new();
        for id in std::mem::replace(&mut self.open, open).into_iter().chain(ids.iter().copied()) {
            let root = self.find(id);
            if std::mem::replace(&mut self.parts[root as usize].stamp, step) != step {
                complete.push(root);
            }
        }
        complete
    }

    /// The areas of complete parts, as far as all parts of the area are complete.
    fn whole(&mut self, complete: Vec<u32>) -> Vec<Whole> {
        let mut whole = Vec::new();
        for part in complete {
            let group = self.parts[part as usize].group;
            self.groups[group as usize].open -= 1;
            if self.groups[group as usize].open == 0 {
                self.groups[group as usize].parts.retain(|part| self.parts[*part as usize].parent == *part);
                let parts =
                    self.groups[group as usize].parts.iter().map(|part| &self.parts[*part as usize].part);
                let first = parts.clone().map(|part| part.first).min().unwrap_or_default();
                let last_row = parts.map(|part| part.last_row).max().unwrap_or_default();
                whole.push(Whole { id: 0, first, last_row, group });
            }
        }
        whole.sort_unstable_by_key(|area| (area.last_row, area.first));
        for area in &mut whole {
            self.given += 1;
            area.id = self.given;
        }
        whole
    }

    fn finished<T: Send>(&self, whole: &[Whole], finish: &(impl Fn(Area) -> T + Sync)) -> Vec<T> {
        whole.par_iter().map(|area| finish(self.area(area))).collect()
    }

    fn area(&self, area: &Whole) -> Area {
        let mut members: Vec<&PartState> =
            self.groups[area.group as usize].parts.iter().map(|part| &self.parts[*part as usize]).collect();
        members.sort_unstable_by_key(|state| state.part.first);
        let mut confidence: Option<crate::Confidence> = None;
        for state in &members {
            if let Some(more) = &state.part.confidence {
                confidence.get_or_insert_default().merge(more);
            }
        }
        let border = |id: u32| self.borders.get(id as usize).map(|known| &known.border);
        Area {
            id: area.id,
            class: members.first().map_or(crate::NO_CLASS, |state| state.part.class),
            polygons: members.iter().map(|state| rings::polygon(&state.uses, border)).collect(),
            pixels: members.iter().map(|state| state.part.pixels).sum(),
            touches_edge: members.iter().any(|state| state.part.touches_edge),
            confidence: confidence.and_then(|confidence| confidence.summary()),
        }
    }

    /// Forgets areas, and the borders that no other area wants.
    fn free(&mut self, whole: Vec<Whole>) {
        for part in whole.into_iter().flat_map(|area| self.groups.remove(area.group as usize).parts) {
            let state = self.parts.remove(part as usize);
            for each in state.uses {
                let known = &mut self.borders[each.border as usize];
                known.wanted -= 1;
                // The part's place may be another's soon.
                match each.way {
                    Way::Forward => known.border.sides[0] = None,
                    Way::Backward => known.border.sides[1] = None,
                }
                if known.wanted == 0 {
                    let gone = self.borders.remove(each.border as usize).border;
                    if let Some((start, end)) = gone.ends() {
                        self.by_ends.remove(&(start, end, each.border));
                    }
                }
            }
            for absorbed in state.absorbed {
                self.parts.remove(absorbed as usize);
            }
        }
    }
}

/// Where a band lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Inside,
    Last,
}

fn localized(runs: &[PartRun], ids: &[u32]) -> Vec<PartRun> {
    runs.iter().map(|run| PartRun { part: ids[run.part as usize], ..*run }).collect()
}
