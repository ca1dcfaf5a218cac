"""Metrics against other people's code, and against what papers print."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf
from judge_table import Row
from scipy import optimize, stats
from sklearn import metrics as witness
from statsmodels.stats.anova import anova_lm

from capnet.evaluation.protocols.grades import Bhs, Ieee1708
from capnet.evaluation.protocols.iso81060_2 import Iso81060Part2, largest_sd
from capnet.evaluation.protocols.iso81060_3 import Iso81060Part3
from capnet.metrics import (
    agreement,
    changes,
    error,
    indices,
    relative,
    repeated,
    waveform,
)
from capnet.metrics.amplification import amplification_r2, per_subject_amplification_r2
from capnet.metrics.per_subject import (
    per_subject_bias,
    per_subject_mae,
    per_subject_r2,
    per_subject_rmse,
    per_subject_sd,
)
from capnet.signal import augmentation, ejection_time, pressure_levels

BAR: Final = 1e-9
PUBLISHED: Final = Path(__file__).parents[1] / "tests" / "metrics" / "published"

_BUMPS: Final = (
    (0.9, 1.1, 0.14, 0.18, 0.08),
    (0.3, 1.1, 0.25, 0.31, 0.07),
    (0.2, 0.35, 0.45, 0.5, 0.07),
)
"""Upstroke, late systole and dicrotic wave: least and largest height and place, width,
in parts of the pulse and of the beat."""

Draw = dict[str, np.ndarray]
Pair = tuple[object, object]


def _draw(seed: int) -> Draw:
    """Made-up beats: unequally many a subject, errors of persons and of beats."""
    rng = np.random.default_rng(seed)
    people = int(rng.integers(20, 60))
    subject = np.repeat(np.arange(people), rng.integers(2, 9, people))
    n = len(subject)
    reference = 120 + rng.normal(0, 14, people)[subject] + rng.normal(0, 6, n)
    person = rng.normal(0, 5, people)[subject]
    predicted = 0.8 * reference + 22 + person + rng.normal(0, 3, n)
    phase = np.arange(64) / 64
    wave = np.full((n, 64), 80.0)
    for low, high, begin, end, width in _BUMPS:
        centre, height = (rng.uniform(*x, (n, 1)) for x in ((begin, end), (low, high)))
        wave += 40 * height * np.exp(-(((phase - centre) / width) ** 2))
    guess = np.roll(wave, 2, axis=1) + rng.normal(0, 3, wave.shape)
    held, arm = reference + rng.normal(0, 8, n), reference + rng.normal(9, 4, n)
    return {
        "p": predicted,
        "r": reference,
        "s": subject,
        "held": held,
        "arm": arm,
        "wave": wave,
        "guess": guess,
        "duration": rng.uniform(0.6, 1.2, n),
    }


def _by_subject(values: np.ndarray, subject: np.ndarray) -> pd.Series:
    return pd.Series(values).groupby(subject).mean()


def _numbers(d: Draw) -> Iterator[tuple[str, Pair]]:
    p, r, s, arm = d["p"], d["r"], d["s"], d["arm"]
    e = p - r
    yield "MAE (sklearn)", (error.mae(p, r), witness.mean_absolute_error(r, p))
    yield "RMSE (sklearn)", (error.rmse(p, r), witness.root_mean_squared_error(r, p))
    yield "R2 (sklearn)", (error.r2(p, r), witness.r2_score(r, p))
    yield "bias (scipy)", (error.bias(p, r), stats.describe(e).mean)
    yield "SD (scipy)", (error.sd(p, r), np.sqrt(stats.describe(e).variance))
    own = _by_subject(e, s)
    yield "per-subject bias (pandas)", (per_subject_bias(p, r, s), own.mean())
    yield "per-subject SD (pandas)", (per_subject_sd(p, r, s), own.std())
    absolute = _by_subject(np.abs(e), s).mean()
    yield "per-subject MAE (pandas)", (per_subject_mae(p, r, s), absolute)
    weight = 1.0 / np.bincount(s)[s]
    expected = witness.root_mean_squared_error(r, p, sample_weight=weight)
    yield "per-subject RMSE (sklearn)", (per_subject_rmse(p, r, s), expected)
    expected = witness.r2_score(r, p, sample_weight=weight)
    yield "per-subject R2 (sklearn)", (per_subject_r2(p, r, s), expected)
    expected = witness.r2_score(arm - r, arm - p)
    found = amplification_r2(p, r, arm)
    yield "amplification R2 (sklearn)", (found, expected)
    expected = witness.r2_score(arm - r, arm - p, sample_weight=weight)
    found = per_subject_amplification_r2(p, r, arm, s)
    yield "per-subject amplification R2 (sklearn)", (found, expected)
    held = d["held"]
    expected = witness.mean_absolute_error(r, p) / witness.mean_absolute_error(r, held)
    yield "MASE (sklearn)", (relative.mase(p, r, held), expected)
    found = relative.explained_deviation(p, r)
    yield "Explained Deviation (scipy)", (found, stats.tstd(r) / stats.tstd(e))
    spread = [sm.stats.DescrStatsW(x, weights=weight).std for x in (r, e)]
    found = relative.per_subject_explained_deviation(p, r, s)
    yield (
        "per-subject Explained Deviation (statsmodels)",
        (found, spread[0] / spread[1]),
    )


def _agreement(d: Draw) -> Iterator[tuple[str, Pair]]:
    p, r, s = d["p"], d["r"], d["s"]
    e, middle = p - r, (p + r) / 2
    described = sm.stats.DescrStatsW(e, ddof=1)
    half = 1.96 * described.std
    expected = np.array([0, -half, half]) + described.mean
    yield (
        "limits of agreement (statsmodels)",
        (
            agreement.limits_of_agreement(p, r),
            expected,
        ),
    )
    slope = stats.linregress(middle, e).slope
    yield "proportional bias (scipy)", (agreement.proportional_bias(p, r), slope)
    design = sm.add_constant(middle)
    line = sm.OLS(e, design).fit()
    size = sm.OLS(np.abs(line.resid), design).fit().params * np.sqrt(np.pi / 2)
    found = agreement.limits_of_agreement_proportional(p, r)
    yield "proportional limits (statsmodels)", (found, (*line.params, *size))
    table = pd.DataFrame({"e": e, "p": p, "r": r, "s": s})
    m = np.bincount(s)
    typical = (m.sum() - np.sum(m**2) / m.sum()) / (len(m) - 1)

    def squares(column: str) -> np.ndarray:
        fit = smf.ols(f"{column} ~ C(s)", table).fit()
        return np.asarray(anova_lm(fit)["mean_sq"])

    between, within = squares("e")
    total = within + max(between - within, 0) / typical
    yield (
        "repeated measures, varying truth (statsmodels)",
        (
            repeated.limits_of_agreement_repeated(p, r, s).sd,
            np.sqrt(total),
        ),
    )
    part = 1 - stats.hmean(m) ** -1
    variance = _by_subject(e, s).var() + part * (squares("p")[1] + squares("r")[1])
    yield (
        "repeated measures, constant truth (statsmodels)",
        (
            repeated.limits_of_agreement_replicates(p, r, s).sd,
            np.sqrt(variance),
        ),
    )
    fit = smf.wls("p ~ r + C(s)", table, weights=1.0 / m[s]).fit()
    yield (
        "tracking slope (statsmodels)",
        (
            changes.tracking(p, r, s).slope,
            fit.params["r"],
        ),
    )


def _best_shift(guess: np.ndarray, wave: np.ndarray) -> float:
    def cost(shift: float) -> float:
        turned = waveform.align(wave[None], np.array([shift]))[0]
        return float(np.mean((guess - turned) ** 2))

    cells = (
        optimize.minimize_scalar(cost, bounds=(i, i + 1), method="bounded").fun
        for i in range(-6, 6)
    )
    return float(np.sqrt(min(*cells, *(cost(i) for i in range(-6, 7)))))


def _foot(wave: np.ndarray) -> float:
    """The tangent at the top of the parabola through the three steepest slopes."""
    n, peak = len(wave), int(np.argmax(wave))
    walk = [(peak - k) % n for k in range(n // 2 + 1)]
    slope = [(wave[(i + 1) % n] - wave[i - 1]) / 2 for i in range(n)]
    at = max(walk, key=lambda i: slope[i])
    near = np.array([slope[at - 1], slope[at], slope[(at + 1) % n]])
    a, b, c = np.polyfit([-1, 0, 1], near, 2)
    offset = float(np.clip(-b / (2 * a), -0.5, 0.5)) if a < 0 else 0.0
    rise = a * offset**2 + b * offset + c
    height = np.interp(
        at + offset, np.arange(-1, n + 1), np.r_[wave[-1], wave, wave[0]]
    )
    base = min(wave[(at - k) % n] for k in range(n // 2 + 1))
    return float((at + offset - (height - base) / rise) % n)


def _waves(d: Draw) -> Iterator[tuple[str, Pair]]:
    guess, wave = d["guess"][:12], d["wave"][:12]
    each_row = witness.root_mean_squared_error(
        wave.T, guess.T, multioutput="raw_values"
    )
    yield (
        "waveform RMSE, unaligned (sklearn)",
        (
            waveform.waveform_rmse_unaligned(guess, wave),
            each_row.mean(),
        ),
    )
    scores = waveform.waveform_rmses(guess, wave)
    best = [_best_shift(g, w) for g, w in zip(guess, wave, strict=True)]
    yield "waveform RMSE, best shift (scipy.optimize)", (scores["wave_rmse"], best)
    feet = [_foot(w) for w in guess]
    yield "feet (numpy.polyfit)", (waveform.foot_positions(guess), feet)
    mean = guess.mean(axis=1, keepdims=True) - wave.mean(axis=1, keepdims=True)
    turned = waveform.align(wave, waveform.lateness(guess, wave)) + mean
    rows = witness.root_mean_squared_error(turned.T, guess.T, multioutput="raw_values")
    yield "waveform RMSE after removing MAP (sklearn)", (scores["shape_rmse"], rows)
    waves, lasts = d["wave"][:12], d["duration"][:12]
    found = indices.wave_indices(waves, lasts)
    single = [
        (
            augmentation(w[None], sampling_rate=64 / t).aix[0],
            pressure_levels(w[None]).form_factor[0],
            ejection_time(w[None], sampling_rate=64 / t).time[0],
        )
        for w, t in zip(waves, lasts, strict=True)
    ]
    yield (
        "AIx, form factor, ejection time (capnet.signal)",
        (np.transpose(found), single),
    )


def _protocols(d: Draw) -> Iterator[tuple[str, Pair]]:
    p, r, s = d["p"], d["r"], d["s"]
    e = np.abs(p - r)
    found = Iso81060Part2(2).compare(p, r, s)
    yield (
        "criterion 2 (pandas)",
        (
            found.values["SD (mmHg)"],
            _by_subject(p - r, s).std(),
        ),
    )
    b = float(np.clip((p - r).mean(), -5, 5))

    def missed(sd: float) -> float:
        return float(stats.norm.cdf(10, b, sd) - stats.norm.cdf(-10, b, sd) - 0.85)

    root = optimize.root_scalar(missed, bracket=(1, 15), method="bisect", xtol=1e-13)
    yield "limit of criterion 2 (scipy)", (found.limits["SD (mmHg)"], root.root)
    shares = 100 * stats.ecdf(e).cdf.evaluate(np.array([5.0, 10.0, 15.0]))
    yield "BHS shares (scipy)", (list(Bhs().compare(p, r, s).values.values()), shares)
    mad = witness.mean_absolute_error(r, p)
    yield (
        "IEEE 1708 MAD (sklearn)",
        (Ieee1708().compare(p, r, s).values["MAD (mmHg)"], mad),
    )
    limits = repeated.limits_of_agreement_repeated(p, r, s)
    same = (s[:, None] == s[None, :]).astype(float)  # covariance of all readings
    cover = limits.between**2 * same + limits.within**2 * np.eye(len(s))
    yield (
        "effective N (covariance of all readings)",
        (
            Iso81060Part3().compare(p, r, s).values["effective N"],
            limits.sd**2 / cover.mean(),
        ),
    )


PARTS: Final[tuple[Callable[[Draw], Iterator[tuple[str, Pair]]], ...]] = (
    _numbers,
    _agreement,
    _waves,
    _protocols,
)


def _against_witnesses(draws: int) -> Iterator[Row]:
    worst: dict[str, float] = {}
    for seed in range(draws):
        drawn = _draw(seed)
        for part in PARTS:
            for name, (found, expected) in part(drawn):
                a, b = (np.asarray(x, dtype=np.float64) for x in (found, expected))
                same_gaps = np.array_equal(np.isnan(a), np.isnan(b))
                apart = np.abs(a - b)[np.isfinite(a)].max(initial=0.0)
                apart = float(apart) if same_gaps else np.inf
                worst[name] = max(worst.get(name, 0.0), apart)
    for name, apart in worst.items():
        what = f"{name}, {draws} draws, largest difference"
        yield Row(what, f"{apart:.1e}", "<= 1e-9", apart <= BAR)


def _table(name: str) -> np.ndarray:
    path = PUBLISHED / f"bland_altman_{name}.csv"
    return np.loadtxt(path, delimiter=",", skiprows=1)


def _published() -> Iterator[Row]:
    wright, mini = _table("1986_pefr").T
    subject, observer, machine = _table("1999_sbp").T
    trig, gerber = _table("1999_fat").T
    person, rv, ic = _table("1999_cardiac").T
    plain = agreement.limits_of_agreement(observer[::3], machine[::3])
    three = repeated.limits_of_agreement_replicates(observer, machine, subject)
    line = agreement.limits_of_agreement_proportional(trig, gerber)
    pairs = repeated.limits_of_agreement_repeated(rv, ic, person)
    constant = repeated.limits_of_agreement_replicates(rv, ic, person)
    said: list[tuple[str, list[tuple[float, str]]]] = [
        (
            "Bland & Altman 1986, peak flow: bias, SD",
            [(error.bias(wright, mini), "-2.1"), (error.sd(wright, mini), "38.8")],
        ),
        (
            "Bland & Altman 1999, SBP, first readings: bias, limits",
            [(plain.bias, "-16.29"), (plain.low, "-54.7"), (plain.high, "22.1")],
        ),
        (
            "Bland & Altman 1999, SBP, three readings: bias, limits",
            [(three.bias, "-15.62"), (three.low, "-56.68"), (three.high, "25.44")],
        ),
        (
            "the same: variances within observer, machine",
            [(three.predicted**2, "37.408"), (three.reference**2, "83.141")],
        ),
        (
            "Bland & Altman 1999, fat of milk: line of the difference",
            [(line.intercept, "0.079"), (line.slope, "-0.0283")],
        ),
        (
            "Bland & Altman 1999, cardiac output, constant truth: bias, variances",
            [
                (constant.bias, "0.7092"),
                (constant.predicted**2, "0.1072"),
                (constant.reference**2, "0.1379"),
            ],
        ),
        (
            "Bland & Altman 2007, cardiac output, varying truth: bias, limits",
            [(pairs.bias, "0.6022"), (pairs.low, "-1.3395"), (pairs.high, "2.5438")],
        ),
        (
            "criterion 2, derived, bias 0 to 5 mmHg (as quoted, second-hand)",
            [
                (largest_sd(float(b)), quoted)
                for b, quoted in enumerate(
                    ["6.95", "6.87", "6.65", "6.25", "5.64", "4.81"]
                )
            ],
        ),
    ]
    for what, numbers in said:
        digits = [len(text.partition(".")[2]) for _, text in numbers]
        shown = [
            f"{value:.{d}f}" for (value, _), d in zip(numbers, digits, strict=True)
        ]
        printed = [text for _, text in numbers]
        yield Row(what, " ".join(shown), " ".join(printed), shown == printed)


def _cost(share: float) -> Row:
    n = max(2000, int(200_000 * share))
    drawn = _draw(0)
    rows = np.arange(n) % len(drawn["wave"])
    waves, lasts = drawn["wave"][rows], drawn["duration"][rows]
    indices.wave_indices(waves[:2], lasts[:2])
    begin = time.process_time()
    indices.wave_indices(waves, lasts)
    cost = (time.process_time() - begin) / n * 1e6
    return Row(
        f"AIx, form factor, ejection time of {n:,} beats, processor time",
        f"{cost:.1f} us a beat",
    )


def _sixty_four_points(data: Path) -> Iterator[Row]:
    """What reading 64 points instead of 500 Hz costs, on virtual people."""
    stored = np.load(data / "pwdb" / "pwdb_waves_500Hz.npz")
    wave = stored["Asc_Ao_P_mmHg"].astype(np.float64)
    count = np.isfinite(wave).sum(axis=1)
    place = np.arange(64) / 64
    beats = np.array(
        [
            np.interp(place * c, np.arange(c + 1), np.r_[w[:c], w[0]])
            for w, c in zip(wave, count, strict=True)
        ]
    )
    found = indices.wave_indices(beats, count / 500)
    true = (
        augmentation(wave, sampling_rate=500).aix,
        ejection_time(wave, sampling_rate=500).time,
    )
    for name, unit, scale, got, want in (
        ("AIx", "points", 1.0, found.aix, true[0]),
        ("ejection time", "ms", 1e3, found.ejection_time, true[1]),
    ):
        apart = scale * np.abs(got - want)[np.isfinite(got + want)]
        lost = int((np.isfinite(want) & ~np.isfinite(got)).sum())
        yield Row(
            f"{name} of 64 points beside 500 Hz, {len(wave)} virtual people (PWDB)",
            f"median {np.median(apart):.2f}, 95 % {np.percentile(apart, 95):.2f} "
            f"{unit}; {lost} lost",
        )


def rows(*, share: float, data: Path | None) -> Iterator[Row]:
    """Yield the figures of the metrics and protocols.

    Args:
        share: Of the draws.
        data: Folder of reference data, None where absent.
    """
    yield from _against_witnesses(max(2, round(40 * share)))
    yield from _published()
    yield _cost(share)
    if data is not None and (data / "pwdb" / "pwdb_waves_500Hz.npz").is_file():
        yield from _sixty_four_points(data)
