"""A container engine from Debian's packages, in a folder of its own: started, used, ended by its process id."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = ("docker.io", "containerd", "tini")
"""Packages of this release of Debian."""
NEWER = ("docker-compose", "docker-buildx")
"""Packages of the next one, which are programs without dependencies."""
NEEDED = ("runc", "iptables", "debootstrap")
"""Packages that are installed, as the tests' other system packages are."""
BASE = "make-us-rich-test/base:1"
CONTENTS = "python3,python3-venv,ca-certificates,postgresql"
TABLES = ("filter", "nat")
"""Of the packet filter; an engine adds chains and rules to these."""
LINKS = Path("/sys/class/net")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


@dataclass(frozen=True)
class Engine:
    """An engine below a folder, which has everything that it writes."""

    folder: Path

    @property
    def programs(self) -> Path:
        """Where its packages were unpacked."""
        return self.folder / "programs"

    @property
    def variables(self) -> dict[str, str]:
        """The environment of its client."""
        folders = [self.programs / "usr/bin", self.programs / "usr/sbin", "/usr/sbin"]
        return {
            **os.environ,
            "PATH": ":".join([*map(str, folders), os.environ["PATH"]]),
            "DOCKER_HOST": f"unix://{self.folder}/docker.sock",
            "DOCKER_CONFIG": str(self.folder / "config"),
            "DOCKER_BUILDKIT": "1",
        }

    def docker(self, *arguments: str, **options: str) -> str:
        """What a command of the client says."""
        command = ["docker", *arguments]
        done = subprocess.run(command, env={**self.variables, **options}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout


def install(folder: Path) -> Engine:
    """Unpack the engine's packages; nothing of them is installed."""
    engine = Engine(folder)
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *NEEDED)
    if not engine.programs.exists():
        run("apt-get", "download", *HERE, cwd=packages)
        options = newer_release(folder)
        run("apt-get", *options, "update", "-qq")
        run("apt-get", *options, "download", *NEWER, cwd=packages)
        for package in packages.glob("*.deb"):
            run("dpkg", "-x", str(package), str(engine.programs))
    plugins = folder / "config" / "cli-plugins"
    shutil.copytree(engine.programs / "usr/libexec/docker/cli-plugins", plugins, dirs_exist_ok=True)
    return engine


def newer_release(folder: Path) -> list[str]:
    """Options of apt for the next release of Debian alone, with lists of its own."""
    lists = folder / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (folder / "newer.list").write_text(f"deb [signed-by={key}] {mirror()} trixie main\n")
    sources = {"SourceList": folder / "newer.list", "SourceParts": "/dev/null"}
    return [*(f"-oDir::Etc::{name}={path}" for name, path in sources.items()), f"-oDir::State::Lists={lists}"]


def mirror() -> str:
    """Where this machine takes Debian's packages from."""
    return run("apt-get", "indextargets", "--format", "$(SITE)", "Codename: bookworm").split()[0]


def run(*command: str, cwd: Path | None = None, given: str | None = None) -> str:
    """The output of a command."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, cwd=cwd, env=quiet, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@contextmanager
def started(engine: Engine) -> Iterator[Engine]:
    """The engine while it runs; what it changes of this machine's network is put back."""
    assert not answers(engine), f"an engine runs already; end it: kill $(cat {engine.folder}/docker.pid)"
    note = engine.folder / "network.json"
    if not note.exists():  # What a run that was killed has left is put back by the next one.
        note.write_text(json.dumps(network()))
    try:
        with running(engine):
            yield engine
    finally:
        unmount(engine.folder)
        restore_network(json.loads(note.read_text()))
        note.unlink()


def answers(engine: Engine) -> bool:
    return subprocess.run(["docker", "info"], env=engine.variables, capture_output=True, check=False).returncode == 0


@contextmanager
def running(engine: Engine) -> Iterator[None]:
    folder = engine.folder
    options = (
        f"--data-root {folder}/data --exec-root {folder}/exec -p {folder}/docker.pid -H unix://{folder}/docker.sock"
    )
    limits = "--storage-driver overlay2 --bip 10.211.0.1/24 --default-ulimit nofile=4096:4096"
    command = ["dockerd", *options.split(), *limits.split()]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=engine.variables, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while not answers(engine):
            assert process.poll() is None, (folder / "log").read_text()[-3000:]
            assert time.monotonic() < deadline, "the engine does not answer"
            time.sleep(0.5)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=120)


def unmount(folder: Path) -> None:
    """Take away what the engine has left mounted below its folder, the deepest first."""
    points = [Path(line.split()[1]) for line in Path("/proc/mounts").read_text().splitlines()]
    for point in sorted((point for point in points if point.is_relative_to(folder)), reverse=True):
        run("umount", str(point))


def network() -> dict[str, Any]:
    """The rules, the bridges, and whether packets are forwarded."""
    rules = {table: saved_rules(table) for table in TABLES}
    return {"rules": rules, "bridges": sorted(bridges()), "forwarding": FORWARDING.read_text()}


def restore_network(before: dict[str, Any]) -> None:
    for link in sorted(bridges() - set(before["bridges"])):
        run("ip", "link", "delete", link)
    for table, rules in before["rules"].items():
        if saved_rules(table) != rules:
            run("iptables-restore", "--table", table, given=rules)
    if FORWARDING.read_text() != before["forwarding"]:
        FORWARDING.write_text(before["forwarding"])


def saved_rules(table: str) -> str:
    """A table as ``iptables-restore`` takes it, without dates and counters."""
    run("iptables", "--table", table, "--list-rules")  # A table that has never been listed is not saved.
    lines = run("iptables-save", "--table", table).splitlines()
    return "".join(re.sub(r"\[\d+:\d+\]", "[0:0]", line) + "\n" for line in lines if not line.startswith("#"))


def bridges() -> set[str]:
    return {link.name for link in LINKS.iterdir() if (link / "bridge").exists()}


def make_base(engine: Engine, weed: Path) -> None:
    """The base image: Debian with Python and PostgreSQL, and SeaweedFS."""
    if BASE in engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}"):
        return
    root = engine.folder / "root"
    if not (root / "usr/bin/python3").exists():
        run("debootstrap", "--variant=minbase", f"--include={CONTENTS}", "bookworm", str(root), mirror())
    shutil.copy(weed.resolve(), root / "usr/local/bin/weed")
    data = root / "var/lib/postgresql/data"
    data.mkdir(exist_ok=True)
    run("chroot", str(root), "chown", "postgres:postgres", "/var/lib/postgresql/data")
    archive = engine.folder / "base.tar"
    run("tar", "-C", str(root), "-cf", str(archive), ".")
    engine.docker("import", str(archive), BASE)
    archive.unlink()
