use std::collections::HashMap;

/// Neighbors up to which a list is searched one by one.
const FEW: usize = 48;

/// The neighbors of an area and the length of the border to each; 0 where they share corners only.
#[derive(Debug)]
pub(crate) enum Neighbors {
    Few(Vec<(u32, u64)>),
    Many(HashMap<u32, u64>),
}

impl Default for Neighbors {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Neighbors {
    /// Lengthens the border to a neighbor.
    pub(crate) fn add(&mut self, neighbor: u32, length: u64) {
        match self {
            Self::Few(few) => {
                if let Some((_, sum)) = few.iter_mut().find(|(known, _)| *known == neighbor) {
                    *sum += length;
                } else if few.len() < FEW {
                    few.push((neighbor, length));
                } else {
                    let mut many: HashMap<_, _> = few.drain(..).collect();
                    many.insert(neighbor, length);
                    *self = Self::Many(many);
                }
            }
            Self::Many(many) => *many.entry(neighbor).or_default() += length,
        }
    }

    pub(crate) fn remove(&mut self, neighbor: u32) {
        match self {
            Self::Few(few) => few.retain(|(known, _)| *known != neighbor),
            Self::Many(many) => {
                many.remove(&neighbor);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(many) => many.len(),
        }
    }

    /// All of them in no order that means anything.
    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = (u32, u64)> + '_> {
        match self {
            Self::Few(few) => Box::new(few.iter().copied()),
            Self::Many(many) => Box::new(many.iter().map(|(neighbor, length)| (*neighbor, *length))),
        }
    }
}
