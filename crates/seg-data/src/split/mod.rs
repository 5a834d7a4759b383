//! Which chip belongs to which split, so that no split has seen another's ground.

mod balance;
mod blocks;
mod leak;
mod place;
mod plan;
mod shares;

pub use leak::{Leak, check_no_leak};
pub use place::Place;
pub use plan::{Assignment, ChipPlace, SplitBy, SplitPlan, SplitSource, assign_splits};
pub use shares::{Shares, Split};
