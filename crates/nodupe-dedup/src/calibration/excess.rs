//! By how much pairs exceed their levels: strangers and copies told apart.

/// Bins of the histogram of excesses.
const BINS: usize = 1_024;
/// Steps of the fit. It settles long before.
const STEPS: usize = 200;
/// Where fewer pairs are found, as many may be wrong as if it were so many: else a handful of copies would ask for the impossible.
const FOUND_AT_LEAST: f64 = 100.0;

/// How many pairs exceed the lower of their levels by how much.
pub(crate) struct Excesses {
    bins: Vec<f64>,
    /// The largest excess that there can be.
    range: f64,
}

/// Where the excesses of copies lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copies {
    /// Anywhere, as likely as not: a uniform distribution.
    Anywhere,
    /// The smaller, the likelier: a triangular distribution. Those that other tiers found before are not among them, and these were alike.
    Leftovers,
}

/// Strangers, as they were told from copies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fit {
    /// Pairs of strangers with any excess.
    pub(crate) strangers: f64,
    /// The excess at which they are 1/e as many.
    pub(crate) tail: f64,
}

impl Fit {
    /// Strangers that are expected beyond an excess.
    pub(crate) fn beyond(&self, excess: f64) -> f64 {
        self.strangers * (-excess / self.tail).exp()
    }
}

impl Excesses {
    /// Of the pairs with an excess over 0. None can be larger than `range`.
    pub(crate) fn new(all: impl Iterator<Item = f32>, range: f32) -> Self {
        let range = f64::from(range).max(f64::EPSILON);
        let mut bins = vec![0.0; BINS];
        for excess in all.map(f64::from).filter(|excess| *excess > 0.0) {
            bins[((excess / range * BINS as f64) as usize).min(BINS - 1)] += 1.0;
        }
        Self { bins, range }
    }

    fn middle(&self, bin: usize) -> f64 {
        (bin as f64 + 0.5) * self.range / BINS as f64
    }

    /// Tells strangers from copies: expectation and maximisation (Dempster, Laird and Rubin, 1977) of a mixture of an exponential
    /// distribution and that of copies. `None` where nothing exceeds anything.
    pub(crate) fn fit(&self, copies: Copies) -> Option<Fit> {
        let all: f64 = self.bins.iter().sum();
        if all < 1.0 {
            return None;
        }
        let narrowest = self.range / BINS as f64;
        let of_copies = |excess: f64| match copies {
            Copies::Anywhere => 1.0 / self.range,
            Copies::Leftovers => 2.0 / self.range * (1.0 - excess / self.range),
        };
        let (mut strangers, mut tail) = (0.9 * all, self.range / 30.0);
        for _ in 0..STEPS {
            let (mut count, mut sum) = (0.0, 0.0);
            for (bin, &pairs) in self.bins.iter().enumerate().filter(|(_, pairs)| **pairs > 0.0) {
                let excess = self.middle(bin);
                let as_stranger = strangers / tail * (-excess / tail).exp();
                let as_copy = (all - strangers) * of_copies(excess);
                let belief = pairs * as_stranger / (as_stranger + as_copy).max(f64::MIN_POSITIVE);
                count += belief;
                sum += belief * excess;
            }
            strangers = count.min(all);
            tail = (sum / count.max(f64::MIN_POSITIVE)).max(narrowest);
        }
        Some(Fit { strangers, tail })
    }

    /// The least excess beyond which no more strangers are expected than the precision allows among the pairs there, of which `known`
    /// more are found without.
    pub(crate) fn margin(&self, fit: &Fit, precision: f64, known: usize) -> f32 {
        let mut found = known as f64 + self.bins.iter().sum::<f64>();
        let allowed = (1.0 - precision).max(0.0);
        for (bin, pairs) in self.bins.iter().enumerate() {
            let excess = bin as f64 * self.range / BINS as f64;
            if fit.beyond(excess) <= allowed * found.max(FOUND_AT_LEAST) {
                return excess as f32;
            }
            found -= pairs;
        }
        self.range as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Excesses of `count` strangers and of copies, by the quantiles of their distributions.
    fn excesses(count: usize, tail: f64, copies: usize, kind: Copies) -> Excesses {
        let quantiles = |count: usize| (0..count).map(move |place| (place as f64 + 0.5) / count as f64);
        let strangers = quantiles(count).map(|part| -tail * part.ln());
        let copies = quantiles(copies).map(|part| if kind == Copies::Anywhere { part } else { 1.0 - part.sqrt() });
        Excesses::new(strangers.chain(copies).map(|excess| excess as f32), 1.0)
    }

    #[test]
    fn strangers_are_told_from_copies() {
        for kind in [Copies::Anywhere, Copies::Leftovers] {
            for (count, tail, copies) in [(10_000, 0.03, 0), (10_000, 0.03, 3_000), (100_000, 0.05, 500)] {
                let fit = excesses(count, tail, copies, kind).fit(kind).unwrap();
                assert!((fit.strangers / count as f64 - 1.0).abs() < 0.05, "{fit:?}");
                assert!((fit.tail / tail - 1.0).abs() < 0.05, "{fit:?}");
            }
        }
        assert_eq!(Excesses::new([].into_iter(), 1.0).fit(Copies::Anywhere), None);
    }

    #[test]
    fn more_strangers_and_a_higher_precision_ask_for_more() {
        let margin = |count, precision| {
            let all = excesses(count, 0.03, 1_000, Copies::Anywhere);
            all.margin(&all.fit(Copies::Anywhere).unwrap(), precision, 0)
        };
        assert!(margin(100_000, 0.999) > margin(10_000, 0.999));
        assert!(margin(10_000, 0.999) > margin(10_000, 0.9));
        // 10,000 e^(-m / 0.03) = 0.001 of what is beyond m, somewhat under a thousand.
        assert!((margin(10_000, 0.999) - 0.285).abs() < 0.02, "{}", margin(10_000, 0.999));
        assert!((margin(10_000, 1.0) - 1.0).abs() < 1e-6);
    }
}
