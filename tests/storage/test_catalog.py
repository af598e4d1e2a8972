"""Configuration and catalog without a Kedro session."""

import asyncio
from pathlib import Path

import aiobotocore.session
import pytest
from omegaconf.errors import InterpolationResolutionError

from make_us_rich.catalog import PROJECT_VARIABLE, find_project, open_catalog, open_config
from make_us_rich.domain.errors import ParameterError
from synthetic import REPO, lay_out, write_config

PRODUCTION = {
    "MAKE_US_RICH_BUCKET": "models",
    "AWS_ACCESS_KEY_ID": "me",
    "AWS_SECRET_ACCESS_KEY": "hidden",
    "AWS_SESSION_TOKEN": "passing",
    "AWS_ENDPOINT_URL": "http://minio:9000",
    "MLFLOW_TRACKING_URI": "http://mlflow:5000",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of its own."""
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    return lay_out(tmp_path)


def test_the_project_is_found_upward_or_by_the_environment(project, monkeypatch):
    (project / "notebooks").mkdir()
    monkeypatch.chdir(project / "notebooks")
    monkeypatch.delenv(PROJECT_VARIABLE, raising=False)
    assert find_project() == project.resolve()
    monkeypatch.chdir("/")
    assert str(open_catalog(project_path=project)["btc_usdt.champion"]._filepath).startswith(f"{project}/data")
    with pytest.raises(ParameterError, match=f"go to its folder, where conf/ is, or set {PROJECT_VARIABLE}"):
        find_project()
    monkeypatch.setenv(PROJECT_VARIABLE, str(project))
    assert find_project() == project.resolve()


def test_an_unknown_environment_names_those_there_are(project):
    with pytest.raises(ParameterError, match=r"no environment 'prod' in .*conf: there are base, local"):
        open_catalog("prod", project)


@pytest.fixture
def production(monkeypatch):
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)


def test_production_reads_addresses_and_secrets_from_the_environment(production, monkeypatch):
    config = open_config("production", REPO)
    storage = config["credentials"]["storage"]
    assert config["globals"]["root"] == "s3://models"
    assert not {"key", "secret", "token"} & storage.keys(), "AWS's default chain finds them"
    assert storage["client_kwargs"]["endpoint_url"] == "http://minio:9000"
    assert config["mlflow"]["server"]["mlflow_tracking_uri"] == "http://mlflow:5000"
    assert config["mlflow"]["tracking"]["run"]["nested"] is False, "what base says and production does not"
    assert storage["use_listings_cache"] is False

    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert open_config("production", REPO)["credentials"]["storage"]["client_kwargs"]["endpoint_url"] is None


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_is_named(production, monkeypatch, value):
    name = "MLFLOW_TRACKING_URI"
    monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    with pytest.raises(InterpolationResolutionError, match=rf"environment variable {name} is not set; set it"):
        open_config("production", REPO)["mlflow"]


def test_the_session_token_of_temporary_keys_reaches_the_store(production):
    fs = open_catalog("production", REPO).get("btc_usdt.champion")._fs
    assert (fs.key, fs.token) == (None, None), "botocore looks for them itself"

    async def read_keys():
        session = aiobotocore.session.AioSession(profile=fs.kwargs.get("profile"))
        return await (await session.get_credentials()).get_frozen_credentials()

    credentials = asyncio.run(read_keys())
    assert (credentials.access_key, credentials.token) == ("me", "passing")


def test_base_needs_no_variable_and_the_documentation_names_every_one(monkeypatch):
    for name in PRODUCTION:
        monkeypatch.delenv(name, raising=False)
    assert open_config("base", REPO)["credentials"] == {"storage": {}, "exchange": {}}
    page = (REPO / "docs" / "publishing.md").read_text()
    assert [name for name in [*PRODUCTION, PROJECT_VARIABLE] if name not in page] == []


@pytest.mark.parametrize("name", ["my [project]", "what?", "{braces}"])
def test_a_folder_that_kedro_cannot_read_is_refused(tmp_path: Path, name: str):
    with pytest.raises(ParameterError, match=r"a project cannot be in a folder whose path .*; rename the folder"):
        open_catalog("base", lay_out(tmp_path / name))


def test_a_key_in_two_files_and_a_file_that_is_not_utf8_are_named_in_one_line(project):
    write_config(project, "base", catalog_again={"{pair}.champion": {"type": "pickle.PickleDataset"}})
    with pytest.raises(ParameterError, match=r"Duplicate keys found in .*; correct the configuration in conf/"):
        open_catalog("base", project)
    (project / "conf/base/parameters.yml").write_text("pairs: [btc_usdt]", encoding="utf-16")
    with pytest.raises(ParameterError, match=r"base/parameters\.yml: the file is not UTF-8 .*; save it as UTF-8"):
        open_catalog("base", project)
