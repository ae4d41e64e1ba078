"""The examples for AWS: deployed once, run as their README says, and run where something is missing."""

import json
import re
import subprocess
import threading
import time
import uuid
from pathlib import Path

import botocore.session

PACKAGE = "async-tool-aws-examples"
# Beginning of all names, as in the README.
PREFIX = "async-tool"
# Seconds for the tests of the package that need the deployment.
LIMIT = 150
RESULT = re.compile(r"^test (?:\S+: )?(\S+) \.\.\. (?:figure: (.*)\n)?(ok|FAILED)", re.MULTILINE)


def checks(stand):
    programs = stand.build(PACKAGE, "build", "--bins", "--examples")
    tests = stand.build(PACKAGE, "test", "--test", "it", "--no-run")["it"]
    examples = Examples(stand, programs)
    live = Live(stand, tests)
    listed = stand.run(tests, "--ignored", "--list", "--format", "terse").stdout
    names = [line.removesuffix(": test") for line in listed.splitlines() if line.endswith(": test")]
    assert names, "the test binary has no test for the stand-in"
    return [
        ("deploy creates everything, and updates it", examples.deploy),
        ("call_api: two calls of a function at once", examples.call_api),
        ("call_api: the message of a function that failed", examples.call_api_fails),
        ("query_database: an item, and null for a missing one", examples.query_database),
        ("order_report: a result through the queue", examples.order_report),
        ("order_report: a failure through the queue", examples.order_report_fails),
        ("hop: one process orders, another one delivers", examples.hop),
        ("hop: a message that comes twice is told once", examples.hop_twice),
        *((name.replace("::", ": ").replace("_", " "), lambda name=name: live.of(name)) for name in names),
        ("agent function: woken by its report", examples.agent),
        ("agent function: a message through the queue", examples.agent_queue),
        ("agent function: invocations at once for one session", examples.agent_at_once),
        ("agent function: a message that comes twice is answered once", examples.agent_twice),
        ("agent function: an alarm ends what never comes", examples.agent_alarm),
        ("agent function: what can't be read stays in the queue", examples.agent_unreadable),
        ("without credentials, each program says so in one line", examples.no_credentials),
        ("without a region, each program says so in one line", examples.no_region),
        ("in another region, each program names what is missing", examples.other_region),
        ("without the deployment, each program names what is missing", examples.no_deployment),
        ("without a service, each program says so in one line", examples.no_service),
        ("without the journal's tables, the programs name one", examples.no_journal),
        ("deploy removes everything", examples.remove),
    ]


def objects_in(output):
    """JSON objects in a text. The order of their keys depends on the features of serde_json that other programs turn on."""
    return [json.loads(found) for found in re.findall(r"\{[^{}]*\}", output)]


class Examples:
    def __init__(self, stand, programs):
        self.stand = stand
        self.programs = programs
        self.session = botocore.session.get_session()

    # ------------------------------------------------------------------------------------------------------ helpers

    def client(self, service):
        return self.session.create_client(
            service,
            region_name=self.stand.env["AWS_REGION"],
            endpoint_url=self.stand.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def run(self, program, *arguments, limit=60, env=None):
        """Output of a program that has to succeed."""
        ran = self.stand.run(self.programs[program], *arguments, limit=limit, env=env)
        assert ran.returncode == 0, f"{program} ended with {ran.returncode}: {ran.stderr.strip() or ran.stdout.strip()}"
        return ran.stdout

    def fails(self, program, *arguments, env=None, without=()):
        """The line by which a program says why it failed."""
        names = {name: value for name, value in (self.stand.env | (env or {})).items() if name not in without}
        begun = time.monotonic()
        ran = subprocess.run(
            [self.programs[program], *arguments],
            env=names,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
        took = time.monotonic() - begun
        assert ran.returncode not in (0, 101), f"{program} ended with {ran.returncode}: {ran.stderr}"
        lines = ran.stderr.splitlines()
        assert len(lines) == 1 and lines[0].startswith("error: "), f"{program} wrote {lines}"
        assert took < 30, f"{program} took {took:.0f} s"
        return lines[0]

    def queue(self, name):
        return self.client("sqs").get_queue_url(QueueName=f"{PREFIX}-{name}")["QueueUrl"]

    def invoke(self, event):
        """Answer of the agent's function, and the type of its error."""
        answer = self.client("lambda").invoke(FunctionName=f"{PREFIX}-agent", Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read())
        return payload, payload.get("errorType") if answer.get("FunctionError") else None

    def entries(self, session):
        """Output of `ask_agent` for a message that changes nothing: tasks of the session."""
        return self.run("ask_agent", "status", "--session", session)

    def in_queue(self, name):
        """Number of messages, without alarms that are not due."""
        attributes = self.client("sqs").get_queue_attributes(QueueUrl=self.queue(name), AttributeNames=["All"])["Attributes"]
        return sum(int(attributes[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible"))

    # ------------------------------------------------------------------------------------------------------- checks

    def deploy(self):
        times = []
        for _ in range(2):
            begun = time.monotonic()
            output = self.run("deploy", limit=150)
            times.append(time.monotonic() - begun)
        for name in ("orders", "received", "completions", "inbox", "api", "report", "agent-report", "agent"):
            assert f"{PREFIX}-{name}" in output, output
        functions = self.client("lambda").list_functions()["Functions"]
        assert len(functions) == 4, functions
        mappings = self.client("lambda").list_event_source_mappings(FunctionName=f"{PREFIX}-agent")["EventSourceMappings"]
        assert len(mappings) == 1, mappings
        return f"{times[0]:.0f} s and {times[1]:.0f} s"

    def call_api(self):
        output = self.run("call_api")
        assert '"cents":650' in output and '"cents":1290' in output, output

    def call_api_fails(self):
        line = self.fails("call_api", "/prices/pears")
        assert "the shop has nothing at /prices/pears" in line, line

    def query_database(self):
        output = self.run("query_database")
        assert re.search(r"t1 query_database \S+ ?\S*: .*\"customer\":\"ann\"", output), output
        assert re.search(r"t2 query_database \S+ ?\S*: null", output), output

    def order_report(self):
        output = self.run("order_report", "ann", "bob")
        told = objects_in(output)
        assert {"customer": "ann", "orders": 3, "cents": 2815} in told, output
        assert {"customer": "bob", "orders": 2, "cents": 1130} in told, output

    def order_report_fails(self):
        line = self.fails("order_report", "nobody")
        assert "nobody has no orders" in line, line
        line = self.fails("order_report", "ann", "--within", "0.01")
        assert "deadline" in line, line
        # The late report is of no use to another program.
        time.sleep(1)
        self.client("sqs").purge_queue(QueueUrl=self.queue("completions"))

    def hop(self):
        ordered = self.run("hop", "order", "--session", "hop-1")
        assert "the session waits for t1" in ordered, ordered
        delivered = self.run("hop", "deliver")
        assert "t1 order_report completed: {" in delivered, delivered
        assert {"customer": "ann", "orders": 3, "cents": 2815} in objects_in(delivered), delivered
        ms, appends = re.search(r"left after (\d+) ms and (\d+) appends; the session waits for nothing", delivered).groups()
        assert int(appends) <= 4, delivered
        return f"the second process left after {ms} ms and {appends} appends"

    def hop_twice(self):
        self.run("hop", "order", "bob", "--session", "hop-2")
        sqs, url = self.client("sqs"), self.queue("completions")
        [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        sqs.send_message(QueueUrl=url, MessageBody=message["Body"])
        first = self.run("hop", "deliver")
        assert first.count("order_report completed") == 1, first
        sqs.send_message(QueueUrl=url, MessageBody=message["Body"])
        ran = self.stand.run(self.programs["hop"], "deliver", "--wait", "2")
        assert "the task had ended before" in ran.stdout and "completed" not in ran.stdout, ran.stdout
        assert ran.returncode == 1 and "no message came" in ran.stderr, ran.stderr
        assert self.in_queue("completions") == 0

    def agent(self):
        output = self.run("ask_agent", "--session", "agent-1")
        assert "t1 order_report completed: {" in output, output
        assert {"customer": "ann", "orders": 3, "cents": 2815} in objects_in(output), output
        first = re.search(r"(\d+) ms and (\d+) appends", output).groups()
        later = re.search(r"(\d+) ms after its first answer", output)[1]
        return f"{first[0]} ms and {first[1]} appends for the order, woken and told {later} ms later"

    def agent_queue(self):
        self.run("ask_agent", "call_api path=/prices/tea", "--session", "agent-2", "--queue")
        self.until(lambda: self.in_queue("inbox") == 0, 20)
        output = self.run("ask_agent", "call_api path=/prices/honey", "--session", "agent-2")
        assert "t2 call_api" in output, f"the message of the queue made no call: {output}"

    def agent_at_once(self):
        count, session, outputs = 6, f"agent-{uuid.uuid4()}", []
        ask = lambda path: outputs.append(self.run("ask_agent", f"call_api path=/prices/{path}", "--session", session))
        threads = [threading.Thread(target=ask, args=(path,)) for path in ["tea", "honey", "bread", "coffee", "tea", "honey"]]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(outputs) == count, outputs
        busy = sum("busy; the message is in the queue" in output for output in outputs)
        answered = sum("appends" in output for output in outputs)
        assert busy and answered and busy + answered == count, outputs
        self.until(lambda: self.in_queue("inbox") == 0, 60)
        took = time.monotonic() - begun
        output = self.run("ask_agent", "call_api path=/prices/tea", "--session", session)
        assert f"t{count + 1} call_api" in output, f"{count} messages made other calls: {output}"
        return f"{answered} went on, {busy} were busy and came again, all {count} were answered once within {took:.0f} s"

    def agent_twice(self):
        session = f"agent-{uuid.uuid4()}"
        event = {"session": session, "message": "call_api path=/prices/tea", "id": "m-1"}
        first, error = self.invoke(event)
        assert error is None and first["said"], first
        again, error = self.invoke(event)
        assert error is None and not again["said"], again
        for _ in range(2):
            self.client("sqs").send_message(QueueUrl=self.queue("inbox"), MessageBody=json.dumps(event | {"id": "m-2"}))
        self.until(lambda: self.in_queue("inbox") == 0, 60)
        output = self.run("ask_agent", "call_api path=/prices/tea", "--session", session)
        assert "t3 call_api" in output, f"two messages, each sent twice, made other calls: {output}"

    def agent_alarm(self):
        functions, agent, report = self.client("lambda"), f"{PREFIX}-agent", f"{PREFIX}-agent-report"
        variables = functions.get_function_configuration(FunctionName=agent)["Environment"]["Variables"]
        functions.update_function_configuration(
            FunctionName=agent, Environment={"Variables": variables | {"REPORT_WITHIN": "4"}}
        )
        # Reports are ordered and never made, and nothing says so.
        functions.delete_function_event_invoke_config(FunctionName=report)
        functions.put_function_concurrency(FunctionName=report, ReservedConcurrentExecutions=0)
        begun = time.monotonic()
        output = self.run("ask_agent", "--session", f"agent-{uuid.uuid4()}", "--within", "40")
        took = time.monotonic() - begun
        functions.delete_function_concurrency(FunctionName=report)
        functions.update_function_configuration(FunctionName=agent, Environment={"Variables": variables})
        assert "t1 order_report failed" in output and "deadline" in output, output
        assert took >= 4, output
        return f"told after {took:.1f} s, with a deadline of 4 s"

    def agent_unreadable(self):
        before = self.in_queue("inbox")
        sqs, url = self.client("sqs"), self.queue("inbox")
        sqs.send_message(QueueUrl=url, MessageBody="hello")
        # It takes part in a batch with a message that can be read.
        session = f"agent-{uuid.uuid4()}"
        self.run("ask_agent", "call_api path=/prices/tea", "--session", session, "--queue")
        self.until(lambda: self.in_queue("inbox") == before + 1, 20)
        output = self.run("ask_agent", "call_api path=/prices/tea", "--session", session)
        assert "t2 call_api" in output, output
        sqs.purge_queue(QueueUrl=url)
        payload, error = self.invoke({"hello": 1})
        assert error == "UnknownEvent", payload

    ALL = (
        ("call_api",),
        ("query_database",),
        ("order_report",),
        ("hop", "order"),
        ("hop", "deliver"),
        ("ask_agent",),
        ("ask_agent", "--queue"),
        ("deploy", "--remove"),
    )

    def no_credentials(self):
        for program in self.ALL:
            line = self.fails(*program, without=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), env={"HOME": str(self.stand.work)})
            assert "no AWS credentials" in line and "AWS_ACCESS_KEY_ID" in line, line
        return line

    def no_region(self):
        for program in self.ALL:
            line = self.fails(*program, without=("AWS_REGION",), env={"HOME": str(self.stand.work)})
            assert "no AWS region" in line and "AWS_REGION" in line, line
            line = self.fails(*program, env={"AWS_REGION": ""})
            assert "no AWS region" in line, line
        return line

    def other_region(self):
        return self.missing(PREFIX, "ap-south-1", env={"AWS_REGION": "ap-south-1"})

    def no_deployment(self):
        return self.missing("nowhere", self.stand.env["AWS_REGION"], "--prefix", "nowhere")

    def missing(self, prefix, region, *arguments, env=None):
        # `--remove` finds nothing to remove, which is no error.
        for program in self.ALL[:-1]:
            line = self.fails(*program, *arguments, env=env)
            kind = {"call_api": "function", "query_database": "table"}.get(program[0], "queue")
            if program == ("ask_agent",):
                kind = "function"
            assert re.search(rf"there is no {kind} `{prefix}-\S+` in {region}", line), line
        self.run("deploy", "--remove", *arguments, env=env)
        return line

    def no_service(self):
        for program in self.ALL:
            line = self.fails(*program, env={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
            assert "can't be reached" in line, line
        return line

    def no_journal(self):
        for table in ("log", "heads"):
            self.client("dynamodb").delete_table(TableName=f"{PREFIX}-{table}")
            for program in (("hop", "order"), ("ask_agent",)):
                line = self.fails(*program)
                assert f"{PREFIX}-{table}" in line or f"{PREFIX}-heads" in line, line
        return line

    def remove(self):
        self.run("deploy", "--remove")
        self.run("deploy", "--remove")
        assert self.client("lambda").list_functions()["Functions"] == []
        tables = self.client("dynamodb").list_tables()["TableNames"]
        assert not {f"{PREFIX}-{name}" for name in ("orders", "received", "heads", "log")} & set(tables), tables
        line = self.fails("call_api")
        assert "there is no function" in line, line

    @staticmethod
    def until(is_so, limit):
        deadline = time.monotonic() + limit
        while not is_so():
            assert time.monotonic() < deadline, f"it is not so after {limit} s"
            time.sleep(0.2)


class Live:
    """One run of the tests that need the deployment, when the first result is asked for."""

    def __init__(self, stand, binary):
        self.stand = stand
        self.binary = binary
        self.output = None

    def of(self, name):
        if self.output is None:
            self.output = self.run()
        for test, figure, status in RESULT.findall(self.output):
            if test == name:
                assert status == "ok", f"see {self.log()}"
                return figure or None
        raise AssertionError(f"it has not ended; see {self.log()}")

    def log(self):
        return Path(self.stand.work) / "examples.log"

    def run(self):
        # One after the other: some change the deployment or measure times.
        arguments = ["--ignored", "--nocapture", "--test-threads", "1"]
        try:
            ran = self.stand.run(self.binary, *arguments, env={"ASYNC_TOOL_AWS_PREFIX": PREFIX}, limit=LIMIT)
            output = ran.stdout + ran.stderr
        except subprocess.TimeoutExpired as late:
            output = (late.stdout or b"").decode() + f"\nended after {LIMIT} s\n"
        self.log().write_text(output)
        return output
