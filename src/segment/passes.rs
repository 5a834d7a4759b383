use crate::value::{FlipChoice, ProtocolChoice, ScaleList};
use seg_run::{Passes, SlidingWindow, Turns};

/// How often, how large and which way round the network sees each tile.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PassChoice {
    pub scales: Vec<f64>,
    pub turns: Turns,
}

impl PassChoice {
    /// From scales and turns, or a protocol that names both.
    pub(crate) fn new(protocol: Option<ProtocolChoice>, scales: &ScaleList, turns: FlipChoice) -> Self {
        // The window's side is the tile's, which is not known yet.
        let window = SlidingWindow::of_side(1);
        let named = |passes: Passes| Self { scales: passes.scales, turns: passes.turns };
        match protocol {
            Some(ProtocolChoice::Single) => named(Passes::single(window)),
            Some(ProtocolChoice::Paper) => named(Passes::paper(window)),
            None => Self { scales: scales.0.clone(), turns: turns.turns() },
        }
    }

    /// The passes over tiles of a side; nothing for a single look at them as they are.
    pub(super) fn plan(&self, side: usize) -> Option<Passes> {
        let Self { scales, turns } = self;
        let once =
            *turns == Turns::None && matches!(scales[..], [scale] if (scale - 1.0).abs() < f64::EPSILON);
        let sliding = SlidingWindow::of_side(side);
        (!once).then(|| Passes { sliding, scales: scales.clone(), turns: *turns })
    }
}
