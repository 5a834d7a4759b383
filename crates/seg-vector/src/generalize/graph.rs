use super::neighbors::Neighbors;
use crate::Connectedness;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The areas of a raster and how long their common borders are.
#[derive(Debug)]
pub(crate) struct Graph {
    pub areas: Vec<Node>,
    connectedness: Connectedness,
}

/// One area.
#[derive(Debug)]
pub(crate) struct Node {
    /// Itself, or the area that it became part of.
    pub parent: u32,
    pub class: u8,
    pub weight: u64,
    /// The place of its first pixel among those of all areas.
    pub id: u32,
    /// Whether it touches nodata or the edge of the raster.
    pub is_open: bool,
    pub neighbors: Neighbors,
}

impl Graph {
    pub(crate) const fn new(areas: Vec<Node>, connectedness: Connectedness) -> Self {
        Self { areas, connectedness }
    }

    /// The area that an area is part of.
    pub(crate) fn find(&mut self, mut area: u32) -> u32 {
        while self.areas[area as usize].parent != area {
            let above = self.areas[self.areas[area as usize].parent as usize].parent;
            self.areas[area as usize].parent = above;
            area = above;
        }
        area
    }

    fn node(&mut self, area: u32) -> &mut Node {
        &mut self.areas[area as usize]
    }

    /// Merges areas below a weight into the neighbor of the longest border, the smallest first, and equally small ones
    /// in the order of their first pixels; returns how many were merged.
    pub(crate) fn merge_small(&mut self, threshold: u64) -> usize {
        let entry = |index: usize, node: &Node| Reverse((node.weight, node.id, index as u32));
        let small = self
            .areas
            .iter()
            .enumerate()
            .filter(|(index, node)| node.parent as usize == *index && node.weight < threshold);
        let mut queue: BinaryHeap<_> = small.map(|(index, node)| entry(index, node)).collect();
        let mut merged = 0;
        while let Some(Reverse((weight, id, area))) = queue.pop() {
            let node = self.node(area);
            if node.parent != area || (node.weight, node.id) != (weight, id) {
                continue;
            }
            let Some(into) = self.longest(area) else { continue };
            let grown = self.merge(area, into);
            merged += 1;
            let node = &self.areas[grown as usize];
            if node.weight < threshold {
                queue.push(entry(grown as usize, node));
            }
        }
        merged
    }

    /// The neighbor of the longest border, the first of them if there are several.
    fn longest(&self, area: u32) -> Option<u32> {
        let neighbors = self.areas[area as usize].neighbors.iter().filter(|(_, length)| *length > 0);
        let by_length =
            neighbors.max_by_key(|(neighbor, length)| (*length, Reverse(self.areas[*neighbor as usize].id)));
        by_length.map(|(neighbor, _)| neighbor)
    }

    /// Makes an area part of another, whose class it takes, and joins what of that class it touches; returns the whole.
    pub(crate) fn merge(&mut self, area: u32, into: u32) -> u32 {
        let class = self.areas[into as usize].class;
        let alike: Vec<u32> = self.areas[area as usize]
            .neighbors
            .iter()
            .filter(|(_, length)| *length > 0 || self.connectedness == Connectedness::Eight)
            .map(|(neighbor, _)| neighbor)
            .filter(|&neighbor| neighbor != into && self.areas[neighbor as usize].class == class)
            .collect();
        let mut whole = self.absorb(area, into);
        self.node(whole).class = class;
        for neighbor in alike {
            whole = self.absorb(neighbor, whole);
        }
        whole
    }

    /// Makes one area of two, in the place of the one with more neighbors.
    fn absorb(&mut self, a: u32, b: u32) -> u32 {
        let count = |area: u32| self.areas[area as usize].neighbors.len();
        let (keep, drop) = if count(a) > count(b) { (a, b) } else { (b, a) };
        let gone = self.node(drop);
        gone.parent = keep;
        let (weight, id, is_open) = (gone.weight, gone.id, gone.is_open);
        let neighbors = std::mem::take(&mut gone.neighbors);
        for (neighbor, length) in neighbors.iter() {
            self.node(neighbor).neighbors.remove(drop);
            if neighbor != keep {
                self.node(neighbor).neighbors.add(keep, length);
                self.node(keep).neighbors.add(neighbor, length);
            }
        }
        let kept = self.node(keep);
        kept.weight += weight;
        kept.id = kept.id.min(id);
        kept.is_open |= is_open;
        keep
    }
}
