"""The manifests keep to the schemas of Kubernetes, and to the strictest of its policies."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from make_us_rich.hourly.clock import read_lines

REPO = Path(__file__).resolve().parents[2]
FOLDER = REPO / "deploy" / "kubernetes"
LISTED = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
RESOURCES = [
    resource for name in LISTED["resources"] for resource in yaml.safe_load_all((FOLDER / name).read_text()) if resource
]
CONFIGURED: list[str] = yaml.safe_load((REPO / "conf" / "base" / "parameters.yml").read_text())["pairs"]


def pod_of(resource: dict[str, Any]) -> dict[str, Any] | None:
    """The pod that a resource makes, if it makes one."""
    spec = resource.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    pod: dict[str, Any] | None = spec.get("template", {}).get("spec")
    return pod


PODS = {resource["metadata"]["name"]: pod for resource in RESOURCES if (pod := pod_of(resource))}
CONTAINERS = [
    (name, container)
    for name, pod in PODS.items()
    for container in [*pod.get("initContainers", []), *pod["containers"]]
]


def named(kind: str) -> dict[str, dict[str, Any]]:
    return {resource["metadata"]["name"]: resource for resource in RESOURCES if resource["kind"] == kind}


def test_they_keep_to_the_schemas() -> None:
    command = [str(Path(sys.executable).with_name("kubernetes-validate")), "--strict", "--quiet"]
    files = [str(FOLDER / name) for name in LISTED["resources"]]

    checked = subprocess.run([*command, *files], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_manifest_is_listed() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} == {*LISTED["resources"], "kustomization.yaml"}


def test_the_images_are_those_that_compose_builds_with_their_tags() -> None:
    compose = yaml.safe_load((REPO / "docker-compose.yml").read_text())["services"]
    built = {service["image"] for service in compose.values() if "build" in service}
    tagged = {f"{image['name']}:{image['newTag']}" for image in LISTED["images"]}

    assert tagged <= built
    assert {container["image"] for _, container in CONTAINERS} == {image["name"] for image in LISTED["images"]}


@pytest.mark.parametrize(("pod", "container"), CONTAINERS, ids=[f"{pod}-{each['name']}" for pod, each in CONTAINERS])
def test_a_container_may_do_nothing_that_it_need_not(pod: str, container: dict[str, Any]) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]
    assert "env" not in container, "settings and secrets come by reference"


@pytest.mark.parametrize("name", PODS)
def test_a_pod_runs_without_root_and_without_a_key_to_the_cluster(name: str) -> None:
    context = PODS[name]["securityContext"]

    assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 10001)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert PODS[name]["automountServiceAccountToken"] is False


def test_the_api_is_alive_and_ready_where_it_says_so() -> None:
    (container,) = PODS["api"]["containers"]

    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}


def test_the_interface_has_probes_and_no_secret() -> None:
    (container,) = PODS["interface"]["containers"]

    assert {"livenessProbe", "readinessProbe", "startupProbe"} <= container.keys()
    assert not any("secretRef" in source for source in container["envFrom"])


def test_no_secret_is_among_them() -> None:
    assert not named("Secret")
    assert not any("KEY" in name or "PASSWORD" in name for name in named("ConfigMap")["make-us-rich"]["data"])


def test_each_pair_has_a_cron_job_of_its_own_and_they_are_staggered() -> None:
    jobs = named("CronJob")

    assert {pod["containers"][0]["command"][-1] for name, pod in PODS.items() if name in jobs} == set(CONFIGURED)
    assert all(job["spec"]["concurrencyPolicy"] == "Forbid" for job in jobs.values())
    times = [job["spec"]["schedule"] for job in jobs.values()]
    assert len(set(times)) == len(times)


def test_one_pod_watches_and_knows_whom_to_tell_and_where_the_api_is() -> None:
    watcher = named("Deployment")["watch"]
    (container,) = PODS["watch"]["containers"]

    assert (watcher["spec"]["replicas"], watcher["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert container["command"][:2] == ["kedro", "watch"]
    assert {"secretRef": {"name": "make-us-rich"}} in container["envFrom"]
    assert "--from-literal=MAKE_US_RICH_ALERT_URLS=" in (FOLDER / "settings.yaml").read_text()
    assert named("ConfigMap")["make-us-rich"]["data"]["MAKE_US_RICH_API_URL"] == "http://api:8000"


def test_a_watcher_that_looks_no_more_is_started_again() -> None:
    (container,) = PODS["watch"]["containers"]
    environment = named("ConfigMap")["make-us-rich"]["data"]["KEDRO_ENV"]
    (_, _, looked) = container["livenessProbe"]["exec"]["command"]
    every = int(container["command"][-1].partition("=")[2])

    assert f"/app/data/alerts_{environment}.json" in looked
    assert f"-{4 * every // 60} minutes" in looked


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_hourly", FOLDER / "write_hourly.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_cron_jobs_are_those_of_the_configuration(writer: ModuleType) -> None:
    assert (FOLDER / "hourly.yaml").read_text() == writer.cron_jobs(CONFIGURED), "call make kubernetes"


def test_forty_pairs_have_times_that_cron_understands(writer: ModuleType) -> None:
    for number in range(40):
        (line,) = read_lines(f"{writer.minutes_of(number)} * * * * true")
        assert all(2 <= int(minute) <= 59 for minute in line.times.split()[0].split(","))
