use super::graph::Graph;

/// No area: what lies outside of all.
const OUTSIDE: usize = usize::MAX;

/// Gives what lies inside of one area alone to that area, if it is below a weight; returns how many holes there were.
///
/// An area encloses others if the way from them to the outside leads through it alone: it is a cut vertex of the graph
/// of neighbors (Hopcroft & Tarjan 1973, doi:10.1145/362248.362272), searched from the outside, to which all areas
/// belong that touch nodata or the raster's edge.
pub(crate) fn fill(graph: &mut Graph, threshold: u64) -> usize {
    let search = Search::of(graph);
    let mut filled = 0;
    let mut position = 0;
    while position < search.order.len() {
        let inner = search.order[position];
        let around = search.parents[inner];
        let encloses = around != OUTSIDE && search.lowest[inner] >= search.numbers[around];
        if encloses && search.weights[inner] < threshold {
            let mut whole = graph.find(around as u32);
            for &area in &search.order[position..position + search.counts[inner]] {
                let area = graph.find(area as u32);
                if area != whole {
                    whole = graph.merge(area, whole);
                }
            }
            filled += 1;
            position += search.counts[inner];
        } else {
            position += 1;
        }
    }
    filled
}

/// A search in depth through all areas.
struct Search {
    /// Areas in the order in which they were met.
    order: Vec<usize>,
    /// The place of each in that order, from 1; the outside has 0.
    numbers: Vec<usize>,
    parents: Vec<usize>,
    /// The first area that can be reached from an area or what was found through it, by one more step.
    lowest: Vec<usize>,
    /// The weight of an area and all that was found through it.
    weights: Vec<u64>,
    /// Their number.
    counts: Vec<usize>,
}

impl Search {
    fn of(graph: &Graph) -> Self {
        let count = graph.areas.len();
        let mut search = Self {
            order: Vec::with_capacity(count),
            numbers: vec![0; count],
            parents: vec![OUTSIDE; count],
            lowest: vec![0; count],
            weights: graph.areas.iter().map(|area| area.weight).collect(),
            counts: vec![1; count],
        };
        // Areas are searched in the order of their first pixels.
        let mut starts: Vec<usize> = (0..count).filter(|&area| graph.areas[area].is_open).collect();
        starts.sort_unstable_by_key(|&area| graph.areas[area].id);
        for start in starts {
            if search.numbers[start] == 0 {
                search.from(graph, start);
            }
        }
        search
    }

    /// Meets an area; one that is open reaches the outside.
    fn meet(&mut self, graph: &Graph, area: usize, parent: usize) -> (usize, Vec<usize>) {
        self.order.push(area);
        self.numbers[area] = self.order.len();
        self.parents[area] = parent;
        self.lowest[area] = if graph.areas[area].is_open { 0 } else { self.order.len() };
        let node = &graph.areas[area];
        let mut neighbors: Vec<usize> =
            node.neighbors.iter().filter(|(_, length)| *length > 0).map(|(n, _)| n as usize).collect();
        // From the end, the last is taken first.
        neighbors.sort_unstable_by_key(|&n| std::cmp::Reverse(graph.areas[n].id));
        (area, neighbors)
    }

    fn from(&mut self, graph: &Graph, start: usize) {
        let mut stack = vec![self.meet(graph, start, OUTSIDE)];
        while let Some((area, neighbors)) = stack.last_mut() {
            let area = *area;
            if let Some(neighbor) = neighbors.pop() {
                if self.numbers[neighbor] == 0 {
                    let met = self.meet(graph, neighbor, area);
                    stack.push(met);
                } else if neighbor != self.parents[area] {
                    self.lowest[area] = self.lowest[area].min(self.numbers[neighbor]);
                }
                continue;
            }
            stack.pop();
            let parent = self.parents[area];
            if parent != OUTSIDE {
                self.lowest[parent] = self.lowest[parent].min(self.lowest[area]);
                self.weights[parent] += self.weights[area];
                self.counts[parent] += self.counts[area];
            }
        }
    }
}
