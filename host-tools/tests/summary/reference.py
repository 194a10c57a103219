#!/usr/bin/env python3
"""Writes reference.json: values, and what numpy and scipy say of them. tests/summary.rs compares it with what Mayfly says.

Made with numpy 2.4.6 and scipy 1.17.1: `python3 reference.py > reference.json`.
"""
import json

import numpy
import scipy.stats

SIZES = [5, 20, 100, 999, 1000]
RESAMPLES = 20_000


def samples(size, random):
    """Whole numbers, as from a clock, so that nothing is lost on the way through JSON."""
    normal = random.normal(10_000, 1_000, size)
    outliers = normal.copy()
    outliers[:: max(size // 10, 2)] *= 4
    yield "normal", normal
    yield "lognormal", random.lognormal(8, 1, size)
    yield "ties", random.integers(1, 7, size)
    yield "outliers", outliers


def figures(values):
    """Percentiles by the nearest rank, Tukey's fences, and the bootstrap's percentile interval of the median.

    Quantiles and not percentiles: 99.9 / 100 * 1000 is more than 999 in floating point, 0.999 * 1000 is not.
    """
    low, high = numpy.quantile(values, [0.25, 0.75], method="inverted_cdf")
    reach = 1.5 * (high - low)
    bootstrap = scipy.stats.bootstrap(
        (values,), numpy.median, n_resamples=RESAMPLES, batch=1_000, confidence_level=0.95, method="percentile", random_state=1
    )
    return {
        "min": float(numpy.min(values)),
        "median": float(numpy.median(values)),
        "p95": float(numpy.quantile(values, 0.95, method="inverted_cdf")),
        "p99": float(numpy.quantile(values, 0.99, method="inverted_cdf")),
        "p99_9": float(numpy.quantile(values, 0.999, method="inverted_cdf")),
        "max": float(numpy.max(values)),
        "interval": [float(bootstrap.confidence_interval.low), float(bootstrap.confidence_interval.high)],
        "outliers": int(((values < low - reach) | (values > high + reach)).sum()),
    }


def main():
    random = numpy.random.default_rng(20_260_101)
    cases = []
    for size in SIZES:
        for name, values in samples(size, random):
            values = numpy.rint(values).astype(int)
            case = {"name": f"{name}, {size}", "values": values.tolist(), **figures(values.astype(float))}
            cases.append(json.dumps(case))
    print("[\n" + ",\n".join(cases) + "\n]")


if __name__ == "__main__":
    main()
