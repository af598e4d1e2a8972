"""The API goes away and comes back while a page is open."""

import pytest

pytestmark = pytest.mark.slow


def test_a_page_says_that_the_api_is_away_and_comes_back_by_itself(visitor, site) -> None:
    member = visitor().enter(site.register()).open("account").sees("Call the API")
    site.api.stop()
    try:
        member.page.reload()
        member.sees("The API is not there").sees("tries again every 15 seconds").shoot("api-away")
        assert "Traceback" not in member.page.content()
    finally:
        site.api.start()
        site.api.wait("/api/v1/readyz")
    member.sees("Call the API")
