//! Samples of one quantity: their median, and the range that they lie in.

use std::time::Duration;

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Samples(Vec<f64>);

impl Samples {
    pub(super) fn add(&mut self, sample: f64) {
        let at = self.0.partition_point(|other| *other < sample);
        self.0.insert(at, sample);
    }

    /// In milliseconds.
    pub(super) fn add_time(&mut self, time: Duration) {
        self.add(time.as_secs_f64() * 1000.0);
    }

    pub(super) fn extend(&mut self, others: Self) {
        others.0.into_iter().for_each(|sample| self.add(sample));
    }

    pub(super) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        match self.0.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => self.0[middle],
            _ => f64::midpoint(self.0[middle - 1], self.0[middle]),
        }
    }

    /// `12.3 (11.9–14.0)`: as many digits as there is something to tell.
    pub(super) fn with_range(&self) -> String {
        match self.0.as_slice() {
            [] => "–".to_owned(),
            [one] => digits(*one),
            [least, .., most] => format!("{} ({}–{})", digits(self.median()), digits(*least), digits(*most)),
        }
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(samples: I) -> Self {
        let mut all = Self::default();
        samples.into_iter().for_each(|sample| all.add(sample));
        all
    }
}

/// Three significant digits are more than a measurement of this kind knows.
pub(super) fn digits(number: f64) -> String {
    match number {
        large if large >= 100.0 => format!("{large:.0}"),
        medium if medium >= 10.0 => format!("{medium:.1}"),
        small => format!("{small:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        let samples = |all: &[f64]| all.iter().copied().collect::<Samples>();
        assert!((samples(&[3.0, 1.0, 2.0]).median() - 2.0).abs() < f64::EPSILON);
        assert!((samples(&[4.0, 1.0, 3.0, 2.0]).median() - 2.5).abs() < f64::EPSILON);
        assert_eq!(samples(&[30.0, 1.234, 200.0]).with_range(), "30.0 (1.23–200)");
        assert_eq!(samples(&[5.0]).with_range(), "5.00");
        assert_eq!(samples(&[]).with_range(), "–");
    }
}
