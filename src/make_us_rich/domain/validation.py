"""What pydantic found wrong, for one line of ours."""

from pydantic import ValidationError


def first_problem(exc: ValidationError) -> tuple[str, str]:
    """The first problem: its full path, joined by dots, and what is wrong."""
    problem = exc.errors()[0]
    return ".".join(map(str, problem["loc"])), problem["msg"]
