"""The marked block in a crontab."""

from pathlib import Path

import pytest

from make_us_rich.domain.errors import ParameterError
from make_us_rich.hourly.crontab import make_block, with_block, without_block

PROJECT = Path("/home/ada/make us rich 100 %")
LINES = '# why\n2,17 * * * * "$MAKE_US_RICH_PROJECT"/trainer/hourly.sh\n'
OTHERS = "MAILTO=ada\n# mine\n5 4 * * * backup\n"
BLOCK = make_block(PROJECT, LINES, None)


def test_the_block_names_the_project_in_a_variable_where_a_percent_sign_is_harmless() -> None:
    assert f"MAKE_US_RICH_PROJECT='{PROJECT}'\n" in BLOCK
    commands = [line for line in BLOCK.splitlines() if line.startswith("2,17")]
    assert commands == ['2,17 * * * * "$MAKE_US_RICH_PROJECT"/trainer/hourly.sh >/dev/null']
    assert not any("%" in command for command in commands)


def test_the_environment_is_an_argument_so_that_other_lines_do_not_see_it() -> None:
    assert "/trainer/hourly.sh --env=production >/dev/null\n" in make_block(PROJECT, LINES, "production")


def test_other_lines_stay_and_the_block_goes_to_the_end() -> None:
    assert with_block(OTHERS, PROJECT, BLOCK) == OTHERS + BLOCK


def test_a_last_line_without_an_end_gets_one() -> None:
    assert with_block("5 4 * * * backup", PROJECT, BLOCK) == "5 4 * * * backup\n" + BLOCK


def test_it_is_there_once_however_often_it_is_put_there() -> None:
    once = with_block(OTHERS, PROJECT, BLOCK)

    assert with_block(once, PROJECT, BLOCK) == once


def test_a_new_block_takes_the_place_of_the_old_one() -> None:
    before = with_block(OTHERS, PROJECT, BLOCK) + "6 6 * * * later\n"
    changed = make_block(PROJECT, LINES, "demo")

    assert with_block(before, PROJECT, changed) == OTHERS + changed + "6 6 * * * later\n"


def test_it_goes_without_a_trace() -> None:
    assert without_block(with_block(OTHERS, PROJECT, BLOCK), PROJECT) == OTHERS
    assert without_block(OTHERS, PROJECT) == OTHERS


def test_another_projects_block_is_left_alone() -> None:
    other = make_block(Path("/srv/other"), LINES, None)
    both = with_block(with_block("", Path("/srv/other"), other), PROJECT, BLOCK)

    assert without_block(both, PROJECT) == other


def test_a_block_that_has_lost_its_end_is_refused() -> None:
    damaged = with_block(OTHERS, PROJECT, BLOCK).rsplit("\n", 2)[0] + "\n"

    with pytest.raises(ParameterError, match="has lost its last line; mend it with crontab -e"):
        with_block(damaged, PROJECT, BLOCK)


def test_a_folder_that_no_crontab_can_name_is_refused() -> None:
    with pytest.raises(ParameterError, match="move the project to another folder"):
        make_block(Path("""/home/it's "here\""""), LINES, None)
