"""Points of a mixture of three normal distributions on the plane, with the number of each point's component; and what is known of it.

    python3 experiments/mixture.py > data/mixture/points.csv
    python3 experiments/mixture.py --entropies
"""

import math
import random
import sys

WEIGHTS = [0.5, 0.3, 0.2]
# Of each component: centre, and a matrix A of its covariance A Aᵀ.
COMPONENTS = [
    ((-1.0, 0.4), ((0.9, 0.0), (0.5, 0.4))),
    ((1.2, 0.8), ((0.4, 0.0), (-0.3, 0.6))),
    ((0.2, -1.0), ((0.8, 0.0), (0.0, 0.35))),
]


def drawn(rng):
    component = rng.choices(range(len(WEIGHTS)), WEIGHTS)[0]
    (cx, cy), ((a, b), (c, d)) = COMPONENTS[component]
    u, v = rng.gauss(0, 1), rng.gauss(0, 1)
    return cx + a * u + b * v, cy + c * u + d * v, component


def log_density(x, y, component):
    (cx, cy), ((a, b), (c, d)) = COMPONENTS[component]
    det = a * d - b * c
    u, v = (d * (x - cx) - b * (y - cy)) / det, (a * (y - cy) - c * (x - cx)) / det
    return -0.5 * (u * u + v * v) - math.log(2 * math.pi) - math.log(abs(det))


def entropies(n=1_000_000):
    """Nats of a point given its component, of a point, and how often Bayes' rule is right, by n draws; with equal priors too."""
    rng = random.Random(2)
    given = whole = right = right_equal = 0.0
    for _ in range(n):
        x, y, component = drawn(rng)
        logs = [log_density(x, y, other) for other in range(len(WEIGHTS))]
        joint = [log + math.log(weight) for log, weight in zip(logs, WEIGHTS)]
        given -= logs[component]
        largest = max(joint)
        whole -= largest + math.log(sum(math.exp(value - largest) for value in joint))
        right += joint[component] == largest
        right_equal += logs[component] == max(logs)
    return given / n, whole / n, right / n, right_equal / n


if __name__ == "__main__":
    if "--entropies" in sys.argv:
        print("H(x | component) {:.4f}, H(x) {:.4f} nats, Bayes {:.4f}, with equal priors {:.4f}".format(*entropies()))
    else:
        rng = random.Random(1)
        print("x,y,component")
        for _ in range(4000):
            x, y, component = drawn(rng)
            print(f"{x:.4f},{y:.4f},{component}")
