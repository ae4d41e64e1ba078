"""The checks. Called by `run`, with the two programs and a working directory."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections import Counter

from collector import Collector
from picture import picture

README = pathlib.Path("examples/telemetry/README.md")
# A conversation takes seconds; a program that hangs must not hold up the run.
LIMIT = 60
INTERNAL, CLIENT, CONSUMER = 1, 3, 5
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class Skipped(Exception):
    pass


class Stage:
    def __init__(self, program, cli, work):
        self.program, self.cli, self.work = program, cli, pathlib.Path(work)
        self.collector = Collector()
        self.environment = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.collector.url,
            # So that a killed process has sent what had ended.
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    def start(self, *arguments):
        self.collector.clear()
        return self.go_on(*arguments)

    def go_on(self, *arguments):
        return subprocess.Popen([self.program, *arguments], env=self.environment, stdout=subprocess.DEVNULL)

    def play(self, *arguments):
        """The spans of a conversation."""
        process = self.start(*arguments)
        assert process.wait(LIMIT) == 0, f"`telemetry {' '.join(arguments)}` ended with {process.returncode}"
        return list(self.collector.spans)

    def export(self, *arguments):
        ran = subprocess.run([self.cli, "journal", "export", *map(str, arguments)], capture_output=True, timeout=LIMIT)
        assert ran.returncode == 0, ran.stderr.decode()
        return ran.stdout


def named(spans, name):
    return [span for span in spans if span.name == name]


def one(spans, name):
    found = named(spans, name)
    assert len(found) == 1, f"{len(found)} spans `{name}` among {[span.name for span in spans]}"
    return found[0]


def chats(spans):
    return sorted((span for span in spans if span.name.startswith("chat")), key=lambda span: span.start)


def linked(span, other):
    return (other.trace, other.id) in span.links


def is_one_trace(spans, roots=1):
    assert len({span.trace for span in spans}) == roots, Counter(span.trace for span in spans)
    ids = {span.id for span in spans}
    orphans = [span.name for span in spans if span.parent and span.parent not in ids]
    assert not orphans, f"spans without their parents: {orphans}"
    top = [span.name for span in spans if not span.parent]
    assert top == ["user_message"] * roots, top


@check
def one_trace_leads_from_a_message_over_a_background_task_to_the_turn_that_is_told_its_result(stage):
    spans = stage.play("bees")
    is_one_trace(spans)
    message, report, delivery = one(spans, "user_message"), one(spans, "execute_tool report"), one(spans, "deliver_results")
    called, told_of_call, told_of_result = chats(spans)
    invoked = sorted(named(spans, "invoke_agent"), key=lambda span: span.start)
    assert [span.parent for span in invoked] == [message.id] * 2
    assert [chat.parent for chat in (called, told_of_call, told_of_result)] == [invoked[0].id, invoked[0].id, invoked[1].id]
    assert report.parent == called.id
    assert delivery.parent == invoked[1].id
    assert linked(delivery, report) and linked(told_of_result, report)
    assert not called.links and not told_of_call.links
    # The task goes on in the background: the turn that called it is long over.
    assert called.end < report.end <= told_of_result.start
    assert all(span.end <= report.start + 1e9 for span in (called, told_of_call))


@check
def attempts_and_child_tasks_are_in_the_span_of_their_call(stage):
    spans = stage.play("bees")
    by_id = {span.id: span for span in spans}
    report = one(spans, "execute_tool report")

    def is_below(span, other):
        while span.parent in by_id:
            span = by_id[span.parent]
            if span.id == other.id:
                return True
        return False

    fetches = named(spans, "execute_tool fetch")
    assert len(fetches) == 2 and all(is_below(fetch, report) for fetch in fetches)
    attempts = {fetch.id: [span for span in named(spans, "execute_tool.attempt") if span.parent == fetch.id] for fetch in fetches}
    assert sorted(len(tries) for tries in attempts.values()) == [1, 2]
    for tries in attempts.values():
        assert [span.attributes["attempt"] for span in sorted(tries, key=lambda span: span.start)] == list(range(1, len(tries) + 1))


@check
def spans_have_the_names_and_attributes_of_the_conventions(stage):
    spans = stage.play("bees")
    for chat in chats(spans):
        assert (chat.name, chat.kind) == ("chat bee-1", CLIENT), chat
        for name, value in {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "example",
            "gen_ai.request.model": "bee-1",
            "gen_ai.conversation.id": "bees",
            "gen_ai.usage.cache_read.input_tokens": 120,
            "gen_ai.usage.output_tokens": 18,
        }.items():
            assert chat.attributes.get(name) == value, (name, chat.attributes)
        assert chat.attributes["gen_ai.usage.input_tokens"] > 200
    for agent in named(spans, "invoke_agent"):
        assert agent.attributes["gen_ai.operation.name"] == "invoke_agent"
        assert agent.attributes["gen_ai.provider.name"] == "example"
        assert agent.kind == INTERNAL
    report = one(spans, "execute_tool report")
    for name, value in {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "report",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "call_1",
        "gen_ai.conversation.id": "bees",
    }.items():
        assert report.attributes.get(name) == value, (name, report.attributes)
    assert not any(span.error for span in spans)


@check
def arguments_and_results_are_exported_only_when_asked_for(stage):
    plain = stage.play("bees")
    texts = [str(value) for span in plain for value in span.attributes.values()]
    assert not [text for text in texts if "honey" in text or "all about" in text], texts
    whole = one(stage.play("bees", "--contents"), "execute_tool report").attributes
    assert json.loads(whole["gen_ai.tool.call.arguments"]) == {"topic": "honey"}
    assert "all about honey" in whole["gen_ai.tool.call.result"]


@check
def a_worker_in_another_process_is_part_of_the_trace(stage):
    spans = stage.play("remote")
    is_one_trace(spans)
    call, run = one(spans, "execute_tool fetch"), one(spans, "execute_tool.run fetch")
    assert (call.service, run.service) == ("async-tool", "async-tool-worker")
    assert run.parent == call.id and run.kind == CONSUMER
    tries = [span for span in named(spans, "execute_tool.attempt") if span.service == "async-tool-worker"]
    assert len(tries) == 2 and all(span.parent == run.id for span in tries)
    assert linked(chats(spans)[-1], call)


@check
def a_process_that_is_killed_and_the_next_one_make_one_trace(stage):
    file = stage.work / "durable" / "sessions.db"
    shutil.rmtree(file.parent, ignore_errors=True)
    file.parent.mkdir()
    process = stage.start("durable", str(file), "--seconds", "60")
    # The model was told that the call runs, and the agent waits.
    before = stage.collector.wait(lambda spans: len(chats(spans)) == 2 and named(spans, "invoke_agent"), "two turns")
    assert not named(before, "execute_tool report")
    process.send_signal(signal.SIGKILL)
    process.wait(LIMIT)
    assert stage.go_on("durable", str(file)).wait(LIMIT) == 0
    spans = list(stage.collector.spans)
    assert len({span.trace for span in spans}) == 1, [(span.name, span.trace) for span in spans]
    message, again = one(spans, "user_message"), one(spans, "execute_tool report")
    assert again.parent == message.id
    last = chats(spans)[-1]
    assert linked(last, again) and linked(one(spans, "deliver_results"), again)
    known = {span.id for span in spans}
    # Only the call that was killed is missing, with what was in it.
    lost = {span.name for span in spans if span.parent and span.parent not in known}
    assert lost <= {"execute_tool fetch", "execute_tool.attempt"}, lost


@check
def a_call_that_waits_for_the_world_over_a_kill_is_part_of_the_trace(stage):
    file = stage.work / "deferred" / "sessions.db"
    shutil.rmtree(file.parent, ignore_errors=True)
    file.parent.mkdir()
    process = stage.start("deferred", str(file))
    # The model was told that the call runs, and the agent waits.
    before = stage.collector.wait(lambda spans: len(chats(spans)) == 2 and named(spans, "invoke_agent"), "two turns")
    assert not named(before, "execute_tool order")
    process.send_signal(signal.SIGKILL)
    process.wait(LIMIT)
    assert stage.go_on("deferred", str(file)).wait(LIMIT) == 0
    spans = list(stage.collector.spans)
    is_one_trace(spans)
    message, order = one(spans, "user_message"), one(spans, "execute_tool order")
    assert order.parent == message.id
    assert order.attributes["gen_ai.tool.call.id"] == "call_1", order.attributes
    last = chats(spans)[-1]
    assert len(chats(spans)) == 3 and linked(last, order) and linked(one(spans, "deliver_results"), order)


@check
def metrics_have_the_names_and_units_of_the_conventions(stage):
    stage.play("bees")
    points = stage.collector.points
    for name, unit in {
        "gen_ai.execute_tool.duration": "s",
        "gen_ai.client.operation.duration": "s",
        "gen_ai.invoke_agent.duration": "s",
        "gen_ai.client.inference.usage.input_tokens": "{token}",
        "gen_ai.client.inference.usage.output_tokens": "{token}",
    }.items():
        assert name in points, (name, sorted(points))
        assert points[name].unit == unit, (name, points[name].unit)
    counted = Counter()
    for point in points["gen_ai.execute_tool.duration"].histogram.data_points:
        labels = {pair.key: pair.value.string_value for pair in point.attributes}
        assert labels["gen_ai.operation.name"] == "execute_tool"
        counted[labels["gen_ai.tool.name"]] += point.count
    assert counted == {"report": 1, "fetch": 2}, counted
    chat = points["gen_ai.client.operation.duration"].histogram.data_points
    assert sum(point.count for point in chat) == 3 and all(point.sum >= 0.18 for point in chat)
    output = points["gen_ai.client.inference.usage.output_tokens"].sum
    assert output.is_monotonic and sum(point.as_int for point in output.data_points) == 54


@check
def the_picture_in_the_readme_is_that_of_the_quickstart(stage):
    spans = stage.play("quickstart", "examples")
    is_one_trace(spans, roots=3)
    drawn = picture(spans)
    (stage.work / "quickstart.txt").write_text(drawn)
    text = README.read_text()
    before, _, rest = text.partition("<!-- picture -->\n```text\n")
    known, fence, after = rest.partition("```\n")
    assert fence, "the README has no picture"
    if os.environ.get("WRITE"):
        README.write_text(f"{before}<!-- picture -->\n```text\n{drawn}```\n{after}")
        known = drawn
    # Times differ from run to run, and with them what one turn is told of.
    missing = names(drawn) - names(known)
    assert not missing, f"the picture in the README lacks {missing}; WRITE=1 draws it anew"


def names(drawn):
    words = {word for line in drawn.splitlines() for word in line.replace(",", " ").split()}
    return {word for word in words if word.replace("_", "").replace(".", "").isalpha() and word not in ("s", "ms")}


def is_the_durable_session(spans):
    assert [len({span.trace for span in spans}), len(named(spans, "user_message"))] == [1, 1]
    report = one(spans, "execute_tool report")
    assert linked(chats(spans)[-1], report) and linked(one(spans, "deliver_results"), report)
    assert {"session resumed", "resubmitted"} <= set(report.events), report.events
    assert chats(spans)[0].attributes["gen_ai.usage.output_tokens"] == 18


@check
def a_collector_takes_the_spans_of_a_journal(stage):
    file = stage.work / "durable" / "sessions.db"
    assert file.exists(), "the check of the killed process has left no journal"
    stage.collector.clear()
    for _ in range(2):
        body = stage.export(file, "--format", "otlp")
        request = urllib.request.Request(f"{stage.collector.url}/v1/traces", body, {"content-type": "application/json"})
        assert urllib.request.urlopen(request, timeout=LIMIT).status == 200
    spans = stage.collector.spans
    half = len(spans) // 2
    assert [span.id for span in spans[:half]] == [span.id for span in spans[half:]]
    is_the_durable_session(spans[:half])


@check
def perfettos_trace_processor_opens_the_timeline_of_a_journal(stage):
    import timeline

    file = stage.work / "durable" / "sessions.db"
    drawn = stage.work / "durable" / "timeline.json"
    drawn.unlink(missing_ok=True)
    stage.export(file, "--format", "perfetto", "-o", drawn)
    events = json.loads(drawn.read_text())["traceEvents"]
    try:
        slices, arrows, errors, tracks = timeline.look(drawn)
    except timeline.NoProcessor as error:
        raise Skipped(f"its package can't get the binary of the trace processor ({error})") from error
    assert not errors, errors
    assert sorted(slices) == sorted(event["name"] for event in events if event["ph"] in "Xi"), slices
    assert arrows == sum(event["ph"] == "s" for event in events), arrows
    assert {"agent", "calls 1"} <= tracks, tracks


def main():
    stage = Stage(*sys.argv[1:4])
    wanted = sys.argv[4:]
    outcomes = Counter()
    for function in CHECKS:
        name = function.__name__.replace("_", " ")
        if wanted and not any(word in function.__name__ for word in wanted):
            continue
        try:
            function(stage)
            outcome = "PASS"
        except Skipped as reason:
            outcome, name = "SKIP", f"{name}: {reason}"
        except Exception as error:
            outcome, name = "FAIL", f"{name}: {type(error).__name__}: {error}"
        outcomes[outcome] += 1
        print(outcome, name, flush=True)
    stage.collector.close()
    skipped = f", {outcomes['SKIP']} skipped" if outcomes["SKIP"] else ""
    print(f"{outcomes['PASS']} passed, {outcomes['FAIL']} failed{skipped}")
    sys.exit(0 if outcomes["PASS"] and not outcomes["FAIL"] else 1)


if __name__ == "__main__":
    main()
