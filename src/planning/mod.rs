//! What a country takes: area, tiles and failures in, time, machines, bytes and money out.

mod ask;
pub(crate) mod cut;
pub(crate) mod estimate;
pub(crate) mod figures;
pub(crate) mod ground;
pub(crate) mod json;
pub(crate) mod question;
mod reading;
mod simulate;
pub(crate) mod text;

pub(crate) use ask::Ask;
pub(crate) use estimate::{Estimate, estimate};
pub(crate) use figures::{Figure, Measured, Origin};
pub(crate) use question::{Bytes, FleetSize, Machine, Prices, Question, Trials};
