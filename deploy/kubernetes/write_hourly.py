"""Writes hourly.yaml: a CronJob for each configured pair, minutes apart. ``make kubernetes`` calls it."""

from pathlib import Path
from string import Template

from make_us_rich.catalog import open_config

HERE = Path(__file__).resolve().parent
FIRST_MINUTE = 2
QUARTER = 15
"""Minutes between the times of a pair."""


def minutes_of(number: int) -> str:
    """The minutes of the pair with a number: two after the full hour for the first, a minute later for each other."""
    first = FIRST_MINUTE + number % (QUARTER - FIRST_MINUTE)
    return ",".join(str(first + quarter) for quarter in range(0, 60, QUARTER))


def cron_jobs(pairs: list[str]) -> str:
    """The manifests.

    Args:
        pairs: Names such as ``btc_usdt``.
    """
    template = Template((HERE / "hourly.yaml.template").read_text())
    jobs = [
        template.substitute(name=pair.replace("_", "-"), pair=pair, minutes=minutes_of(number))
        for number, pair in enumerate(pairs)
    ]
    return "# Written by make kubernetes, from the pairs in conf/base/parameters.yml.\n" + "---\n".join(jobs)


if __name__ == "__main__":
    (HERE / "hourly.yaml").write_text(cron_jobs(open_config("base")["parameters"]["pairs"]))
