/// Sets of things that were found to be one, each known by its first member.
#[derive(Debug, Default)]
pub(crate) struct DisjointSets {
    parents: Vec<u32>,
}

impl DisjointSets {
    /// So many things, each a set of its own.
    pub(crate) fn of(count: usize) -> Self {
        Self { parents: (0..count as u32).collect() }
    }

    /// Adds a thing that is a set of its own, and gives its number.
    pub(crate) fn add(&mut self) -> u32 {
        let id = self.parents.len() as u32;
        self.parents.push(id);
        id
    }

    /// How many things there are.
    pub(crate) const fn len(&self) -> usize {
        self.parents.len()
    }

    /// The first member of a thing's set.
    pub(crate) fn find(&mut self, mut id: u32) -> u32 {
        while self.parents[id as usize] != id {
            let above = self.parents[self.parents[id as usize] as usize];
            self.parents[id as usize] = above;
            id = above;
        }
        id
    }

    /// Makes one set of two.
    pub(crate) fn unite(&mut self, a: u32, b: u32) {
        let (a, b) = (self.find(a), self.find(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_known_by_its_first_member() {
        let mut sets = DisjointSets::of(5);
        assert_eq!(sets.add(), 5);
        sets.unite(4, 5);
        sets.unite(5, 1);
        sets.unite(3, 2);
        let found: Vec<_> = (0..6).map(|id| sets.find(id)).collect();
        assert_eq!((sets.len(), found), (6, vec![0, 1, 2, 2, 1, 1]));
    }
}
