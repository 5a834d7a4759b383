use crate::ChipRecord;
use crate::training::settings::DataSettings;
use std::collections::HashMap;

/// How often each chip is to come in an epoch on average, adding up to the number of chips; `None` is once each.
///
/// With `class_balance` b, a chip weighs as its pixels are rare: each counts with its class' share of all pixels
/// to the power of -b; a chip whose pixels were not counted weighs as the mean of the others. With
/// `source_balance` b, a source whose chips weigh W together comes as often as W^(1 - b) says: in proportion to
/// them at 0, as often as any other at 1.
pub(crate) fn chances(chips: &[ChipRecord], classes: &[String], settings: &DataSettings) -> Option<Vec<f64>> {
    if settings.source_balance == 0.0 && settings.class_balance == 0.0 {
        return None;
    }
    let rarity = rarities(chips, classes, settings.class_balance);
    let mut of_source: HashMap<&str, f64> = HashMap::new();
    for (chip, rarity) in chips.iter().zip(&rarity) {
        *of_source.entry(&chip.source).or_default() += rarity;
    }
    let weight = |(chip, rarity): (&ChipRecord, &f64)| {
        of_source.get(chip.source.as_str()).map_or(0.0, |sum| rarity * sum.powf(-settings.source_balance))
    };
    let weights: Vec<f64> = chips.iter().zip(&rarity).map(weight).collect();
    let scale = chips.len() as f64 / weights.iter().sum::<f64>();
    Some(weights.into_iter().map(|weight| weight * scale).collect())
}

/// How rare the pixels of each chip are, 1 for all if the balance is 0.
fn rarities(chips: &[ChipRecord], classes: &[String], balance: f64) -> Vec<f64> {
    let pixels = |chip: &ChipRecord, class: &String| chip.histogram.get(class).copied().unwrap_or(0) as f64;
    let of_class: Vec<f64> =
        classes.iter().map(|class| chips.iter().map(|chip| pixels(chip, class)).sum()).collect();
    let total: f64 = of_class.iter().sum();
    let of_chip = |chip: &ChipRecord| {
        let counted: f64 = classes.iter().map(|class| pixels(chip, class)).sum();
        let present = classes.iter().zip(&of_class).filter(|(_, of_class)| **of_class > 0.0);
        let rare: f64 = present.map(|(class, all)| pixels(chip, class) * (all / total).powf(-balance)).sum();
        (counted > 0.0).then(|| rare / counted)
    };
    let known: Vec<Option<f64>> = chips.iter().map(of_chip).collect();
    let (sum, count) =
        known.iter().flatten().fold((0.0, 0.0), |(sum, count), rarity| (sum + rarity, count + 1.0));
    let mean = if count > 0.0 { sum / count } else { 1.0 };
    known.into_iter().map(|rarity| rarity.unwrap_or(mean)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Split;
    use seg_grid::Window;

    fn chip(source: &str, land: u64, road: u64) -> ChipRecord {
        ChipRecord {
            image: "a.tif".to_owned(),
            label: None,
            label_source: None,
            source: source.to_owned(),
            window: Window { x: 0, y: 0, width: 8, height: 8 },
            split: Split::Train,
            valid: 1.0,
            histogram: [("land".to_owned(), land), ("road".to_owned(), road)].into(),
            ignored: Some(0),
            crs: None,
            transform: None,
        }
    }

    fn balanced(source_balance: f64, class_balance: f64) -> Option<Vec<f64>> {
        let chips = [chip("a", 90, 0), chip("a", 90, 0), chip("a", 90, 0), chip("b", 10, 20)];
        let settings = DataSettings { source_balance, class_balance, ..DataSettings::default() };
        chances(&chips, &["land".to_owned(), "road".to_owned()], &settings)
    }

    fn assert_near(found: Option<Vec<f64>>, expected: [f64; 4]) {
        let found = found.expect("chances");
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
    }

    #[test]
    fn sources_come_as_their_size_to_a_power_says() {
        assert_eq!(balanced(0.0, 0.0), None);
        assert_near(balanced(1.0, 0.0), [2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 2.0]);
        let root = 3.0_f64.sqrt();
        let of_a = 4.0 * root / (root + 1.0) / 3.0;
        assert_near(balanced(0.5, 0.0), [of_a, of_a, of_a, 4.0 - 3.0 * of_a]);
    }

    #[test]
    fn chips_come_as_their_pixels_are_rare() {
        // Land has 280 of 300 pixels, road 20: at 1 a pixel of each counts 300 / 280 and 300 / 20.
        let (common, rare) = (300.0 / 280.0, (10.0 * 300.0 / 280.0 + 20.0 * 300.0 / 20.0) / 30.0);
        let scale = 4.0 / (3.0 * common + rare);
        assert_near(balanced(0.0, 1.0), [common * scale, common * scale, common * scale, rare * scale]);
    }

    #[test]
    fn sources_come_equally_often_whatever_their_classes() {
        let found = balanced(1.0, 1.0).expect("chances");
        assert!((found[..3].iter().sum::<f64>() - 2.0).abs() < 1e-12 && (found[3] - 2.0).abs() < 1e-12);
    }

    #[test]
    fn what_was_not_counted_weighs_as_the_mean_of_the_others() {
        let chips = [chip("a", 100, 0), chip("a", 0, 100), chip("a", 0, 0)];
        let settings = DataSettings { class_balance: 1.0, ..DataSettings::default() };
        let classes = ["land".to_owned(), "road".to_owned()];
        let found = chances(&chips, &classes, &settings).expect("chances");
        assert!(found.iter().all(|chance| (chance - 1.0).abs() < 1e-12), "{found:?}");
    }
}
