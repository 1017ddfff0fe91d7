"""An estimator for scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ._fit import fit
from ._flow import Flow

#: Rows that are needed: for training, of which there is a standard deviation, for validation and for testing.
FEWEST = 4


class ResidualFlowDensity(DensityMixin, BaseEstimator):  # type: ignore[misc]
    """The density of a table of numbers, estimated by a Residual Flow.

    Columns are standardised; log-densities are in nats per unit of the columns. Some rows are held out to choose the best weights,
    and to end training early. Sample weights are refused: repeat rows, or draw them with the weights as probabilities.

    Parameters
    ----------
    config : str, path or dict, default="tabular"
        Settings to start from, as in `residual_flows.fit`.
    max_steps : int, default=None
        Steps of training at most; those of `config` by default.
    patience : int, default=None
        Training ends after this many evaluations in a row that were no better than the best; that of `config` by default.
    validation_fraction : float, default=0.1
        The part of the rows that is held out.
    settings : dict, default=None
        Further settings, such as `{"model.blocks": [8], "optim.learning_rate": 5e-3}`.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights, the order of rows and all noise. The same number gives the same model, bit for bit.
    progress : bool, default=False
        Show a bar, if tqdm is installed.

    Attributes
    ----------
    flow_ : residual_flows.Flow
        The model.
    n_features_in_ : int
        The number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        The names of the columns, of a table that had names.

    Examples
    --------
    >>> import numpy as np
    >>> from residual_flows import ResidualFlowDensity
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> density = ResidualFlowDensity(max_steps=50, random_state=0).fit(X)
    >>> density.score_samples(X).shape
    (200,)
    """

    def __init__(
        self,
        *,
        config: str | PathLike[str] | Mapping[str, Any] = "tabular",
        max_steps: int | None = None,
        patience: int | None = None,
        validation_fraction: float = 0.1,
        settings: Mapping[str, Any] | None = None,
        random_state: Any = None,
        progress: bool = False,
    ) -> None:
        self.config = config
        self.max_steps = max_steps
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.settings = settings
        self.random_state = random_state
        self.progress = progress

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> ResidualFlowDensity:
        """Train on the rows of `X`, of shape (n_samples, n_features).

        `y` is ignored. Raises `TypeError` for `sample_weight`, which training does not know.
        """
        if fit_params:
            raise TypeError(
                f"fit takes X alone, but {', '.join(fit_params)} was given; in the place of sample_weight, repeat rows, or draw them "
                "with the weights as probabilities"
            )
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=FEWEST)
        settings: dict[str, Any] = {
            "run.seed": int(check_random_state(self.random_state).randint(2**31 - 1)),
            "data.validation_fraction": self.validation_fraction,
            # One row: scikit-learn has tests of its own.
            "data.test_fraction": 1e-9,
        }
        limits = {"run.max_steps": self.max_steps, "run.patience": self.patience}
        settings.update({key: value for key, value in limits.items() if value is not None})
        settings.update(self.settings or {})
        self.flow_: Flow = fit(X, self.config, settings=settings, progress=self.progress)
        return self

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """`ln p(x)` of each row in nats, of shape (n_samples,)."""
        check_is_fitted(self)
        return self.flow_.log_prob(validate_data(self, X, dtype=np.float64, reset=False))

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `ln p(x)` over the rows, nats. `y` is ignored."""
        return float(np.mean(self.score_samples(X)))

    def sample(self, n_samples: int = 1, random_state: Any = None) -> npt.NDArray[np.float64]:
        """New rows, of shape (n_samples, n_features)."""
        check_is_fitted(self)
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        return self.flow_.sample(n_samples, seed=seed)
