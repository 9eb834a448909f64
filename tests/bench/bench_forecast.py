"""How well share series are forecast and judged: real series, a made-up world, no signal, time.

The real series are those that HERMES (David, Bellot and Le Corff 2022) published, 100 of them, each
as everybody shows it and as influencers do. Protocol and metric are theirs: the last 52 weeks are
forecast from the 209 before, MASE over last year's step, mean over series.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from numpy.typing import NDArray

from shared.schemas.trends import TrendOptions
from tests.bench import machine, plots, results
from tests.bench.trend_worlds import KINDS, World, make_world
from worker.trends.arrays import expit, logit
from worker.trends.backtest import Trials, naive_scale, run_trials, score
from worker.trends.ensemble import Joined, installed, join
from worker.trends.forecast import forecast
from worker.trends.leads import follow
from worker.trends.ranking import Findings
from worker.trends.report import study

Floats = NDArray[np.float64]
SEASON, YEAR, PAST = 52, 52, 209
CHOSEN_ON: Final = range(104, PAST - YEAR + 1, 4)
"""Origins on which everything was chosen: their outcomes end where the test weeks begin."""
PUBLISHED: Final = {"TBATS": 0.745, "HERMES": 0.7368}
"""Of the same 100 series, as their README states."""
WORLD_SEEDS: Final = (101, 102, 103, 104, 105)
"""None of them was looked at while methods or limits were chosen."""
WORLDS: Final[dict[str, dict[str, Any]]] = {
    "three years": {"years": 3},
    "five years": {"years": 5},
    "noisy": {"years": 4, "scatter": 0.15},
    "thin": {"years": 4, "garments": 60},
    "gentle": {"years": 4, "growth": (0.1, 0.25)},
    "months": {"years": 5, "period": "month", "garments": 1000},
}
FLAT: Final[dict[str, dict[str, Any]]] = {
    "five years": {"years": 5},
    "three years": {"years": 3},
    "noisy": {"years": 5, "scatter": 0.2},
    "thin": {"years": 4, "garments": 60},
}
_CLOSE: Final = 8  # weeks


@dataclass(frozen=True)
class Real:
    """Shares of the same 100 values, [100, 261]: of everybody, and of influencers."""

    everybody: Floats
    influencers: Floats


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--root", type=click.Path(path_type=Path), default=Path("../shared/data"),
              show_default=True, help="Where trend-series/ is.")  # fmt: skip
@click.option("--parts", multiple=True, show_default=True,
              type=click.Choice(["real", "worlds", "flat", "speed"]),
              default=("real", "worlds", "flat", "speed"))  # fmt: skip
@click.option("--groups", default=40, show_default=True, help="Attributes of each made-up world.")
@click.option("--series", default=1000, show_default=True, help="Flat ones, and timed ones.")
@click.option("--slow/--quick", default=True, show_default=True,
              help="AutoETS and AutoCES too, where statsforecast is installed.")  # fmt: skip
def main(
    *, out: Path, root: Path, parts: tuple[str, ...], groups: int, series: int, slow: bool
) -> None:
    """Measure forecasts and verdicts."""
    measured: dict[str, Callable[[], dict[str, Any]]] = {
        "real": lambda: real_series(root / "trend-series", slow=slow),
        "worlds": lambda: {name: world(groups=groups, **how) for name, how in WORLDS.items()},
        "flat": lambda: {name: no_signal(series, **how) for name, how in FLAT.items()},
        "speed": lambda: speed(series),
    }
    for part in parts:
        told = {"machine": machine.facts(), **measured[part]()}
        results.write(out / f"forecast-{part}.json", told)
        click.echo(f"{part}: {told}")
        if part == "real" and "mase" in told:
            groups_of = {name.replace(" ", "\n"): [one] for name, one in told["mase"].items()}
            picture = plots.bars(groups_of, title="MASE of the last 52 weeks, 100 real series")
            results.write_bytes(out / "forecast-real.png", picture)


def read(folder: Path) -> Real | None:
    """Return the real series, or None where they are not at hand."""
    names = ("f1_main_100_sequences.csv", "f1_fashion_forward_100_sequences.csv")
    if not all((folder / name).exists() for name in names):
        return None
    both = [np.genfromtxt(folder / name, delimiter=",", skip_header=1)[:, 1:].T for name in names]
    return Real(*both)


def held(shares: Floats) -> Floats:
    """Hold zeros at half of the least share that the series has shown."""
    least = np.where(shares > 0, shares, np.inf).min(1, keepdims=True)
    return np.asarray(np.maximum(shares, least / 2), dtype=np.float64)


def real_series(folder: Path, *, slow: bool) -> dict[str, Any]:
    """Return errors and coverage on the real series' last year, and on the origins chosen on."""
    found = read(folder)
    if found is None:
        return {"skipped": f"the 100 real series are not in {folder}"}
    past = found.everybody[:, :PAST]
    joined, led, note = _ours(found, PAST)
    chosen = [_ours_at(found, origin) for origin in CHOSEN_ON]
    mase = {
        "seasonal naive": _error(found, PAST, _naive(past)),
        **{f"{name} (published)": error for name, error in PUBLISHED.items()},
        **_others(found, slow=slow),
        "ours": _error(found, PAST, expit(joined.middle)),
        "ours, influencers lead": _error(found, PAST, expit(led[0])),
    }
    return {
        "mase": {name: round(value, 4) for name, value in mase.items()},
        "interval over series": {
            "ours": _interval(found, expit(joined.middle)),
            "ours, influencers lead": _interval(found, expit(led[0])),
        },
        "coverage": {
            "ours": _coverage(found, joined.middle, joined.trials),
            "ours, influencers lead": _coverage(found, *led),
        },
        "origins chosen on": {
            "first": CHOSEN_ON.start, "last": CHOSEN_ON[-1],
            "ours": round(float(np.mean([one for one, _ in chosen])), 4),
            "seasonal naive": round(float(np.mean([one for _, one in chosen])), 4),
        },
        "leading": note,
        "second": joined.note or "statsforecast is not installed",
        "backtest": vars(score(led[1])),
        "backtest of seasonal naive": vars(score(led[1], naive=True)),
    }  # fmt: skip


def world(*, groups: int, **how: Any) -> dict[str, Any]:
    """Return how often each kind of made-up series was called by its name, over all seeds."""
    made = [make_world(KINDS, groups=groups, seed=seed, **how) for seed in WORLD_SEEDS]
    studied = [_studied(one) for one in made]
    truth = np.concatenate([one.truth for one in made])
    called = np.concatenate([found.kinds for found in studied])
    ahead = np.concatenate([_directions(found) for found in studied])
    known = truth != "rest"  # what is left of a whole moves with all of its values
    return {
        "series": int(known.sum()),
        "precision and recall": {
            kind: _precision_recall(called == kind, truth == kind, known)
            for kind in ("rising", "declining", "seasonal", "flash")
        },
        "forecast rise": _precision_recall(ahead == "rising", truth == "rising", known),
        "flash called rising": float(np.mean(called[truth == "flash"] == "rising")),
        "shift called rising or declining": float(
            np.isin(called[truth == "shift"], ("rising", "declining")).mean()
        ),
        "shift dated within 8 weeks": _shifts_found(made, studied),
    }


def no_signal(series: int, **how: Any) -> dict[str, Any]:
    """Return the part of flat noisy series that is called anything, observed and forecast."""
    made = make_world(("flat",) * 8, groups=series // 8, seed=WORLD_SEEDS[0], **how)
    found = _studied(made)
    flat = np.array(made.truth) == "flat"
    kinds, ahead = np.array(found.kinds)[flat], _directions(found)[flat]
    turned = np.array([bool(turns) for turns in found.turns])[flat]
    return {
        "series": int(flat.sum()),
        "observed rise or fall": float(np.isin(kinds, ("rising", "declining")).mean()),
        "forecast rise or fall": float((ahead != "unclear").mean()),
        "flash or season": float(np.isin(kinds, ("flash", "seasonal")).mean()),
        "turning point": float(turned.mean()),
    }


def speed(series: int, *, periods: int = 260, horizon: int = 26) -> dict[str, Any]:
    """Return seconds of forecast, backtest and intervals; then of everything a report works out.

    Processor seconds are of all threads together: on a busy machine they say more than the clock.
    """
    made = make_world(KINDS, groups=-(-series // (len(KINDS) + 1)), years=periods / SEASON)
    panel = made.panel
    shares, trust = panel.shares[:series], panel.trust[:series]

    def forecasts() -> None:
        forecast(shares, trust, season=SEASON, horizon=horizon)
        trials = run_trials(shares, trust, season=SEASON, horizon=horizon)
        trials.conformal().half_widths(0)
        score(trials)
        score(trials, naive=True)

    def everything() -> None:
        study(panel, horizon, TrendOptions(), {})

    return {
        "series": len(shares), "periods": periods, "horizon": horizon,
        "forecast, intervals, backtest": _timed(forecasts),
        "all that a report works out": _timed(everything),
    }  # fmt: skip


def _ours(found: Real, origin: int) -> tuple[Joined, tuple[Floats, Trials], str]:
    """Return our forecast of a year, alone and led by influencers."""
    past = held(found.everybody[:, :origin])
    trust = np.ones_like(past)
    middle = forecast(past, trust, season=SEASON, horizon=YEAR)
    trials = run_trials(past, trust, season=SEASON, horizon=YEAR)
    joined = join(middle, trials, (past, trust), season=SEASON)
    segments = {"influencers": (held(found.influencers[:, :origin]), trust)}
    led = follow(joined.middle, joined.trials, (past, trust), segments, season=SEASON)
    return joined, (led.middle, led.trials), led.note


def _ours_at(found: Real, origin: int) -> tuple[float, float]:
    past = held(found.everybody[:, :origin])
    middle = forecast(past, np.ones_like(past), season=SEASON, horizon=YEAR)
    return _error(found, origin, expit(middle)), _error(found, origin, _naive(past))


def _naive(past: Floats) -> Floats:
    middle = forecast(
        held(past), np.ones_like(past), season=SEASON, horizon=YEAR, method="seasonal-naive"
    )
    return expit(middle)


def _interval(found: Real, ahead: Floats) -> list[float]:
    """Return the 95% bootstrap interval of the mean error, which draws series alone."""
    errors = _errors(found, PAST, ahead)
    drawn = np.random.default_rng(0).integers(len(errors), size=(5000, len(errors)))
    return [round(float(one), 4) for one in np.quantile(errors[drawn].mean(1), (0.025, 0.975))]


def _error(found: Real, origin: int, ahead: Floats) -> float:
    """Return the published MASE of forecast shares [100, 52] from an origin on."""
    return float(_errors(found, origin, ahead).mean())


def _errors(found: Real, origin: int, ahead: Floats) -> Floats:
    past = found.everybody[:, :origin]
    scale = naive_scale(past, np.ones_like(past), SEASON)
    actual = found.everybody[:, origin : origin + YEAR]
    return np.asarray(np.abs(actual - ahead).mean(1) / scale, dtype=np.float64)


def _coverage(found: Real, middle: Floats, trials: Trials) -> dict[str, float]:
    actual = logit(held(found.everybody)[:, PAST : PAST + YEAR])
    conformal = trials.conformal()
    return {
        name: round(float((np.abs(actual - middle) <= conformal.half_widths(level)).mean()), 4)
        for level, name in enumerate(("80%", "95%"))
    }


def _others(found: Real, *, slow: bool) -> dict[str, float]:
    """Return errors of statsforecast's automatic models on the shares, where it is installed."""
    if not installed():
        return {}
    models: Any = import_module("statsforecast.models")
    names = ("AutoTheta", "AutoETS", "AutoCES") if slow else ("AutoTheta",)
    past = np.ascontiguousarray(found.everybody[:, :PAST])
    ahead = {
        name: np.array(
            [
                getattr(models, name)(season_length=SEASON).forecast(y=row, h=YEAR)["mean"]
                for row in past
            ]
        )
        for name in names
    }
    return {name: _error(found, PAST, np.maximum(shares, 0)) for name, shares in ahead.items()}


def _studied(made: World) -> Findings:
    return study(made.panel, made.panel.season // 2, TrendOptions(), {})


def _directions(found: Findings) -> NDArray[np.str_]:
    return np.array([one.direction if one else "unclear" for one in found.outlooks])


def _precision_recall(
    called: NDArray[np.bool_], true: NDArray[np.bool_], known: NDArray[np.bool_]
) -> dict[str, float]:
    hits = float((called & true).sum())
    return {
        "precision": round(hits / max(float((called & known).sum()), 1.0), 4),
        "recall": round(hits / max(float(true.sum()), 1.0), 4),
    }


def _shifts_found(made: list[World], studied: list[Findings]) -> float:
    """Return the part of shifts with a turning point of their sign, at most 8 weeks away."""
    hits = [
        any(
            abs(turn.place - one.since[row]) <= max(1, _CLOSE * one.panel.season // SEASON)
            and turn.upward == one.upward[row]
            for turn in found.turns[row]
        )
        for one, found in zip(made, studied, strict=True)
        for row, kind in enumerate(one.truth)
        if kind == "shift"
    ]
    return float(np.mean(hits))


def _timed(work: Callable[[], None], *, rounds: int = 3) -> Mapping[str, float]:
    """Return the least of some rounds, in seconds, and the load."""
    taken = []
    for _ in range(rounds):
        clock, processor = time.perf_counter(), time.process_time()
        work()
        taken.append((time.process_time() - processor, time.perf_counter() - clock))
    return {
        "processor seconds": round(min(taken)[0], 3),
        "seconds": round(min(clock for _, clock in taken), 3),
        **machine.load(),
    }


if __name__ == "__main__":
    main()
