"""The tests of `async-tool-dynamodb` that need the stand-in: the ones that `cargo test` ignores."""

import re
import subprocess

import botocore.session

# Seconds for all of them. On an idle machine with two processors they take one minute.
LIMIT = 900
RESULT = re.compile(r"^test (\S+) \.\.\. (ok|FAILED|ignored)", re.MULTILINE)
FIGURE = re.compile(r"^figure of ([\w:]+): (.*)$", re.MULTILINE)


def checks(stand):
    binary = stand.build("async-tool-dynamodb", "test", "--test", "it", "--no-run")["it"]
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
            raise AssertionError(f"{status or 'it has not ended'}; see {self.stand.work / 'journal.log'}")
        return "; ".join(figure for test, figure in FIGURE.findall(self.output) if test == name) or None

    def run(self):
        env = self.stand.env | {
            "ASYNC_TOOL_DYNAMODB_ENDPOINT": self.stand.endpoint,
            "ASYNC_TOOL_DYNAMODB_TEMPLATE": deploy_template(self.stand),
        }
        # Not captured by the test binary, so that the log has everything even if it has to be ended.
        command = [self.binary, "--ignored", "--nocapture", "--test-threads", "8"]
        log = self.stand.work / "journal.log"
        with open(log, "wb") as output:
            try:
                subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=LIMIT, check=False)
            except subprocess.TimeoutExpired:
                output.write(f"\nended after {LIMIT} s\n".encode())
        return log.read_text(errors="replace")


def deploy_template(stand):
    """Makes the tables of the crate's CloudFormation template; returns their prefix."""
    prefix = "template"
    client = botocore.session.get_session().create_client(
        "cloudformation",
        region_name=stand.env["AWS_REGION"],
        endpoint_url=stand.endpoint,
        aws_access_key_id=stand.env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stand.env["AWS_SECRET_ACCESS_KEY"],
    )
    template = stand.root / "integrations/async-tool-dynamodb/tables.yaml"
    client.create_stack(
        StackName="journal",
        TemplateBody=template.read_text(),
        Parameters=[{"ParameterKey": "Prefix", "ParameterValue": prefix}],
        Capabilities=["CAPABILITY_IAM"],
    )
    client.get_waiter("stack_create_complete").wait(StackName="journal", WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return prefix
