//! `rs-seg train` in several processes, as a launcher starts them.

mod crew;
mod equal;
mod launch;
mod lost;
mod namespaces;
mod together;
