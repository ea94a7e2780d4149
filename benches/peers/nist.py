"""NIST's problems of least squares by SciPy, and the table of all; `nist.sh` runs it.

usage: nist.py FOLDER RESULTS [--cpu NAME]      RESULTS are the lines of the program `nist`
"""

import json
import math
import pathlib
import sys
import time
import warnings

import numpy as np
import scipy
from scipy.optimize import least_squares, leastsq

exp, log, pi = np.exp, np.log, math.pi


def two_exponentials(x, b):
    e = exp(-b[1] * x)
    u, v = (x - b[3]) / b[4], (x - b[6]) / b[7]
    g, h = exp(-u * u), exp(-v * v)
    value = b[0] * e + b[2] * g + b[5] * h
    return value, [
        e, -b[0] * x * e,
        g, b[2] * g * 2 * u / b[4], b[2] * g * 2 * u * u / b[4],
        h, b[5] * h * 2 * v / b[7], b[5] * h * 2 * v * v / b[7],
    ]  # fmt: skip


def lanczos(x, b):
    e = [exp(-b[k] * x) for k in (1, 3, 5)]
    value = b[0] * e[0] + b[2] * e[1] + b[4] * e[2]
    return value, [e[0], -b[0] * x * e[0], e[1], -b[2] * x * e[1], e[2], -b[4] * x * e[2]]


def misra1a(x, b):
    e = exp(-b[1] * x)
    return b[0] * (1 - e), [1 - e, b[0] * x * e]


def misra1b(x, b):
    p = 1 + b[1] * x / 2
    return b[0] * (1 - p**-2.0), [1 - p**-2.0, b[0] * x * p**-3.0]


def misra1c(x, b):
    p = 1 + 2 * b[1] * x
    return b[0] * (1 - p**-0.5), [1 - p**-0.5, b[0] * x * p**-1.5]


def misra1d(x, b):
    p = 1 + b[1] * x
    return b[0] * b[1] * x / p, [b[1] * x / p, b[0] * x / (p * p)]


def chwirut(x, b):
    e, p = exp(-b[0] * x), b[1] + b[2] * x
    return e / p, [-x * e / p, -e / (p * p), -x * e / (p * p)]


def danwood(x, b):
    p = x ** b[1]
    return b[0] * p, [p, b[0] * p * log(x)]


def kirby(x, b):
    n, d = b[0] + (b[1] + b[2] * x) * x, 1 + (b[3] + b[4] * x) * x
    q = n / d
    return q, [1 / d, x / d, x * x / d, -q * x / d, -q * x * x / d]


def hahn(x, b):
    n = b[0] + (b[1] + (b[2] + b[3] * x) * x) * x
    d = 1 + (b[4] + (b[5] + b[6] * x) * x) * x
    q, x2, x3 = n / d, x * x, x * x * x
    return q, [1 / d, x / d, x2 / d, x3 / d, -q * x / d, -q * x2 / d, -q * x3 / d]


def mgh17(x, b):
    e, f = exp(-b[3] * x), exp(-b[4] * x)
    return b[0] + b[1] * e + b[2] * f, [np.ones_like(x), e, f, -b[1] * x * e, -b[2] * x * f]


def roszman(x, b):
    d = x - b[3]
    r = 1 + (b[2] / d) ** 2
    return (
        b[0] - b[1] * x - np.arctan(b[2] / d) / pi,
        [np.ones_like(x), -x, -1 / (d * r * pi), -b[2] / (d * d * r * pi)],
    )


def enso(x, b):
    year, u, v = 2 * pi * x / 12, 2 * pi * x / b[3], 2 * pi * x / b[6]
    cu, su, cv, sv = np.cos(u), np.sin(u), np.cos(v), np.sin(v)
    cy, sy = np.cos(year), np.sin(year)
    return (
        b[0] + b[1] * cy + b[2] * sy + b[4] * cu + b[5] * su + b[7] * cv + b[8] * sv,
        [
            np.ones_like(x), cy, sy, (b[4] * su - b[5] * cu) * u / b[3], cu, su,
            (b[7] * sv - b[8] * cv) * v / b[6], cv, sv,
        ],
    )  # fmt: skip


def mgh09(x, b):
    n, d = x * x + x * b[1], x * x + x * b[2] + b[3]
    q = b[0] * n / d
    return q, [n / d, b[0] * x / d, -q * x / d, -q / d]


def rat42(x, b):
    e = exp(b[1] - b[2] * x)
    d = 1 + e
    return b[0] / d, [1 / d, -b[0] * e / (d * d), b[0] * x * e / (d * d)]


def rat43(x, b):
    e = exp(b[1] - b[2] * x)
    d = 1 + e
    p = d ** (-1 / b[3])
    slope = -b[0] * p * e / (d * b[3])
    return b[0] * p, [p, slope, -x * slope, b[0] * p * log(d) / b[3] ** 2]


def mgh10(x, b):
    d = x + b[2]
    e = exp(b[1] / d)
    return b[0] * e, [e, b[0] * e / d, -b[0] * e * b[1] / (d * d)]


def eckerle(x, b):
    u = (x - b[2]) / b[1]
    e = exp(-0.5 * u * u)
    q = b[0] / b[1] * e
    return q, [e / b[1], q * (u * u - 1) / b[1], q * u / b[1]]


def bennett(x, b):
    d = b[1] + x
    p = d ** (-1 / b[2])
    return b[0] * p, [p, -b[0] * p / (d * b[2]), b[0] * p * log(d) / b[2] ** 2]


def nelson(x, b):
    e = exp(-b[2] * x[1])
    return b[0] - b[1] * x[0] * e, [np.ones_like(e), -x[0] * e, b[1] * x[0] * x[1] * e]


MODELS = {
    "Misra1a": misra1a, "Chwirut2": chwirut, "Chwirut1": chwirut, "Lanczos3": lanczos, "Gauss1": two_exponentials,
    "Gauss2": two_exponentials, "DanWood": danwood, "Misra1b": misra1b, "Kirby2": kirby, "Hahn1": hahn, "MGH17": mgh17,
    "Lanczos1": lanczos, "Lanczos2": lanczos, "Gauss3": two_exponentials, "Misra1c": misra1c, "Misra1d": misra1d,
    "Roszman1": roszman, "ENSO": enso, "MGH09": mgh09, "Thurber": hahn, "BoxBOD": misra1a, "Rat42": rat42,
    "MGH10": mgh10, "Eckerle4": eckerle, "Rat43": rat43, "Bennett5": bennett, "Nelson": nelson,
}  # fmt: skip


def read(path):
    """The starts, the certified parameters, and the columns of the data."""
    starts, certified, text = ([], []), [], path.read_text()
    for line in text.splitlines():
        name, equals, values = line.partition("=")
        if equals and name.strip()[:1] == "b" and name.strip()[1:].isdigit() and len(values.split()) == 4:
            first, second, exact, _ = map(float, values.split())
            starts[0].append(first)
            starts[1].append(second)
            certified.append(exact)
    rows = text.rpartition("\nData:")[2].splitlines()[1:]
    columns = np.array([[float(value) for value in row.split()] for row in rows if row.strip()]).T
    return starts, np.array(certified), np.ascontiguousarray(columns)


def methods(model, x, y):
    """SciPy's ways to fit, with exact Jacobians and its smallest tolerances."""
    tolerances = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}

    def residuals(b):
        return model(x, b)[0] - y

    def jacobian(b):
        return np.array(model(x, b)[1]).T

    def transposed(b):
        return np.array(model(x, b)[1])

    return {
        "SciPy leastsq": lambda start: leastsq(
            residuals, start, Dfun=transposed, col_deriv=True, maxfev=10000, full_output=True, **tolerances
        )[0],
        "SciPy lm": lambda start: least_squares(
            residuals, start, jacobian, method="lm", max_nfev=10000, **tolerances
        ).x,
        "SciPy trf": lambda start: least_squares(
            residuals, start, jacobian, method="trf", x_scale="jac", max_nfev=10000, **tolerances
        ).x,
    }


def digits(found, certified):
    with np.errstate(divide="ignore"):
        each = -np.log10(np.abs((found - certified) / certified))
    return float(min(11.0, np.min(np.nan_to_num(each, nan=-99.0, posinf=11.0, neginf=-99.0))))


def measure(folder):
    results = []
    for name, model in MODELS.items():
        starts, certified, columns = read(folder / f"{name}.dat")
        y, x = columns[0], columns[1]
        if name == "Nelson":
            y, x = log(y), columns[1:]
        for library, fit in methods(model, x, y).items():
            for index, start in enumerate(starts):
                start = np.array(start)
                least, until = math.inf, time.perf_counter() + 0.15
                while True:
                    before = time.perf_counter()
                    found = fit(start)
                    now = time.perf_counter()
                    least = min(least, now - before)
                    if now > until:
                        break
                row = {"library": library, "problem": name, "start": index + 1, "seconds": least}
                results.append(row | {"digits": digits(found, certified)})
    return results


def main():
    folder, own = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    results = [json.loads(line) for line in own.read_text().splitlines()] + measure(folder)
    of = {}
    for row in results:
        of.setdefault(row["library"], {})[row["problem"], row["start"]] = row
    ours = of["monomorph"]
    print(f"| {'library':<20} | {'solved':>8} | {'fewest digits':>13} | {'time of all':>11} | {'÷ ours':>7} | {'each ÷ ours':>11} |")
    print(f"|{'-' * 22}|{'-' * 9}:|{'-' * 14}:|{'-' * 12}:|{'-' * 8}:|{'-' * 12}:|")
    for library, rows in of.items():
        solved = [key for key, row in rows.items() if row["digits"] >= 6.0]
        total = sum(rows[key]["seconds"] for key in ours)
        mean = math.exp(sum(math.log(rows[key]["seconds"] / ours[key]["seconds"]) for key in ours) / len(ours))
        total_ours = sum(ours[key]["seconds"] for key in ours)
        fewest = min(row["digits"] for row in rows.values())
        print(
            f"| {library:<20} | {len(solved):>2} of {len(ours)} | {max(fewest, 0.0):>13.1f} | {total * 1e3:>8.2f} ms |"
            f" {total / total_ours:>6.1f}× | {mean:>10.1f}× |"
        )
    print(f"\nSciPy {scipy.__version__}, NumPy {np.__version__}")
    if "--all" in sys.argv:
        for key in ours:
            cells = (f"{rows[key]['seconds'] * 1e6:>9.1f} ({rows[key]['digits']:>5.1f})" for rows in of.values())
            print(f"{key[0]:<9} {key[1]} {' '.join(cells)}")


main()
