//! Fisher's exact test: how likely two counts are to lie so far apart, or further, if nothing changed.

/// Of `base` failures in `of_base` tries and `candidate` in `of_candidate`: the probability, by chance alone, of a table as
/// unlikely as this one or less likely (two-sided). 1 where a side has no tries.
///
/// Source: R. A. Fisher, "The Design of Experiments" (1935), chapter 2; two-sided as R's `fisher.test` does it.
pub fn chance(base: u32, of_base: u32, candidate: u32, of_candidate: u32) -> f64 {
    let (failed, all) = (base + candidate, of_base + of_candidate);
    let logs = log_factorials(all);
    let log = |number: u32| logs.get(number as usize).copied().unwrap_or_default();
    let choose = |of: u32, take: u32| log(of) - log(take) - log(of - take);
    let probability =
        |first: u32| (choose(of_base, first) + choose(of_candidate, failed - first) - choose(all, failed)).exp();
    let seen = probability(base);
    // What is as unlikely as the table that was seen differs from it by the last digits only.
    let slack = 1.0 + 1e-7;
    let least = failed.saturating_sub(of_candidate);
    let sum: f64 = (least..=failed.min(of_base)).map(probability).filter(|each| *each <= seen * slack).sum();
    sum.min(1.0)
}

fn log_factorials(up_to: u32) -> Vec<f64> {
    let steps = (1..=up_to).scan(0.0, |sum, number| {
        *sum += f64::from(number).ln();
        Some(*sum)
    });
    std::iter::once(0.0).chain(steps).collect()
}

#[cfg(test)]
mod tests {
    use super::chance;

    #[test]
    fn it_is_the_probability_that_tables_of_books_have() {
        for ((base, of_base, candidate, of_candidate), expected) in [
            // The lady tasting tea: 3 of 4 right.
            ((3, 4, 1, 4), 0.485_714),
            ((4, 4, 0, 4), 0.028_571),
            // R: fisher.test(matrix(c(0, 5, 4, 1), 2)) and its neighbours.
            ((0, 5, 4, 5), 0.047_619),
            ((0, 5, 5, 5), 0.007_937),
            ((1, 20, 15, 20), 0.000_013),
            ((0, 1, 1, 1), 1.0),
            ((0, 0, 3, 3), 1.0),
            ((2, 5, 2, 5), 1.0),
        ] {
            let found = chance(base, of_base, candidate, of_candidate);
            assert!((found - expected).abs() < 1e-5, "{base}/{of_base} {candidate}/{of_candidate}: {found}");
        }
    }

    #[test]
    fn which_side_is_which_does_not_matter_and_many_tries_are_no_trouble() {
        assert!((chance(3, 17, 9, 20) - chance(9, 20, 3, 17)).abs() < 1e-12);
        let many = chance(10, 100_000, 20, 100_000);
        assert!((0.0..0.2).contains(&many), "{many}");
    }
}
