"""A container engine from Debian's packages, in a folder of its own: started, used, ended by its process id."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import network

HERE = ("docker.io", "containerd", "tini")
"""Packages of this release of Debian."""
NEWER = ("docker-compose", "docker-buildx")
"""Packages of the next one, which are programs without dependencies."""
NEEDED = ("runc", "iptables", "debootstrap")
"""Packages that are installed, as the tests' other system packages are."""
BASE = "make-us-rich-test/base:1"
CONTENTS = "python3,python3-venv,ca-certificates,postgresql"


@dataclass(frozen=True)
class Engine:
    """An engine below a folder.

    Attributes:
        folder: Everything that it writes.
    """

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
    told = run("apt-get", "indextargets", "--format", "$(SITE)", "Codename: bookworm")
    return told.split()[0]


def run(*command: str, cwd: Path | None = None) -> str:
    """What a command says."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, cwd=cwd, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@contextmanager
def started(engine: Engine) -> Iterator[Engine]:
    """The engine while it runs; what it changes of this machine's network is put back."""
    answers = subprocess.run(["docker", "info"], env=engine.variables, capture_output=True, check=False).returncode == 0
    assert not answers, f"an engine runs in {engine.folder} already; end it: kill $(cat {engine.folder}/docker.pid)"
    with network.kept(engine.folder / "network.json"):
        try:
            with _running(engine):
                yield engine
        finally:
            unmount(engine.folder)


@contextmanager
def _running(engine: Engine) -> Iterator[None]:
    folder = engine.folder
    command = [
        "dockerd",
        "--data-root",
        f"{folder}/data",
        "--exec-root",
        f"{folder}/exec",
        "-p",
        f"{folder}/docker.pid",
    ]
    command += ["-H", f"unix://{folder}/docker.sock", "--storage-driver", "overlay2", "--bip", "10.211.0.1/24"]
    command += ["--default-ulimit", "nofile=4096:4096"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=engine.variables, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while subprocess.run(["docker", "info"], env=engine.variables, capture_output=True, check=False).returncode:
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
