use crate::{ChipRecord, Error};
use seg_label::{IGNORE_INDEX, Legend};
use std::collections::BTreeSet;
use std::path::Path;

/// What the ids of a folder's label chips are in a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClassMap([Option<u8>; 256]);

impl ClassMap {
    /// Of a folder's legend and the classes of a model; `chips` are those that are read.
    pub(crate) fn new(
        folder: &Path,
        legend: &Legend,
        classes: &[String],
        chips: &[ChipRecord],
    ) -> Result<Self, Error> {
        let missing: Vec<_> = classes.iter().filter(|name| legend.by_name(name).is_none()).cloned().collect();
        if !missing.is_empty() {
            return Err(Error::ClassesNotInLabels {
                folder: folder.to_path_buf(),
                missing,
                model: classes.to_vec(),
                labels: legend.names().map(str::to_owned).collect(),
            });
        }
        let met: BTreeSet<&str> = chips
            .iter()
            .flat_map(|chip| chip.histogram.iter().filter(|(_, pixels)| **pixels > 0))
            .map(|(name, _)| name.as_str())
            .collect();
        let others: Vec<_> = met
            .into_iter()
            .filter(|name| !classes.iter().any(|class| class == name))
            .map(str::to_owned)
            .collect();
        if !others.is_empty() {
            return Err(Error::ClassesNotInModel {
                folder: folder.to_path_buf(),
                classes: others,
                model: classes.to_vec(),
            });
        }
        let mut indices = [None; 256];
        for (index, name) in (0_u8..).zip(classes) {
            if let Some(class) = legend.by_name(name) {
                indices[usize::from(class.id.0)] = Some(index);
            }
        }
        indices[usize::from(IGNORE_INDEX)] = Some(IGNORE_INDEX);
        Ok(Self(indices))
    }

    /// Turns ids into indices, with 255 for what is ignored and for `nodata`; the error lists the ids that mean
    /// nothing.
    pub(crate) fn apply(&self, ids: &mut [u8], nodata: Option<u8>) -> Result<(), Vec<String>> {
        let mut indices = self.0;
        if let Some(nodata) = nodata {
            indices[usize::from(nodata)] = Some(IGNORE_INDEX);
        }
        let mut known = true;
        let mut seen = [false; 256];
        for id in ids {
            if let Some(index) = indices[usize::from(*id)] {
                *id = index;
            } else {
                seen[usize::from(*id)] = true;
                known = false;
            }
        }
        if known {
            return Ok(());
        }
        Err(seen.iter().enumerate().filter(|(_, seen)| **seen).map(|(id, _)| id.to_string()).collect())
    }
}
