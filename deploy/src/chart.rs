//! Charts as SVG: lines, steps and stacked areas over seconds. Colours are classes, so that the page's
//! style sheet decides them, for dark pages and for print too.

mod axis;
mod page;

use std::fmt::Write as _;

use crate::chart::axis::Axis;
pub use crate::chart::page::page;

/// A chart.
pub struct Chart {
    /// What it shows, which a screen reader reads first.
    pub title: String,
    /// What a reader who does not see it should learn from it.
    pub description: String,
    /// The unit of the vertical axis.
    pub unit: &'static str,
    /// Whether the vertical axis is logarithmic.
    pub logarithmic: bool,
    /// What is drawn, the first at the back.
    pub series: Vec<Series>,
}

/// A figure over time.
pub struct Series {
    /// Its name in the legend.
    pub name: &'static str,
    /// The class that decides its colour: `a` to `e`, or `limit`.
    pub class: &'static str,
    /// How it is drawn.
    pub form: Form,
    /// Seconds and values, in order.
    pub points: Vec<(f64, f64)>,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A line from point to point.
    Line,
    /// The area from one point to the next, with the value of the first.
    Area,
}

impl Chart {
    /// The chart as an `svg` element.
    #[must_use]
    pub fn svg(&self) -> String {
        self.svg_of(POINTS_MAX)
    }

    /// The same with at most that many points of each series.
    #[must_use]
    pub fn svg_of(&self, points_max: usize) -> String {
        let most_x = self.series.iter().map(Series::end).fold(1.0, f64::max);
        let values = self.series.iter().flat_map(|series| &series.points);
        let most_y = values.map(|(_, y)| *y).fold(0.0, f64::max);
        let x = Axis::linear(most_x, (LEFT, WIDTH - RIGHT));
        let bottom_up = (HEIGHT - BOTTOM, TOP);
        let y = match self.logarithmic {
            true => Axis::logarithmic(most_y, bottom_up),
            false => Axis::linear(most_y, bottom_up),
        };
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><title>{}</title><desc>{}</desc>",
            escaped(&self.title),
            escaped(&self.description)
        );
        self.axes(&mut svg, &x, &y);
        for series in &self.series {
            draw(&mut svg, series, points_max, (&x, &y));
        }
        svg.push_str("</svg>");
        svg
    }

    fn axes(&self, svg: &mut String, x: &Axis, y: &Axis) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (value, at) in y.ticks() {
            let label = label(value);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text class=\"tick end\" x=\"{}\" y=\"{:.1}\">{label}</text>",
                LEFT - 6.0,
                at + 4.0
            );
        }
        for (value, at) in x.ticks() {
            let label = label(value);
            let _ = write!(
                svg,
                "<text class=\"tick middle\" x=\"{at:.1}\" y=\"{}\">{label}</text>",
                bottom + 16.0
            );
        }
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"4\" y=\"12\">{}</text>\
             <text class=\"tick end\" x=\"{right}\" y=\"{}\">seconds</text>",
            escaped(self.unit),
            HEIGHT - 4.0
        );
    }

    /// The names of the series with their colours, as list items: a legend of text can be wrapped.
    #[must_use]
    pub fn legend(&self) -> String {
        let item = |series: &Series| {
            let (name, class) = (escaped(series.name), series.class);
            format!("<li class=\"{class}\">{name}</li>")
        };
        self.series.iter().map(item).collect()
    }
}

impl Series {
    /// Where it ends on the horizontal axis: an area lasts to the end of its last second.
    fn end(&self) -> f64 {
        let last = self.points.iter().map(|(x, _)| *x).fold(0.0, f64::max);
        match self.form {
            Form::Line => last,
            Form::Area => last + SECOND,
        }
    }
}

fn draw(svg: &mut String, series: &Series, points_max: usize, (x, y): (&Axis, &Axis)) {
    let points = thinned(&series.points, points_max);
    let mut path = String::new();
    let mut command = 'M';
    let mut to = |at_x: f64, at_y: f64| {
        let _ = write!(path, "{command}{at_x:.1} {at_y:.1}");
        command = 'L';
    };
    let base = y.place(0.0);
    if series.form == Form::Area
        && let Some((first, _)) = points.first()
    {
        to(x.place(*first), base);
    }
    for (second, value) in &points {
        to(x.place(*second), y.place(*value));
        if series.form == Form::Area {
            to(x.place(second + SECOND), y.place(*value));
        }
    }
    if series.form == Form::Area
        && let Some((last, _)) = points.last()
    {
        to(x.place(last + SECOND), base);
    }
    let form = match series.form {
        Form::Line => "line",
        Form::Area => "area",
    };
    let class = series.class;
    let _ = write!(svg, "<path class=\"{form} {class}\" d=\"{path}\"/>");
}

/// The points, or if there are more than `most` the least and the most of each of half as many stretches.
fn thinned(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    if points.len() <= most {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil((most / 2).max(1));
    let mut thinned = Vec::with_capacity(most);
    for points in points.chunks(stretch) {
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let ends = points
            .iter()
            .min_by(by_value)
            .zip(points.iter().max_by(by_value));
        if let Some((least, most)) = ends {
            let (first, second) = if least.0 <= most.0 {
                (least, most)
            } else {
                (most, least)
            };
            thinned.extend([*first, *second]);
        }
    }
    thinned
}

/// A number as an axis shows it.
fn label(value: f64) -> String {
    let (value, unit) = match value {
        _ if value >= 1e6 => (value / 1e6, "M"),
        _ if value >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    format!("{value}{unit}")
}

/// Text that is safe inside an element and an attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    safe
}

/// How wide a step of an area is.
const SECOND: f64 = 1.0;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 36.0;

/// Most points of a series that are drawn.
const POINTS_MAX: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>, logarithmic: bool) -> Chart {
        Chart {
            title: "a < b".to_owned(),
            description: "\"c\" & d".to_owned(),
            unit: "a second",
            logarithmic,
            series: vec![Series {
                name: "<served>",
                class: "a",
                form: Form::Area,
                points,
            }],
        }
    }

    #[test]
    fn text_in_a_chart_cannot_end_its_element() {
        let chart = chart(vec![(0.0, 1.0)], false);
        let svg = chart.svg();
        assert!(svg.contains("a &lt; b") && svg.contains("&quot;c&quot; &amp; d"));
        assert!(chart.legend().contains("&lt;served&gt;"));
    }

    #[test]
    fn an_hour_of_seconds_is_drawn_with_at_most_600_points_and_shows_its_peak() {
        let mut points: Vec<_> = (0..3_600).map(|t| (f64::from(t), 5.0)).collect();
        points[1_777].1 = 90.0;
        for most in [POINTS_MAX, 120] {
            let thinned = thinned(&points, most);
            assert!(thinned.len() <= most, "{}", thinned.len());
            assert!(thinned.contains(&(1_777.0, 90.0)));
        }
        assert!(chart(points, false).svg().len() < 40_000);
    }

    #[test]
    fn the_last_second_of_an_area_ends_within_the_axis() {
        for count in [1, 5, 6, 11, 60, 61, 3_600] {
            let points = (0..count).map(|t| (f64::from(t), 5.0)).collect();
            let svg = chart(points, false).svg();
            let path = svg.rsplit_once(" d=\"M").unwrap().1;
            let path = path.split('"').next().unwrap();
            let across = path
                .split('L')
                .map(|point| point.split(' ').next().unwrap());
            let furthest = across.map(|x| x.parse::<f64>().unwrap());
            let furthest = furthest.fold(0.0, f64::max);
            assert!(furthest <= WIDTH - RIGHT, "{count}: {furthest}");
        }
    }

    #[test]
    fn nothing_and_zeros_can_be_drawn() {
        for logarithmic in [false, true] {
            for points in [vec![], vec![(0.0, 0.0)], vec![(0.0, 0.0), (1.0, 0.001)]] {
                let svg = chart(points, logarithmic).svg();
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }
}
