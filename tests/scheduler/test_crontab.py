"""The marked block in a crontab, and the schedules that have to agree."""

import re
from pathlib import Path

import pytest

from make_us_rich.domain.errors import ParameterError
from make_us_rich.scheduler.crontab import make_block, with_block

REPO = Path(__file__).resolve().parents[2]
SHIPPED = (REPO / "deploy" / "trainer" / "crontab").read_text()
PROJECT = Path("/home/ada/make us rich 100 %")
OTHERS = "MAILTO=ada\n# mine\n5 4 * * * backup\n"
BLOCK = make_block(PROJECT, SHIPPED, None)


def test_the_block_names_the_project_in_a_variable_where_a_percent_sign_is_harmless() -> None:
    assert f"MAKE_US_RICH_PROJECT='{PROJECT}'\n" in BLOCK
    (command,) = [line for line in BLOCK.splitlines() if line.startswith("2,17,32,47 * * * * ")]
    assert "%" not in command
    assert command.endswith(" -m kedro hourly >/dev/null")
    assert " -m kedro hourly --env=production >/dev/null\n" in make_block(PROJECT, SHIPPED, "production")


def test_it_is_removed_without_a_trace_and_other_projects_stay() -> None:
    other = make_block(Path("/srv/other"), SHIPPED, None)
    both = with_block(with_block(OTHERS, Path("/srv/other"), other), PROJECT, BLOCK)

    assert with_block(both, PROJECT, "") == OTHERS + other
    assert with_block(OTHERS, PROJECT, "") == OTHERS


def test_a_block_that_has_lost_its_end_is_refused() -> None:
    damaged = with_block(OTHERS, PROJECT, BLOCK).rsplit("\n", 2)[0] + "\n"

    with pytest.raises(ParameterError, match="has no end marker; remove the rest of the block with crontab -e"):
        with_block(damaged, PROJECT, BLOCK)


def test_a_folder_that_no_crontab_can_name_is_refused() -> None:
    with pytest.raises(ParameterError, match="move the project to another folder"):
        make_block(Path("""/home/it's "here\""""), SHIPPED, None)


def test_the_container_and_kubernetes_keep_the_times_of_the_crontab() -> None:
    minutes = [2, 17, 32, 47]
    loop = (REPO / "deploy" / "trainer" / "loop.sh").read_text()
    (interval, offset) = map(int, re.findall(r"(\d+) - \(\$\(date \+%s\) - (\d+)\)", loop)[0])
    assert [(offset + interval * at) // 60 for at in range(4)] == minutes
    schedule = re.search(r'schedule: "([\d,]+) \* \* \* \*"', (REPO / "deploy" / "kubernetes.yaml").read_text())
    assert schedule is not None
    assert [int(minute) for minute in schedule[1].split(",")] == minutes
