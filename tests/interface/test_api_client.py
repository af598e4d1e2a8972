"""Every call of the client against the real API: typed answers, and an error of its own for every way to fail."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from conftest import free_port
from interface import api_errors as errors
from interface.api_client import ApiClient
from published_api import PASSWORD
from synthetic import VERSION

ClientAt = Callable[..., ApiClient]


def test_a_new_member_has_a_login_an_api_token_and_a_month(anybody: ApiClient, name: str) -> None:
    login = anybody.register(name, PASSWORD)
    month = anybody.as_user(login.login_token).me()

    assert login.api_token is not None
    assert (month.name, month.roles, month.used, month.limit) == (name, ["member"], 0, 1000)
    assert not month.is_admin


def test_tokens_are_not_in_what_is_printed(anybody: ApiClient, name: str) -> None:
    login = anybody.register(name, PASSWORD)

    assert "mu" not in repr(login).replace(name, "")
    assert login.login_token not in repr(anybody.as_user(login.login_token))


def test_a_name_that_nobody_has_is_told_from_a_wrong_password(anybody: ApiClient, name: str) -> None:
    with pytest.raises(errors.UnauthorizedError) as nobody:
        anybody.log_in(name, PASSWORD)
    anybody.register(name, PASSWORD)
    with pytest.raises(errors.UnauthorizedError) as wrong:
        anybody.log_in(name, "not-the-password")

    assert (nobody.value.code, wrong.value.code) == ("unknown_user", "wrong_password")


def test_tries_from_one_address_are_not_counted_against_another(anybody: ApiClient, name: str) -> None:
    anybody.register(name, PASSWORD)
    one, other = anybody.for_address("192.0.2.1"), anybody.for_address("192.0.2.2")
    for _ in range(10):
        with pytest.raises(errors.UnauthorizedError):
            one.log_in(name, "not-the-password")
    with pytest.raises(errors.LimitedError):
        one.log_in(name, PASSWORD)

    assert other.log_in(name, PASSWORD).name == name


def test_a_name_that_somebody_has_is_refused(anybody: ApiClient, name: str) -> None:
    anybody.register(name, PASSWORD)

    with pytest.raises(errors.RefusedError, match="the name is taken"):
        anybody.register(name, PASSWORD)


def test_a_login_ends_at_log_out(member: ApiClient) -> None:
    member.log_out()

    with pytest.raises(errors.UnauthorizedError):
        member.me()


def test_logging_out_everywhere_ends_the_other_logins_too(anybody: ApiClient, member: ApiClient, name: str) -> None:
    other = anybody.as_user(anybody.log_in(name, PASSWORD).login_token)
    member.log_out_everywhere()

    with pytest.raises(errors.UnauthorizedError):
        other.me()


def test_a_rotated_token_works_until_it_is_revoked(anybody: ApiClient, member: ApiClient) -> None:
    token = member.rotate_token()
    assert anybody.as_user(token).me().roles == ["member"]
    member.revoke_token()

    with pytest.raises(errors.UnauthorizedError):
        anybody.as_user(token).me()


def test_a_login_is_enough_for_a_forecast_which_is_counted(member: ApiClient) -> None:
    prediction = member.predict("btc_usdt")

    assert prediction.forecast.issued_at == datetime(2025, 3, 1, 10, tzinfo=UTC)
    assert len(prediction.forecast.quantiles) == 24
    assert len(prediction.data.close) == 120
    assert member.me().used == 1


def test_what_is_served_is_known_without_a_login(anybody: ApiClient) -> None:
    pairs = anybody.pairs()
    served = pairs.of("btc_usdt")

    assert [each.pair for each in pairs.pairs] == ["btc_usdt", "eth_usdt"]
    assert served is not None
    assert (served.version, pairs.of("eth_usdt").version, pairs.of("doge_usdt")) == (VERSION, None, None)
    assert anybody.loaded().models == ["btc_usdt"]
    assert anybody.model("btc_usdt").promotions[0].version == VERSION
    assert anybody.past("btc_usdt", 1).horizon == 1
    assert anybody.ready().ready


def test_a_pair_without_a_model_is_unavailable_and_says_so(member: ApiClient) -> None:
    with pytest.raises(errors.UnavailableError) as refused:
        member.predict("eth_usdt")

    assert refused.value.is_no_model
    assert member.me().used == 0


def test_a_pair_that_is_not_served_is_not_found(member: ApiClient) -> None:
    with pytest.raises(errors.NotFoundError, match="doge_usdt is not served"):
        member.predict("doge_usdt")


def test_used_up_calls_say_how_many_and_until_when(admin: ApiClient, name: str) -> None:
    admin.set_limit(name, 1)
    admin.predict("btc_usdt")
    with pytest.raises(errors.LimitedError) as refused:
        admin.predict("btc_usdt")

    assert refused.value.is_quota
    assert (refused.value.limit, refused.value.reset_at) == (1, admin.me().reset_at)


def test_only_an_admin_lists_users(member: ApiClient) -> None:
    with pytest.raises(errors.ForbiddenError):
        member.users()


def test_users_are_found_by_part_of_a_name(admin: ApiClient, name: str) -> None:
    assert [each.name for each in admin.users(search=name[3:]).users] == [name]


def test_pages_of_users_follow_one_another(anybody: ApiClient, admin: ApiClient, name: str) -> None:
    for letter in "bcd":
        anybody.register(f"{name}{letter}", PASSWORD)
    first = admin.users(search=name, size=2)
    second = admin.users(search=name, after=str(first.next_after), size=2)

    assert [each.name for each in first.users + second.users] == [name, *(f"{name}{letter}" for letter in "bcd")]


def test_an_admin_changes_roles_limits_and_plans(anybody: ApiClient, admin: ApiClient, name: str) -> None:
    other = f"{name}-other"
    anybody.register(other, PASSWORD)

    assert admin.set_roles(other, ["admin", "member"]).is_admin
    assert admin.set_limit(other, 7).limit == 7
    assert admin.set_plan("admin", 5000).monthly_limit == 5000
    assert admin.set_limit(other, None).limit == 5000
    assert {plan.role: plan.monthly_limit for plan in admin.plans()} == {"admin": 5000, "member": None}
    assert admin.set_plan("admin", None).monthly_limit is None
    assert admin.consumption().users >= 2


def test_an_admin_ends_logins_and_revokes_tokens(anybody: ApiClient, admin: ApiClient, name: str) -> None:
    login = anybody.register(f"{name}-other", PASSWORD)
    admin.revoke_token_of(login.name)

    assert admin.close_logins(login.name) == 1
    for token in (login.login_token, str(login.api_token)):
        with pytest.raises(errors.UnauthorizedError):
            anybody.as_user(token).me()


def test_an_admin_loads_models_and_serves_an_earlier_day(admin: ApiClient) -> None:
    assert admin.update_models().models == ["btc_usdt"]
    assert admin.update_date(date(2025, 1, 1)).as_of == datetime(2025, 1, 1, 23, 59, 59, 999999, tzinfo=UTC)
    assert admin.update_date(None).as_of is None


def test_no_api_is_told_with_its_address(client_at: ClientAt) -> None:
    port = free_port()

    with pytest.raises(errors.UnreachableError, match=f"no API answers at http://127.0.0.1:{port}"):
        client_at(f"http://127.0.0.1:{port}").pairs()


def test_an_api_that_does_not_answer_is_too_slow(client_at: ClientAt, silent: str) -> None:
    with pytest.raises(errors.TooSlowError):
        client_at(silent, 0.3).pairs()


def test_what_is_no_api_is_told(client_at: ClientAt, no_api: str) -> None:
    with pytest.raises(errors.NotFoundError, match="the API answers 404"):
        client_at(no_api).pairs()
