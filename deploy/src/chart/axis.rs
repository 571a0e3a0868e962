//! Where values stand on an axis, and which of them are labelled.

/// An axis from 0, or from a least value that a logarithm can show.
pub(super) struct Axis {
    ticks: Vec<f64>,
    least: f64,
    most: f64,
    logarithmic: bool,
    /// Where the least and the most are drawn.
    ends: (f64, f64),
}

impl Axis {
    /// An even axis from 0 to at least `most`, with four to six round ticks.
    pub(super) fn linear(most: f64, ends: (f64, f64)) -> Self {
        let most = most.max(1.0);
        let rough = most / 5.0;
        let magnitude = 10f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0];
        let step = steps.iter().map(|step| step * magnitude);
        let step = step.fold(f64::MAX, |best, step| {
            if step + 1e-12 >= rough && step < best {
                step
            } else {
                best
            }
        });
        let count = (most / step).ceil();
        let ticks = (0_u32..).map(|tick| f64::from(tick) * step);
        Self {
            ticks: ticks
                .take_while(|tick| *tick <= count * step + step / 2.0)
                .collect(),
            least: 0.0,
            most: count * step,
            logarithmic: false,
            ends,
        }
    }

    /// An axis by powers of ten, from 0.1 to at least `most`.
    pub(super) fn logarithmic(most: f64, ends: (f64, f64)) -> Self {
        let highest = most.max(1.0).log10().ceil();
        let powers = (0_u32..).map(|power| f64::from(power) + LEAST.log10());
        let powers = powers.take_while(|power| *power <= highest + 0.5);
        Self {
            ticks: powers.map(|power| 10f64.powf(power)).collect(),
            least: LEAST,
            most: 10f64.powf(highest),
            logarithmic: true,
            ends,
        }
    }

    /// Where a value stands.
    pub(super) fn place(&self, value: f64) -> f64 {
        let part = match self.logarithmic {
            true => (value.max(self.least) / self.least).ln() / (self.most / self.least).ln(),
            false => value / self.most,
        };
        self.ends.0 + part * (self.ends.1 - self.ends.0)
    }

    /// Values that are labelled, and where they stand.
    pub(super) fn ticks(&self) -> impl Iterator<Item = (f64, f64)> {
        self.ticks
            .iter()
            .map(|tick| (rounded(*tick), self.place(*tick)))
    }
}

/// A tick without the digits that its arithmetic left.
fn rounded(tick: f64) -> f64 {
    (tick * 1e6).round() / 1e6
}

/// The lowest value of a logarithmic axis.
const LEAST: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_most() {
        let ticks = |most| {
            let axis = Axis::linear(most, (0.0, 100.0));
            axis.ticks().map(|(tick, _)| tick).collect::<Vec<_>>()
        };
        assert_eq!(ticks(33.0), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(ticks(12_000.0), [0.0, 5_000.0, 10_000.0, 15_000.0]);
        assert_eq!(ticks(0.0).last(), Some(&1.0));
        let decades = Axis::logarithmic(321.0, (0.0, 100.0));
        let decades: Vec<_> = decades.ticks().map(|(tick, _)| tick).collect();
        assert_eq!(decades, [0.1, 1.0, 10.0, 100.0, 1_000.0]);
    }

    #[test]
    fn a_value_stands_in_proportion() {
        let axis = Axis::linear(10.0, (200.0, 0.0));
        assert!((axis.place(5.0) - 100.0).abs() < 1e-9);
        let axis = Axis::logarithmic(1_000.0, (0.0, 4.0));
        assert!((axis.place(10.0) - 2.0).abs() < 1e-9);
        assert!(axis.place(0.0).abs() < 1e-9);
    }
}
