"""Kills a server that keeps its tasks in a file, and asks the next one for them.

    killed.py SERVER FOLDER
"""

import json
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

TASKS = "io.modelcontextprotocol/tasks"
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "killed", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"extensions": {TASKS: {}}, "elicitation": {}},
}
failed = False


def main(server, folder):
    shutil.rmtree(folder, ignore_errors=True)
    Path(folder).mkdir(parents=True)
    store = str(Path(folder) / "tasks.db")

    first = Server(server, store)
    done = first.start("slow_compute", {"seconds": 0.2, "label": "done"})
    first.until(done, "completed")
    running = first.start("slow_compute", {"seconds": 3, "label": "running"})
    asking = first.start("confirm_delete", {"filename": "a.txt"})
    first.until(asking, "input_required")
    gone = first.start("slow_compute", {"seconds": 0.1, "ttlMs": 1})
    asked = first.ask("tools/call", {"name": "test_tool_with_task", "arguments": {}})["result"]
    answers = {key: {"action": "accept", "content": {"name": "Ada"}} for key in asked["inputRequests"]}
    answered = {"requestState": asked["requestState"], "inputResponses": answers}
    time.sleep(0.5)
    # It takes a second, and the kill must be sooner.
    greeting = first.start("test_tool_with_task", {}, answered)
    first.process.kill()
    first.process.wait()

    second = Server(server, store)
    task = second.get(done)
    check("a finished task survives", task.get("status") == "completed" and "slow_compute(done) done" in json.dumps(task), task)
    task = second.get(running)
    check("a running task answers at once", task.get("status") in ("working", "completed"), task)
    task = second.until(running, "completed")
    check("a task that may run again is resumed", "slow_compute(running) done" in json.dumps(task), task)
    task = second.until(asking, "failed")
    check("a task that must not run again fails and says why", "interrupted by a restart" in task.get("statusMessage", ""), task)
    task = second.until(greeting, "failed")
    check("a task that asked before it was one is known too", "interrupted by a restart" in task.get("statusMessage", ""), task)
    reply = second.ask("tasks/get", {"taskId": gone})
    check("an expired task is unknown", reply.get("error", {}).get("code") == -32602, reply)
    left = sessions(store)
    check("an expired task is not in the file any more", gone not in left and done in left, left)
    second.process.kill()
    second.process.wait()


def sessions(store):
    time.sleep(1)
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as file:
        return [name for (name,) in file.execute("SELECT name FROM sessions")]


def check(name, holds, shown):
    global failed
    failed = failed or not holds
    print(f"{'PASS' if holds else 'FAIL'} {name}" + ("" if holds else f"\n     | {json.dumps(shown)[:300]}"), flush=True)


class Server:
    def __init__(self, program, store):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/mcp"
        self.process = subprocess.Popen([program, "http", str(port), "--store", store], stderr=subprocess.DEVNULL)
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        sys.exit(f"{program} doesn't listen on {self.url}")

    def ask(self, method, params):
        headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": method,
            "mcp-name": params.get("name") or params.get("taskId"),
        }
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
        request = urllib.request.Request(self.url, json.dumps(message).encode(), headers)
        try:
            text = urllib.request.urlopen(request, timeout=30).read().decode()
        except urllib.error.HTTPError as error:
            text = error.read().decode()
        lines = [line[5:] for line in text.splitlines() if line.startswith("data:")]
        messages = [json.loads(line) for line in lines if line.strip()] if lines else [json.loads(text)]
        return messages[-1]

    def start(self, tool, arguments, more=None):
        return self.ask("tools/call", {"name": tool, "arguments": arguments, **(more or {})})["result"]["taskId"]

    def get(self, task):
        return self.ask("tasks/get", {"taskId": task}).get("result", {})

    def until(self, task, status):
        for _ in range(200):
            shown = self.get(task)
            if shown.get("status") == status:
                break
            time.sleep(0.1)
        return shown


main(*sys.argv[1:])
sys.exit(failed)
