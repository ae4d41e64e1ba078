"""The stand-in: a process with one port, and the environment that leads programs to it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

# Seconds.
START_LIMIT = 30


class Stand:
    """A stand-in that runs as long as the `with` block.

    work      directory for logs and other files, below the target directory
    port      its port on 127.0.0.1
    endpoint  its URL
    env       environment for programs that use it: endpoint, region, and credentials that are no secret
    """

    def __init__(self, work):
        self.work = Path(work)
        self.root = Path(__file__).resolve().parents[2]
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            # No request to the address of a machine's role.
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.process = None

    def __enter__(self):
        # Nothing of an earlier run, and nothing in the user's home.
        home = self.work / "home"
        home.mkdir(parents=True, exist_ok=True)
        env = self.env | {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": "127.0.0.1",
            "HOME": str(home),
            "TMPDIR": str(home),
            "LOG_LEVEL": "WARNING",
        }
        env.pop("AWS_ENDPOINT_URL")
        program = Path(sys.executable).parent / "ministack"
        with open(self.work / "stand-in.log", "wb") as log:
            # Its functions are processes below it; they end with its group.
            self.process = subprocess.Popen(
                [program], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home, start_new_session=True
            )
        deadline = time.monotonic() + START_LIMIT
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                sys.exit(f"the stand-in doesn't start; see {self.work / 'stand-in.log'}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sign)
                self.process.wait(timeout=5)
            except ProcessLookupError:
                pass
            except subprocess.TimeoutExpired:
                continue

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def build(self, package, command, *arguments):
        """Builds with `cargo test --no-run` or `cargo build`; returns the paths of the package's executables by the names of their targets."""
        # `.ci/run` names a selection of packages that it has built.
        selection = os.environ.get("EDGES", f"--package {package}").split()
        command = ["cargo", command, *selection, *arguments, "--message-format", "json-render-diagnostics"]
        built = subprocess.run(command, cwd=self.root, stdout=subprocess.PIPE, text=True, check=False)
        if built.returncode:
            sys.exit(f"`{' '.join(command)}` failed")
        messages = (json.loads(line) for line in built.stdout.splitlines() if line.startswith("{"))
        return {
            message["target"]["name"]: Path(message["executable"])
            for message in messages
            if message.get("executable") and is_of(message["package_id"], package)
        }

    def run(self, program, *arguments, limit=120, env=None, **options):
        """Runs a program with the stand-in's environment; returns the completed process, with its output as text."""
        return subprocess.run(
            [program, *map(str, arguments)],
            env=self.env | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=limit,
            check=False,
            **options,
        )


def is_of(package_id, package):
    """Finds the name in `path+file:///…/name#0.1.0` or `path+file:///…#name@0.1.0`."""
    path, _, rest = package_id.partition("#")
    return rest.startswith(f"{package}@") or path.endswith(f"/{package}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
