#!/usr/bin/env python3
"""Writes distributions.json: what scipy says of distributions and of differences. tests/summary.rs compares it.

Made with numpy 2.4.6 and scipy 1.17.1: `python3 distributions.py > distributions.json`.
"""
import json

import numpy
import scipy.stats

SIZES = [1, 5, 20, 300]
RESAMPLES = 20_000


def main():
    random = numpy.random.default_rng(20_260_102)
    cases = []
    for size in SIZES:
        # Whole numbers with ties; the second series follows the first, as a boot follows its floor.
        one = random.integers(200, 240, size).astype(float)
        other = one + random.integers(50, 70, size)
        cdf = scipy.stats.ecdf(other).cdf
        case = {
            "one": one.tolist(),
            "other": other.tolist(),
            "values": cdf.quantiles.tolist(),
            "shares": cdf.probabilities.tolist(),
            "difference": float(numpy.median(other - one)),
        }
        if size > 1:
            bootstrap = scipy.stats.bootstrap(
                (other, one),
                lambda other, one, axis: numpy.median(other - one, axis=axis),
                paired=True,
                vectorized=True,
                n_resamples=RESAMPLES,
                confidence_level=0.95,
                method="percentile",
                random_state=1,
            )
            case["interval"] = [float(bootstrap.confidence_interval.low), float(bootstrap.confidence_interval.high)]
        else:
            # Of one value, scipy knows none.
            case["interval"] = [case["difference"]] * 2
        cases.append(json.dumps(case))
    print("[\n" + ",\n".join(cases) + "\n]")


if __name__ == "__main__":
    main()
