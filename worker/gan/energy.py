"""Energy that a training took, where the machine tells."""

from pathlib import Path
from typing import Final

COUNTERS: Final = Path("/sys/class/powercap")
"""Linux's running energy counters (RAPL); often absent in virtual machines, or for root only."""

MICRO: Final = 1e-6


class Energy:
    """Joules of all processor packages since the start; None where no counter can be read."""

    def __init__(self, counters: Path = COUNTERS) -> None:
        self._zones = sorted(counters.glob("intel-rapl:[0-9]")) if counters.is_dir() else []
        self._last = self._read()
        self._joules = 0.0

    def joules(self) -> float | None:
        """Return the energy so far; call it more often than the counters wrap (about an hour)."""
        now = self._read()
        if now is None or self._last is None:
            return None
        for zone, (before, after) in enumerate(zip(self._last, now, strict=True)):
            wrapped = self._limit(zone) if after < before else 0
            self._joules += MICRO * (after - before + wrapped)
        self._last = now
        return self._joules

    def _read(self) -> list[int] | None:
        try:
            found = [int((zone / "energy_uj").read_text()) for zone in self._zones]
        except (OSError, ValueError):
            return None
        return found or None

    def _limit(self, zone: int) -> int:
        return int((self._zones[zone] / "max_energy_range_uj").read_text())
