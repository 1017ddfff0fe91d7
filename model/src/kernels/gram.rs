//! `‖A x‖`, its gradient and `Aᵀ A x` for a convolution `A` on one image, from the side where it is narrow.
//!
//! With neighbourhoods `U` of the narrow image, `A x = U W`. A few columns of `U` and many of `W`: then the small matrices
//! `W Wᵀ` and `Uᵀ U` give all that is asked for, and the wide image `A x` is never computed.

use super::InstructionSet;
use super::field::{Field, Taps, Window, inner_product};
use super::matmul::{View, matmul};
use super::matrix::{OuterSum, Packed, padded, transpose, transposed_len};
use super::pool::Buffer;
use super::tile::PANEL;
use std::sync::OnceLock;

/// A convolution, or its transpose, seen from the side where its taps are unfolded.
pub(crate) struct NarrowMap {
    field: Field,
    window: Window,
    side: Side,
    channels: usize,
    /// Channels of `A x`.
    hidden: usize,
    weight: Vec<f32>,
    gram: OnceLock<Packed>,
}

/// Which map `A` is.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    /// The convolution itself: the weight is `[k² channels, hidden]`.
    Input,
    /// Its transpose: the weight is `[hidden, k² channels]`.
    Output,
}

impl Side {
    /// The signs of the taps that unfold `x` and fold the result.
    fn taps(self) -> [Taps; 2] {
        match self {
            Side::Input => [Taps::Forward, Taps::Mirrored],
            Side::Output => [Taps::Mirrored, Taps::Forward],
        }
    }
}

impl NarrowMap {
    /// For a `kernel×kernel` kernel on images of this height and width with so many channels.
    pub fn new(side: Side, weight: Vec<f32>, channels: usize, kernel: usize, image: [usize; 2]) -> Self {
        let field = Field::new(1, image, kernel);
        let window = field.window(kernel);
        let hidden = weight.len() / (window.n_taps() * channels);
        Self { field, window, side, channels, hidden, weight, gram: OnceLock::new() }
    }

    fn columns(&self) -> usize {
        self.window.n_taps() * self.channels
    }

    /// `U` in panels, for `x` of shape `[channels, pixel]`.
    fn unfolded(&self, x: &[f32]) -> Buffer {
        let panels = self.field.panels();
        let mut out = Buffer::stale(panels * padded(self.columns()) * PANEL);
        let planes = self.field.import(x, self.channels);
        self.field.unfold(InstructionSet::best(), &self.window, self.side.taps()[0], &planes, 0..panels, &mut out);
        out
    }

    fn weight(&self) -> View<'_> {
        match self.side {
            Side::Input => View::new(&self.weight, [self.columns(), self.hidden]),
            Side::Output => View::new(&self.weight, [self.hidden, self.columns()]),
        }
    }

    /// `W Wᵀ` or `Wᵀ W`, `[k² channels, k² channels]`.
    fn gram_matrix(&self) -> &Packed {
        self.gram.get_or_init(|| {
            let (n, w) = (self.columns(), self.weight());
            let gram = match self.side {
                Side::Input => matmul(w, w.transposed()),
                Side::Output => matmul(w.transposed(), w),
            };
            Packed::new(&gram, n, n)
        })
    }

    /// `A x` of a single pixel.
    fn pixel_image(&self, x: &[f32]) -> Vec<f32> {
        let x = View::new(x, [1, x.len()]);
        match self.side {
            Side::Input => matmul(x, self.weight()),
            Side::Output => matmul(x, self.weight().transposed()),
        }
    }

    fn is_pixel(&self) -> bool {
        self.field.pixels() == 1 && self.window.n_taps() == 1
    }

    /// `‖A x‖²`.
    pub fn squares(&self, x: &[f32]) -> f64 {
        if self.is_pixel() {
            let image = self.pixel_image(x);
            return inner_product(&image, &image);
        }
        if self.columns() <= self.field.pixels() {
            return self.gram(x).1;
        }
        let w = match self.side {
            Side::Input => Packed::transpose_of(&self.weight, self.hidden, self.columns()),
            Side::Output => Packed::new(&self.weight, self.hidden, self.columns()),
        };
        let mut image = Buffer::stale(self.field.panels() * padded(self.hidden) * PANEL);
        let mut squares = 0.0;
        w.product(InstructionSet::best(), &self.unfolded(x), &mut image, self.field.pixels(), |_, rows| {
            squares += inner_product(rows, rows);
        });
        squares
    }

    /// `Aᵀ A x` and `‖A x‖²`.
    pub fn gram(&self, x: &[f32]) -> (Vec<f32>, f64) {
        if self.is_pixel() {
            let image = self.pixel_image(x);
            let y = View::new(&image, [1, self.hidden]);
            let back = match self.side {
                Side::Input => matmul(y, self.weight().transposed()),
                Side::Output => matmul(y, self.weight()),
            };
            return (back, inner_product(&image, &image));
        }
        let (set, panels, n) = (InstructionSet::best(), self.field.panels(), self.columns());
        let mut product = Buffer::stale(panels * padded(n) * PANEL);
        self.gram_matrix().product(set, &self.unfolded(x), &mut product, self.field.pixels(), |_, _| ());
        let planes = self.field.fold(set, &self.window, self.side.taps()[1], &product, self.channels);
        let mut out = vec![0.0; x.len()];
        self.field.export(&planes, self.channels, &mut out);
        let squares = inner_product(&out, x);
        (out, squares)
    }

    /// The gradient of `½‖A x‖²` by the weight, in its layout, and `‖A x‖²`.
    pub fn weight_gradient(&self, x: &[f32]) -> (Vec<f32>, f64) {
        let n = self.columns();
        let u = self.unfolded(x);
        let mut exchanged = Buffer::stale(transposed_len(n, self.field.panels()));
        transpose(n, &u, &mut exchanged, self.field.pixels());
        let mut squares = OuterSum::new(n, n);
        squares.add(InstructionSet::best(), &u, &exchanged, self.field.pixels());
        let squares = squares.matrix();
        let (squares, w) = (View::new(&squares, [n, n]), self.weight());
        let gradient = match self.side {
            Side::Input => matmul(squares, w),
            Side::Output => matmul(w, squares),
        };
        // `½‖A x‖²` is homogeneous in the weight, of degree two.
        let length = inner_product(&gradient, &self.weight);
        (gradient, length)
    }
}
