//! Values that flags take, and the words that say what is allowed when one is not.

mod bands;
mod bbox;
mod choice;
mod device;
mod duration;
mod ground;
mod gsd;
mod key_value;
mod length;
mod memory;
mod number;
mod protocol;
mod sample;
mod scaling;
mod setting;
mod sha256;
mod shard;
mod split;
mod tiling;
mod tolerance;

pub(crate) use bands::{BandList, band_list};
pub(crate) use bbox::bbox;
pub(crate) use choice::{
    BlendChoice, ConnectednessChoice, DataSetChoice, EdgeChoice, FetchChoice, ImageVariantChoice,
    LabelVariantChoice, LogFormat, PrecisionChoice, ProbabilityChoice, ProgressChoice, RasterFormat,
    ReadErrorChoice, ResampleChoice, SimplifyChoice, StoreChoice, TileFormat,
};
pub(crate) use device::{DeviceArg, device};
pub(crate) use duration::{Seconds, duration, positive_span, span};
pub(crate) use ground::{GroundArea, GroundLength, OnGround, ground_area, ground_length};
pub(crate) use gsd::gsd;
pub(crate) use key_value::{KeyValue, key_value};
pub(crate) use length::tile_side;
pub(crate) use memory::{ByteSize, byte_size};
pub(crate) use number::{
    MOST_COUNTED, MOST_WORKERS, amount, count, ground_sample_distance, positive, share, workers,
};
pub(crate) use protocol::{FlipChoice, ProtocolChoice, ScaleList, SplitChoice, scales};
pub(crate) use sample::{Sample, sample};
pub(crate) use scaling::scaling;
pub(crate) use setting::{Setting, setting};
pub(crate) use sha256::{Sha256, sha256};
pub(crate) use shard::{Shard, ShardArg, shard};
pub(crate) use split::{split_by, split_shares};
pub(crate) use tiling::{batch, overlap};
pub(crate) use tolerance::tolerance;
