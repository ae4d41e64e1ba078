"""The tests of `async-tool-dynamodb` that need the stand-in: the ones that `cargo test` ignores."""

import re
import subprocess
from pathlib import Path

# Seconds for all of them.
LIMIT = 170
RESULT = re.compile(r"^test (\S+) \.\.\. (ok|FAILED|ignored)", re.MULTILINE)
FIGURE = re.compile(r"^figure of ([\w:]+): (.*)$", re.MULTILINE)


def checks(stand):
    binary = stand.build("test", "--package", "async-tool-dynamodb", "--test", "it", "--no-run")["it"]
    listed = stand.run(binary, "--ignored", "--list", "--format", "terse").stdout
    names = [line.removesuffix(": test") for line in listed.splitlines() if line.endswith(": test")]
    assert names, "the test binary has no test for the stand-in"
    results = Results(stand, binary)
    return [(name.replace("::", ": ").replace("_", " "), lambda name=name: results.of(name)) for name in names]


class Results:
    """One run of all tests, when the first result is asked for."""

    def __init__(self, stand, binary):
        self.stand = stand
        self.binary = binary
        self.output = None

    def of(self, name):
        if self.output is None:
            self.output = self.run()
        status = dict(RESULT.findall(self.output)).get(name)
        if status != "ok":
            log = Path(self.stand.work) / "journal.log"
            raise AssertionError(f"{status or 'it has not ended'}; see {log}")
        return "; ".join(figure for test, figure in FIGURE.findall(self.output) if test == name) or None

    def run(self):
        arguments = ["--ignored", "--show-output", "--test-threads", "4"]
        env = {"ASYNC_TOOL_DYNAMODB_ENDPOINT": self.stand.endpoint}
        try:
            ran = self.stand.run(self.binary, *arguments, env=env, limit=LIMIT)
            output = ran.stdout + ran.stderr
        except subprocess.TimeoutExpired as late:
            output = (late.stdout or b"").decode() + f"\nended after {LIMIT} s\n"
        (self.stand.work / "journal.log").write_text(output)
        return output
