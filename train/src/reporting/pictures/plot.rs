//! Drawings of numbers over steps, as SVG.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

/// What one drawing shows.
pub struct Plot {
    /// Of the horizontal axis.
    pub x_label: &'static str,
    /// Of the vertical axis.
    pub y_label: String,
    /// Lines and dots, each in a colour of its own.
    pub series: Vec<Series>,
}

/// A line, or dots.
pub struct Series {
    /// For the legend.
    pub label: String,
    /// Number of the colour.
    pub colour: usize,
    /// Whether points are dots instead of corners of a line.
    pub dots: bool,
    /// `(x, y)`, by ascending `x`.
    pub points: Vec<(f64, f64)>,
    /// Half the height of the bar around each point; empty: there are none.
    pub bars: Vec<f64>,
}

impl Series {
    /// A line through points without bars.
    pub fn line(label: impl Into<String>, colour: usize, points: Vec<(f64, f64)>) -> Self {
        Self { label: label.into(), colour, dots: false, points, bars: Vec::new() }
    }

    /// Dots without bars.
    pub fn dots(label: impl Into<String>, colour: usize, points: Vec<(f64, f64)>) -> Self {
        Self { dots: true, ..Self::line(label, colour, points) }
    }

    /// Lower and upper end of each bar.
    fn bar_ends(&self) -> impl Iterator<Item = [(f64, f64); 2]> {
        self.points.iter().zip(&self.bars).map(|(&(x, y), half)| [(x, y - half), (x, y + half)])
    }
}

const COLOURS: [RGBColor; 8] = [
    RGBColor(31, 95, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 140, 44),
    RGBColor(230, 130, 20),
    RGBColor(130, 80, 180),
    RGBColor(20, 150, 160),
    RGBColor(120, 90, 60),
    RGBColor(90, 90, 90),
];

impl Plot {
    /// The drawing, of this many pixels; empty if there are no points.
    ///
    /// # Errors
    /// If it cannot be drawn.
    pub fn svg(&self, size: (u32, u32)) -> Result<String> {
        let mut svg = String::new();
        self.draw(&mut svg, size).map_err(|error| anyhow!("cannot draw {}: {error}", self.y_label))?;
        Ok(svg)
    }

    fn draw(&self, svg: &mut String, size: (u32, u32)) -> Result<(), Box<dyn std::error::Error>> {
        let Some((low, high)) = self.range() else { return Ok(()) };
        let last = self.points().map(|point| point.0).fold(1.0, f64::max);
        let root = SVGBackend::with_string(svg, size).into_drawing_area();
        let failed = |error: DrawingAreaErrorKind<_>| -> Box<dyn std::error::Error> { error.to_string().into() };
        root.fill(&WHITE).map_err(failed)?;
        let mut chart = ChartBuilder::on(&root)
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(0.0..last, low..high)
            .map_err(failed)?;
        let mesh = &mut chart.configure_mesh();
        mesh.max_light_lines(1).x_desc(self.x_label).y_desc(&self.y_label);
        mesh.y_label_formatter(&|value| format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').into());
        mesh.draw().map_err(failed)?;
        for series in &self.series {
            let colour = COLOURS[series.colour % COLOURS.len()];
            let points = series.points.iter().map(|&(x, y)| (x, y.clamp(low, high)));
            let bars = series.bar_ends().map(|ends| PathElement::new(ends, colour));
            chart.draw_series(bars).map_err(failed)?;
            let legend = if series.dots {
                let dots = points.map(|point| Circle::new(point, 3, colour.filled()));
                chart.draw_series(dots).map_err(failed)?
            } else {
                chart.draw_series(LineSeries::new(points, colour)).map_err(failed)?
            };
            let dots = series.dots;
            legend.label(&series.label).legend(move |(x, y)| {
                let ends = if dots { vec![(x + 6, y), (x + 10, y)] } else { vec![(x, y), (x + 16, y)] };
                PathElement::new(ends, colour.stroke_width(if dots { 4 } else { 1 }))
            });
        }
        chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw().map_err(failed)?;
        root.present().map_err(failed)?;
        Ok(())
    }

    fn points(&self) -> impl Iterator<Item = &(f64, f64)> {
        self.series.iter().flat_map(|series| &series.points)
    }

    /// What the vertical axis shows: all but the first steps of each line, which are often far from the rest.
    fn range(&self) -> Option<(f64, f64)> {
        let settled = self.series.iter().flat_map(|series| {
            let first = if series.dots { 0 } else { series.points.len() / 20 };
            &series.points[first..]
        });
        let ends = self.series.iter().flat_map(Series::bar_ends).flatten();
        let values = settled.copied().chain(ends).map(|point| point.1);
        let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        let low = values.iter().copied().reduce(f64::min)?;
        let high = values.iter().copied().reduce(f64::max)?;
        let margin = 0.05 * (high - low).max(1e-3 * high.abs()).max(1e-9);
        Some((low - margin, high + margin))
    }
}

/// The running mean `m ← decay m + (1 - decay) y`, from the first point on.
pub fn smoothed(points: &[(f64, f64)], decay: f64) -> Vec<(f64, f64)> {
    let mut mean = points.first().map_or(0.0, |point| point.1);
    let smooth = |&(x, y): &(f64, f64)| {
        mean = decay * mean + (1.0 - decay) * y;
        (x, mean)
    };
    points.iter().map(smooth).collect()
}
