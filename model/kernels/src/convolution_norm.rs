//! `‖A x‖`, its gradient and `Aᵀ A x` for a convolution `A` on one image, from the side where it is narrow.
//!
//! With neighbourhoods `U` of the narrow image, `A x = U W`. Where `U` has fewer columns than rows, and `W` more of them, the
//! small matrices `W Wᵀ` and `Uᵀ U` give all that is asked for, and the wide image `A x` is never computed. Elsewhere it is: of
//! few pixels with many channels, it is what is small.

use super::InstructionSet;
use super::im2col::{Taps, Window};
use super::inner_product::inner_product;
use super::matmul::{MatrixView, matmul};
use super::microkernel::PANEL;
use super::outer_sum::OuterSum;
use super::packing::{Packed, multiples, padded};
use super::padded_images::{Cell, PaddedImages};
use super::transpose::{transpose, transposed_len};
use super::values::SharedValues;
use super::workspace::Buffer;
use std::sync::OnceLock;

/// A convolution, or its transpose, seen from the side where its taps are unfolded.
pub struct NarrowMap {
    layout: PaddedImages,
    window: Window,
    side: Side,
    channels: usize,
    /// `[out, in, k, k]`
    weight: SharedValues,
    /// Where the elements of each of `U`'s columns, and of each channel of `A x`, stand in the weight.
    columns: Vec<usize>,
    hidden: Vec<usize>,
    gram: OnceLock<Packed>,
    /// `Wᵀ` and `W`, from a pixel's neighbourhood to its features and back.
    there: OnceLock<Packed>,
    back: OnceLock<Packed>,
}

/// Which map `A` is.
#[derive(Clone, Copy)]
pub enum Side {
    /// The convolution itself, which has its narrow side at the input.
    Input,
    /// Its transpose.
    Output,
}

impl Side {
    /// The sign of the taps that unfold `x`.
    fn taps(self) -> Taps {
        match self {
            Side::Input => Taps::Forward,
            Side::Output => Taps::Mirrored,
        }
    }
}

impl NarrowMap {
    /// For a weight `[out, in, k, k]` on images of this height and width.
    pub fn new(side: Side, weight: SharedValues, [out, inputs, kernel, _]: [usize; 4], image: [usize; 2]) -> Self {
        let layout = PaddedImages::new(Cell::Pixel, 1, image, kernel);
        let window = layout.window(kernel, side.taps());
        let taps = window.n_taps();
        let (inputs, outputs) = (multiples(inputs, taps), multiples(out, inputs * taps));
        let (narrow, hidden) = match side {
            Side::Input => (inputs, outputs),
            Side::Output => (outputs, inputs),
        };
        let columns = (0..taps).flat_map(|tap| narrow.iter().map(move |c| tap + c)).collect();
        let [gram, there, back] = [(); 3].map(|()| OnceLock::new());
        Self { layout, window, side, channels: narrow.len(), weight, columns, hidden, gram, there, back }
    }

    fn n_columns(&self) -> usize {
        self.columns.len()
    }

    /// `U` in panels, for `x` of shape `[channels, pixel]`.
    fn unfolded(&self, x: &[f32]) -> Buffer {
        let panels = self.layout.panels();
        let mut out = Buffer::recycled(panels * padded(self.n_columns()) * PANEL);
        let planes = self.layout.import(x, self.channels);
        self.layout.unfold(InstructionSet::best(), &self.window, &planes, 0..panels, &mut out);
        out
    }

    /// `W`, `[k² channels, hidden]`.
    fn matrix(&self) -> Vec<f32> {
        let weight: &[f32] = &self.weight;
        self.columns.iter().flat_map(|column| self.hidden.iter().map(move |hidden| weight[column + hidden])).collect()
    }

    /// Whether the matrices `W Wᵀ` and `Uᵀ U` are smaller than `A x`.
    fn has_small_gram(&self) -> bool {
        self.n_columns() <= self.layout.cells().min(self.hidden.len())
    }

    /// `A x` in panels, from `U`; and `‖A x‖²`.
    fn image(&self, unfolded: &[f32]) -> (Buffer, f64) {
        let there = self.there.get_or_init(|| Packed::gather(&self.weight, &self.hidden, &self.columns, 1.0));
        let mut image = Buffer::recycled(self.layout.panels() * padded(self.hidden.len()) * PANEL);
        let mut squares = 0.0;
        there.product(InstructionSet::best(), unfolded, &mut image, self.layout.cells(), |_, rows| {
            squares += inner_product(rows, rows);
        });
        (image, squares)
    }

    /// `W Wᵀ`, `[k² channels, k² channels]`.
    fn gram_matrix(&self) -> &Packed {
        self.gram.get_or_init(|| {
            let (n, matrix) = (self.n_columns(), self.matrix());
            let w = MatrixView::new(&matrix, [n, self.hidden.len()]);
            Packed::new(&matmul(w, w.transposed()), n, n)
        })
    }

    /// With `σ = ‖A x‖` and a bound `c`, from the gradient by `Ŵ = W / f`, `f = max(1, σ/c)`, the one by `W`, `[out, in, k, k]`:
    /// `W̄ = Ŵ̄ / f - [σ > c] ⟨Ŵ̄, W⟩ / (f² c) · ∂σ/∂W`.
    pub fn pull_bound(&self, x: &[f32], bound: f64, gradient: &[f32]) -> Vec<f32> {
        // The gradient of `½σ²` is `σ ∂σ/∂W`.
        let (mut out, squares) = self.weight_gradient(x);
        let sigma = squares.sqrt();
        if sigma <= bound {
            return gradient.to_vec();
        }
        let factor = sigma / bound;
        let along = inner_product(gradient, &self.weight) / (factor * factor * bound * sigma);
        let (inverse, along) = ((1.0 / factor) as f32, along as f32);
        out.iter_mut().zip(gradient).for_each(|(out, gradient)| *out = gradient * inverse - *out * along);
        out
    }

    /// `W` of a single pixel, `[channels, hidden]`.
    fn pixel_matrix(&self) -> MatrixView<'_, f32> {
        let (n, m) = (self.channels, self.hidden.len());
        match self.side {
            Side::Input => MatrixView::new(&self.weight, [m, n]).transposed(),
            Side::Output => MatrixView::new(&self.weight, [n, m]),
        }
    }

    /// `A x` of a single pixel.
    fn pixel_image(&self, x: &[f32]) -> Vec<f32> {
        matmul(MatrixView::new(x, [1, x.len()]), self.pixel_matrix())
    }

    fn is_pixel(&self) -> bool {
        self.layout.cells() == 1 && self.window.n_taps() == 1
    }

    /// `‖A x‖²`.
    pub fn squares(&self, x: &[f32]) -> f64 {
        if self.is_pixel() {
            let image = self.pixel_image(x);
            return inner_product(&image, &image);
        }
        match self.has_small_gram() {
            true => self.gram(x).1,
            false => self.image(&self.unfolded(x)).1,
        }
    }

    /// `Aᵀ A x` and `‖A x‖²`.
    pub fn gram(&self, x: &[f32]) -> (Vec<f32>, f64) {
        if self.is_pixel() {
            let image = self.pixel_image(x);
            let back = matmul(MatrixView::new(&image, [1, image.len()]), self.pixel_matrix().transposed());
            return (back, inner_product(&image, &image));
        }
        let (set, panels, n) = (InstructionSet::best(), self.layout.panels(), self.n_columns());
        let mut product = Buffer::recycled(panels * padded(n) * PANEL);
        let unfolded = self.unfolded(x);
        if self.has_small_gram() {
            self.gram_matrix().product(set, &unfolded, &mut product, self.layout.cells(), |_, _| ());
        } else {
            let back = self.back.get_or_init(|| Packed::gather(&self.weight, &self.columns, &self.hidden, 1.0));
            back.product(set, &self.image(&unfolded).0, &mut product, self.layout.cells(), |_, _| ());
        }
        let planes = self.layout.fold(set, &self.window, &product, self.channels);
        let mut out = vec![0.0; x.len()];
        self.layout.export(&planes, self.channels, &mut out);
        let squares = inner_product(&out, x);
        (out, squares)
    }

    /// The gradient of `½‖A x‖²` by the weight, `[out, in, k, k]`, and `‖A x‖²`.
    fn weight_gradient(&self, x: &[f32]) -> (Vec<f32>, f64) {
        if self.is_pixel() {
            let image = self.pixel_image(x);
            let (rows, columns) = match self.side {
                Side::Input => (&image[..], x),
                Side::Output => (x, &image[..]),
            };
            let mut gradient = vec![0.0; self.weight.len()];
            for (line, row) in gradient.chunks_exact_mut(columns.len()).zip(rows) {
                line.iter_mut().zip(columns).for_each(|(value, column)| *value = row * column);
            }
            return (gradient, inner_product(&image, &image));
        }
        let (n, m) = (self.n_columns(), self.hidden.len());
        let u = self.unfolded(x);
        let mut exchanged = Buffer::recycled(transposed_len(n, self.layout.panels()));
        transpose(InstructionSet::best(), n, &u, &mut exchanged, self.layout.cells());
        let mut gradient = vec![0.0; self.weight.len()];
        if !self.has_small_gram() {
            // `Uᵀ (U W)`
            let (image, squares) = self.image(&u);
            let mut sum = OuterSum::new(m, n);
            sum.add(InstructionSet::best(), &image, &exchanged, self.layout.cells());
            sum.scatter(&mut gradient, &self.hidden, &self.columns);
            return (gradient, squares);
        }
        let mut squares = OuterSum::new(n, n);
        squares.add(InstructionSet::best(), &u, &exchanged, self.layout.cells());
        // `(Uᵀ U) W`
        let (squares, matrix) = (squares.matrix(), self.matrix());
        let product = matmul(MatrixView::new(&squares, [n, n]), MatrixView::new(&matrix, [n, m]));
        // `½‖A x‖²` is homogeneous in the weight, of degree two.
        let length = inner_product(&product, &matrix);
        for (row, column) in product.chunks_exact(m).zip(&self.columns) {
            row.iter().zip(&self.hidden).for_each(|(value, hidden)| gradient[column + hidden] = *value);
        }
        (gradient, length)
    }
}
