//! Prompts become tokens: start, words, end, padding.

use instant_clip_tokenizer::{Token, Tokenizer};

use crate::config::{TextConfig, TokenizerKind};
use crate::error::Error;
use crate::hash_fill::fnv1a64;

/// What turns one prompt into tokens.
enum Encoder {
    Clip(Box<Tokenizer>),
    Words { vocab: usize },
}

/// The tokens of prompts, each `n-tok` long and padded with 0.
///
/// The prompt is used as it is, without a template around it, as the reference implementation does.
///
/// # Errors
/// When a prompt has more tokens than `n-tok`.
///
/// # Examples
/// ```
/// use seg_nn::{TextConfig, TokenizerKind, TowerTraining, tokenize};
///
/// let config = TextConfig {
///     tokenizer: TokenizerKind::Clip,
///     tower: TowerTraining::Frozen,
///     vocab: 49408,
///     width: 512,
///     heads: 8,
///     layers: 12,
///     context_length: 77,
///     n_tok: 5,
///     n_ctx: 8,
/// };
/// assert_eq!(tokenize(["tree"], &config)?, [[49406, 2677, 49407, 0, 0]]);
/// # Ok::<(), seg_nn::Error>(())
/// ```
pub fn tokenize<'a>(
    prompts: impl IntoIterator<Item = &'a str>,
    config: &TextConfig,
) -> Result<Vec<Vec<i64>>, Error> {
    let encoder = match config.tokenizer {
        TokenizerKind::Clip => Encoder::Clip(Box::new(Tokenizer::new())),
        TokenizerKind::Words => Encoder::Words { vocab: config.vocab },
    };
    let padded = |prompt: &str| {
        let mut ids = encoder.encode(prompt);
        if ids.len() > config.n_tok {
            return Err(Error::Prompt { prompt: prompt.to_owned(), tokens: ids.len(), limit: config.n_tok });
        }
        ids.resize(config.n_tok, 0);
        Ok(ids)
    };
    prompts.into_iter().map(padded).collect()
}

impl Encoder {
    fn encode(&self, prompt: &str) -> Vec<i64> {
        match self {
            Self::Clip(tokenizer) => clip(tokenizer, prompt),
            Self::Words { vocab } => words(*vocab, prompt),
        }
    }
}

fn clip(tokenizer: &Tokenizer, prompt: &str) -> Vec<i64> {
    let mut tokens = vec![tokenizer.start_of_text()];
    tokenizer.encode(prompt, &mut tokens);
    tokens.push(tokenizer.end_of_text());
    tokens.into_iter().map(|token: Token| i64::from(token.to_u16())).collect()
}

/// Start and end are the last two tokens of the vocabulary, 0 is padding; a word is one of the rest.
fn words(vocab: usize, prompt: &str) -> Vec<i64> {
    let vocab = vocab as i64;
    let word = |word: &str| 2 + (fnv1a64(&word.to_lowercase()) % (vocab as u64 - 6)) as i64;
    let parts = prompt.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    std::iter::once(vocab - 2).chain(parts.map(word)).chain([vocab - 1]).collect()
}

#[cfg(test)]
mod tests {
    use super::{clip, words};
    use instant_clip_tokenizer::Tokenizer;

    #[test]
    fn clip_tokens_equal_the_reference() {
        let tokenizer = Tokenizer::new();
        let check = |prompt: &str, expected: &[i64]| {
            let tokens = clip(&tokenizer, prompt);
            assert_eq!(tokens[1..tokens.len() - 1], *expected, "{prompt}");
            assert_eq!((tokens[0], tokens[tokens.len() - 1]), (49406, 49407));
        };
        check("impervious_surface", &[7727, 6418, 318, 7744]);
        check("low_vegetation", &[1042, 318, 33947]);
        for (prompt, id) in [
            ("building", 2307),
            ("tree", 2677),
            ("car", 1615),
            ("clutter", 40804),
            ("background", 5994),
            ("road", 1759),
            ("water", 1573),
            ("barren", 46743),
            ("forest", 4167),
            ("agricultural", 15440),
        ] {
            check(prompt, &[id]);
        }
    }

    #[test]
    fn words_are_hashed_one_by_one() {
        let ids = words(64, "Low_vegetation");
        assert_eq!(ids, words(64, "low vegetation"));
        assert_eq!((ids.len(), ids[0], ids[3]), (4, 62, 63));
        assert!(ids[1..3].iter().all(|id| (2..60).contains(id)));
    }
}
