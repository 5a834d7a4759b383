//! A page: sections of text, charts, tables and pictures, in one file.

use crate::Error;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior, context};
use seg_label::Interval;
use serde::Serialize;

/// A self-contained page.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Page {
    pub title: String,
    /// Below the title.
    pub lines: Vec<String>,
    pub tiles: Vec<Tile>,
    pub sections: Vec<Section>,
}

/// A number that is seen first.
#[derive(Debug, Serialize)]
pub(crate) struct Tile {
    pub label: String,
    pub figure: Figure,
}

/// A part of a page; what is empty is left out.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Section {
    /// A word without spaces.
    pub id: &'static str,
    pub title: &'static str,
    pub paragraphs: Vec<String>,
    pub notes: Vec<String>,
    pub links: Vec<Link>,
    pub key: Vec<KeyEntry>,
    pub charts: Vec<Chart>,
    pub tables: Vec<Table>,
    pub strips: Vec<StripView>,
}

/// A link to a file beside the page.
#[derive(Debug, Serialize)]
pub(crate) struct Link {
    pub to: String,
    pub text: String,
}

/// A class and what it looks like.
#[derive(Debug, Serialize)]
pub(crate) struct KeyEntry {
    /// As a data URI.
    pub picture: String,
    pub name: String,
}

/// A chart as SVG.
#[derive(Debug, Serialize)]
pub(crate) struct Chart {
    pub svg: String,
    pub caption: String,
}

/// A table whose first column names the rows.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Table {
    /// A word without spaces.
    pub id: &'static str,
    pub caption: String,
    pub head: Vec<String>,
    pub rows: Vec<Row>,
}

/// A row of a table.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Row {
    pub name: String,
    /// A picture of the class, as a data URI.
    pub swatch: Option<String>,
    pub cells: Vec<Cell>,
    /// Whether it sums up those above.
    pub sum: bool,
}

/// A cell of a table.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Cell {
    pub figure: Figure,
    /// How dark it is, from 0 to 1.
    pub shade: Option<f64>,
    pub diagonal: bool,
}

/// A number: as it is, and as it is shown.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Figure {
    /// All digits; `None` where there is no number.
    pub value: Option<String>,
    pub text: String,
    pub low: Option<Ending>,
    pub high: Option<Ending>,
}

/// An end of an interval.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ending {
    pub value: String,
    pub text: String,
}

/// What is to be seen at a place.
#[derive(Debug, Serialize)]
pub(crate) struct StripView {
    pub title: String,
    pub place: String,
    pub panels: Vec<Panel>,
}

/// One picture of a strip.
#[derive(Debug, Serialize)]
pub(crate) struct Panel {
    /// As a data URI.
    pub picture: String,
    pub alt: String,
    pub caption: &'static str,
}

impl Figure {
    /// A score with four digits, and its interval.
    pub(crate) fn score(value: Option<f64>, interval: Option<Interval>) -> Self {
        let end = |value: f64| Ending { value: value.to_string(), text: format!("{value:.3}") };
        Self {
            value: value.map(|value| value.to_string()),
            text: value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}")),
            low: interval.map(|interval| end(interval.low)),
            high: interval.map(|interval| end(interval.high)),
        }
    }

    /// A whole number, in groups of three digits.
    pub(crate) fn count(count: u64) -> Self {
        let digits = count.to_string();
        let mut text = String::new();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                text.push('\u{202f}');
            }
            text.push(digit);
        }
        Self { value: Some(digits), text, ..Self::default() }
    }

    /// A number in words of its own.
    pub(crate) fn shown(value: Option<f64>, text: impl FnOnce(f64) -> String) -> Self {
        Self {
            value: value.map(|value| value.to_string()),
            text: value.map_or_else(|| "–".to_owned(), text),
            ..Self::default()
        }
    }

    /// No number but a text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

impl From<Figure> for Cell {
    fn from(figure: Figure) -> Self {
        Self { figure, ..Self::default() }
    }
}

impl Page {
    /// The page as HTML.
    pub(crate) fn render(&self) -> Result<String, Error> {
        let failed = |source| Error::RenderPage { source: Box::new(source) };
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_template("page.html", include_str!("page.html")).map_err(failed)?;
        let template = environment.get_template("page.html").map_err(failed)?;
        let css = include_str!("page.css");
        let page = Value::from(Serde(self));
        template.render(context! { page, css, version => env!("CARGO_PKG_VERSION") }).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_the_user_is_escaped() {
        let nasty = "<script>alert(1)</script> & \"x\"".to_owned();
        let table = Table { id: "t", caption: nasty.clone(), head: vec![nasty.clone()], rows: Vec::new() };
        let section = Section { id: "s", title: "S", tables: vec![table], ..Section::default() };
        let page = Page { title: nasty, sections: vec![section], ..Page::default() };
        let html = page.render().expect("renders");
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;"), "{html}");
    }

    #[test]
    fn long_numbers_are_grouped() {
        assert_eq!(Figure::count(1_234_567).text, "1\u{202f}234\u{202f}567");
        assert_eq!(Figure::count(100).text, "100");
    }
}
