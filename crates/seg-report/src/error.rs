/// What can go wrong while something is rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Parts of a preview of different sizes.
    #[error("a preview of an image of {image:?} cannot show {what} of {got:?} (rows, columns)")]
    PreviewShape {
        /// (H, W) of the image.
        image: Vec<usize>,
        /// What does not fit.
        what: &'static str,
        /// Its (H, W).
        got: Vec<usize>,
    },
    /// A picture that could not be encoded.
    #[error("the preview could not be encoded as PNG")]
    EncodePng {
        /// What the encoder says.
        #[source]
        source: png::EncodingError,
    },
    /// A table that cannot be written.
    #[error("cannot write the table: {reason}")]
    WriteCsv {
        /// Why.
        reason: String,
    },
    /// A page that cannot be written.
    #[error("cannot write the page")]
    RenderPage {
        /// What the template engine says.
        #[source]
        source: Box<minijinja::Error>,
    },
}

impl Error {
    /// What the user can do about it: nothing, these are mistakes of the program.
    pub const fn hint(&self) -> Option<String> {
        None
    }
}
