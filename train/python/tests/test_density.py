"""The estimator keeps scikit-learn's contracts."""

import pickle
from typing import Any

import numpy as np
import pytest
from conftest import SMALL
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from residual_flows import ResidualFlowDensity

X = np.random.default_rng(0).normal([0, 10], [1, 0.1], (120, 2))
FAST = {key: value for key, value in SMALL.items() if key != "run.max_steps"}


@parametrize_with_checks([ResidualFlowDensity(max_steps=3, settings=FAST)])  # type: ignore[untyped-decorator]
def test_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


def density(**parameters: Any) -> ResidualFlowDensity:
    return ResidualFlowDensity(**{"max_steps": 40, "settings": FAST, "random_state": 0, **parameters})


def test_densities_are_those_of_the_model_and_repeat() -> None:
    first, second = density().fit(X), density().fit(X)
    np.testing.assert_array_equal(first.score_samples(X), second.score_samples(X))
    np.testing.assert_array_equal(first.score_samples(X), first.flow_.log_prob(X))
    assert first.score(X) == pytest.approx(first.score_samples(X).mean())
    assert not np.array_equal(density(random_state=1).fit(X).score_samples(X), first.score_samples(X))
    # Better than a normal density that is ten times too wide, per unit of the columns.
    assert first.score(X) > -0.5 - np.log(2 * np.pi * 1.0 * 0.1) - np.log(10)


def test_pipelines_searches_and_pickles() -> None:
    search = GridSearchCV(density(), {"settings": [FAST, {**FAST, "optim.learning_rate": 1e-3}]}, cv=2)
    pipeline = make_pipeline(StandardScaler(), search).fit(X)
    assert np.isfinite(pipeline.score(X))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_
    again = pickle.loads(pickle.dumps(best))
    np.testing.assert_array_equal(again.score_samples(X), best.score_samples(X))
    assert clone(best).get_params()["max_steps"] == 40


def test_samples_are_like_the_rows() -> None:
    fitted = density(max_steps=200).fit(X)
    samples = fitted.sample(400, random_state=3)
    assert samples.shape == (400, 2)
    np.testing.assert_allclose(samples.mean(0), X.mean(0), atol=0.5)
    np.testing.assert_array_equal(samples, fitted.sample(400, random_state=3))


def test_sample_weights_are_refused_with_advice() -> None:
    with pytest.raises(TypeError, match="sample_weight.*repeat rows"):
        density().fit(X, sample_weight=np.ones(len(X)))
