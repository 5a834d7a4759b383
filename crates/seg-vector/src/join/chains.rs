use super::border::Border;
use crate::Corner;
use crate::trace::{BandTrace, End, Fragments};
use std::collections::VecDeque;

/// Borders that bands have cut, put together again.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    /// Borders that go on below, at each of the columns that the next band begins with.
    open: Vec<Chain>,
    /// Which end of which of them is at each column.
    below: Vec<Link>,
}

/// A border some of whose ends are not known yet.
#[derive(Debug)]
struct Chain {
    pieces: VecDeque<Piece>,
    ends: [End; 2],
    sides: [Option<u32>; 2],
}

#[derive(Debug)]
struct Piece {
    corners: Vec<Corner>,
    is_backward: bool,
}

/// One end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link {
    chain: usize,
    end: usize,
}

impl Link {
    const fn other(self) -> Self {
        Self { chain: self.chain, end: 1 - self.end }
    }
}

impl Chains {
    /// Takes the pieces of the next band and gives back the borders that are whole with it.
    pub(crate) fn step(
        &mut self,
        fragments: &Fragments,
        trace: &BandTrace,
        side: impl Fn(crate::trace::Side) -> Option<u32>,
    ) -> Vec<Border> {
        let mut whole = Vec::new();
        let mut chains: Vec<Option<Chain>> = std::mem::take(&mut self.open).into_iter().map(Some).collect();
        let above = std::mem::take(&mut self.below);
        // What meets at each column of the band's upper edge: the end from above and the one from below.
        let mut meeting = vec![None; trace.top.len()];
        let mut starts = Vec::new();
        let older = chains.len();
        for (chain, open) in chains.iter().enumerate() {
            let ends = open.iter().flat_map(|open| open.ends).enumerate();
            starts.extend(ends.filter(|(_, end)| *end == End::Node).map(|(end, _)| Link { chain, end }));
        }
        for (fragment, corners) in fragments.iter() {
            let sides = [side(fragment.left), side(fragment.right)];
            match fragment.ends {
                [End::Ring, _] | [_, End::Ring] => whole.push(Border::new(corners.to_vec(), true, sides)),
                [End::Node, End::Node] => whole.push(Border::new(corners.to_vec(), false, sides)),
                ends => {
                    let chain = chains.len();
                    for (end, kind) in ends.into_iter().enumerate() {
                        let link = Link { chain, end };
                        match kind {
                            End::Top(x) => set(&trace.top, x, &mut meeting, link),
                            _ => starts.push(link),
                        }
                    }
                    let piece = Piece { corners: corners.to_vec(), is_backward: false };
                    chains.push(Some(Chain { pieces: VecDeque::from([piece]), ends, sides }));
                }
            }
        }
        let links = Links { above: &above, meeting: &meeting, top: &trace.top, chains: &chains, older };
        // Paths from end to end first; what is left over then goes round.
        let mut paths = Vec::new();
        let mut is_taken = vec![false; chains.len()];
        for start in starts {
            if !is_taken[start.chain] {
                paths.push((links.path(start, &mut is_taken), false));
            }
        }
        for chain in 0..chains.len() {
            if !is_taken[chain] {
                paths.push((links.path(Link { chain, end: 0 }, &mut is_taken), true));
            }
        }
        let mut below = vec![None; trace.bottom.len()];
        for (path, goes_round) in paths {
            let Some(chain) = Chain::of(&path, &mut chains) else { continue };
            if goes_round {
                whole.push(Border::new(chain.flat(), true, chain.sides));
            } else if chain.ends == [End::Node; 2] {
                whole.push(Border::new(chain.flat(), false, chain.sides));
            } else {
                for (end, kind) in chain.ends.into_iter().enumerate() {
                    if let End::Bottom(x) = kind {
                        set(&trace.bottom, x, &mut below, Link { chain: self.open.len(), end });
                    }
                }
                self.open.push(chain);
            }
        }
        self.below = below.into_iter().flatten().collect();
        whole
    }
}

/// Puts a link to the place of its column.
fn set(columns: &[u32], x: u32, links: &mut [Option<Link>], link: Link) {
    if let Ok(index) = columns.binary_search(&x) {
        links[index] = Some(link);
    }
}

/// What is joined to what in one step.
struct Links<'a> {
    above: &'a [Link],
    meeting: &'a [Option<Link>],
    top: &'a [u32],
    chains: &'a [Option<Chain>],
    /// So many chains are from the bands above.
    older: usize,
}

impl Links<'_> {
    /// The chains from one end on, each with the end by which it is entered.
    fn path(&self, start: Link, is_taken: &mut [bool]) -> Vec<Link> {
        let mut path = Vec::new();
        let mut entered = start;
        loop {
            is_taken[entered.chain] = true;
            path.push(entered);
            match self.joined(entered.other()) {
                Some(next) if !is_taken[next.chain] => entered = next,
                _ => return path,
            }
        }
    }

    /// The end that an end meets at the band's upper edge.
    fn joined(&self, link: Link) -> Option<Link> {
        let end = self.chains.get(link.chain)?.as_ref()?.ends[link.end];
        match end {
            End::Bottom(x) if link.chain < self.older => self.meeting[self.top.binary_search(&x).ok()?],
            End::Top(x) => self.above.get(self.top.binary_search(&x).ok()?).copied(),
            _ => None,
        }
    }
}

impl Chain {
    /// Joins the chains of a path; the longest one stays where it is, so that no corner is moved often.
    fn of(path: &[Link], chains: &mut [Option<Self>]) -> Option<Self> {
        let pieces = |link: &Link| chains[link.chain].as_ref().map_or(0, |chain| chain.pieces.len());
        let base = (0..path.len()).max_by_key(|&i| pieces(&path[i]))?;
        let (before, after) = (&path[..base], &path[base + 1..]);
        // The base keeps its direction; if the path enters it by its end, the path is the other way around.
        let turned = path[base].end == 1;
        let (at_front, at_back): (Vec<Link>, Vec<Link>) = if turned {
            (
                after.iter().map(|link| link.other()).collect(),
                before.iter().rev().map(|link| link.other()).collect(),
            )
        } else {
            (before.iter().rev().copied().collect(), after.to_vec())
        };
        let mut joined = chains[path[base].chain].take()?;
        for link in at_front {
            let chain = chains[link.chain].take()?;
            joined.ends[0] = chain.ends[link.end];
            chain.pieces_from(link.other()).for_each(|piece| joined.pieces.push_front(piece.turned()));
        }
        for link in at_back {
            let chain = chains[link.chain].take()?;
            joined.ends[1] = chain.ends[link.other().end];
            chain.pieces_from(link).for_each(|piece| joined.pieces.push_back(piece));
        }
        Some(joined)
    }

    /// Its pieces in the order of a walk that enters by one of its ends.
    fn pieces_from(self, link: Link) -> Box<dyn Iterator<Item = Piece>> {
        if link.end == 0 {
            Box::new(self.pieces.into_iter())
        } else {
            Box::new(self.pieces.into_iter().rev().map(Piece::turned))
        }
    }

    /// All its corners.
    fn flat(&self) -> Vec<Corner> {
        let mut corners = Vec::with_capacity(self.pieces.iter().map(|piece| piece.corners.len()).sum());
        for piece in &self.pieces {
            if piece.is_backward {
                corners.extend(piece.corners.iter().rev());
            } else {
                corners.extend(&piece.corners);
            }
        }
        corners
    }
}

impl Piece {
    fn turned(self) -> Self {
        Self { is_backward: !self.is_backward, ..self }
    }
}
