//! The tests of the library as its users see it, in one program: `cargo test -p residual-flows --test model`.
//!
//! | module | what it holds against what |
//! | --- | --- |
//! | `flow_contract` | every layer against its contract: inverse, log-determinant, gradients, state |
//! | `base` | distributions of latents |
//! | `conditional` | densities of samples about which something is known |
//! | `custom_layers` | layers of users, by the same contract and among ours |
//! | `properties` | layers with random settings and inputs |
//! | `architectures` | whole models of every option |
//! | `constraint` | models whose weights have changed |
//! | `log_det` | estimators against exact values |
//! | `lipschitz`, `norm_orders` | norms against exhaustion and double precision |
//! | `fit` | training in one call |
//! | `io` | models in files, whole, damaged and of earlier versions |
//! | `examples` | that the examples run |
//! | `presets` | named architectures against `configs/*.toml` |
//! | `networks`, `reference`, `reference_options` | the numbers of the reference implementation |
//! | `successors` | the numbers of i-DenseNets, Monotone Flows and Implicit Normalizing Flows |

mod architectures;
mod base;
mod conditional;
mod constraint;
mod custom_layers;
mod examples;
mod fit;
mod flow_contract;
mod io;
mod lipschitz;
mod log_det;
mod networks;
mod norm_orders;
mod presets;
mod properties;
mod reference;
mod reference_options;
mod successors;
mod support;
