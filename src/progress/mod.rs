//! Tells how far a command is, and hears when it should stop.

mod back_off;
mod percent;
mod rate;
mod reporter;

pub(crate) use percent::Stage;
pub(crate) use reporter::{Reporter, Stopped};
