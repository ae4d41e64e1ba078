"""Tests of the programs that a user watches: on terminals of several widths, with a resize, and into a pipe."""

import pathlib
import re
import subprocess
import sys
import tempfile
import time

from emulator import Terminal

PROGRAMS = pathlib.Path(sys.argv[1])
QUICKSTART = str(PROGRAMS / "quickstart")
CHAT = str(PROGRAMS / "chat")
PLANNER = ["--model", "planner"]
WIDTHS = [20, 40, 80, 200]
# A bar begins with a spinner.
BAR = re.compile(r"^ *[\u2800-\u28ff] (t\d+) ")


def small_tree(directory, files=12):
    for number in range(files):
        (pathlib.Path(directory) / f"file_{number}.rs").write_text(f"fn f{number}() {{}}\n// TODO\n")
    return directory


def bars(terminal):
    """Names of the tasks whose bars are on the screen."""
    return [found[1] for found in map(BAR.match, terminal.lines()) if found]


def charts_never_wrap(columns):
    with tempfile.TemporaryDirectory() as tree:
        terminal = Terminal([QUICKSTART, small_tree(tree), *PLANNER], columns)
        terminal.run(40)
        assert terminal.status == 0, f"it ended with {terminal.status}"
        rows = [line for line in terminal.lines() if "│" in line]
        # The axis, the user, the model, and nine tasks.
        assert len(rows) == 12, "\n".join(rows)
        for row in rows:
            assert row.count("│") == 2 and row.endswith("│") or columns > 100, row
        if columns >= 40:
            words = terminal.text().replace("\n", " ")
            assert "a digit: that many turns" in " ".join(words.split()), words
        terminal.close()


def bars_are_redrawn_after_a_resize(before, after):
    with tempfile.TemporaryDirectory() as tree:
        terminal = Terminal([QUICKSTART, small_tree(tree), *PLANNER], before)
        assert terminal.run(10, until="t3 search_text"), terminal.text()
        terminal.run(1.0)
        terminal.resize(after)
        terminal.run(0.6)
        drawn = bars(terminal)
        assert "t1" in drawn and len(drawn) == len(set(drawn)), f"{drawn}\n{terminal.text()}"
        # A line that was too wide would go on below its beginning.
        below = terminal.text().split("t1 hash_tree")[-1].split("\n")[1:]
        assert all(BAR.match(line) for line in below), terminal.text()
        terminal.run(40)
        assert terminal.status == 0, f"it ended with {terminal.status}"
        terminal.close()


def output_never_breaks_the_line_being_typed(columns, after):
    with tempfile.TemporaryDirectory() as tree:
        terminal = Terminal([CHAT, small_tree(tree), *PLANNER], columns)
        # Typed before the program reads.
        terminal.type("count the lines over 2 seconds\r")
        assert terminal.run(10, until="t1"), terminal.text()
        terminal.type("what is")
        terminal.run(0.5)
        terminal.resize(after)
        terminal.run(8, until="completed")
        terminal.run(0.5)
        typed = [line for line in terminal.lines() if line]
        assert typed[-1] == "> what is", terminal.text()
        terminal.type(" here\r/tasks\r")
        terminal.run(1.5)
        # Longer than the narrowest terminal.
        terminal.type("search for TODO over 1 seconds\r")
        terminal.run(0.7)
        # Without blanks, because long lines are broken.
        shown = "".join(terminal.text().split())
        assert shown.count(">whatishere") == 1, terminal.text()
        assert shown.count("countthelinesover2seconds") == 1, terminal.text()
        assert shown.count(">searchfor") == 1 and ">searchforTODOover1seconds" in shown, terminal.text()
        terminal.type("/quit\r")
        terminal.run(5)
        assert terminal.status == 0, f"it ended with {terminal.status}\n{terminal.text()}"
        lines = [line for line in terminal.lines() if line]
        assert "closed" in "".join(lines[-4:]), terminal.text()
        terminal.close()


def a_stop_ends_the_answer_and_its_tasks():
    with tempfile.TemporaryDirectory() as tree:
        terminal = Terminal([CHAT, small_tree(tree), *PLANNER], 80)
        terminal.type("hash every file over 60 seconds\r")
        assert terminal.run(10, until="t1 continues in the background"), terminal.text()
        terminal.type("/stop\r")
        assert terminal.run(10, until="cancelled"), terminal.text()
        assert terminal.run(10, until="the agent is stopped"), terminal.text()
        terminal.type("/stop\r")
        assert terminal.run(10, until="nothing to stop"), terminal.text()
        # Nothing runs, so ctrl-c is about the program.
        terminal.type("\x03")
        assert terminal.run(10, until="press ctrl-c again"), terminal.text()
        terminal.type("\x03")
        terminal.run(5)
        assert terminal.status == 0, f"it ended with {terminal.status}\n{terminal.text()}"
        terminal.close()


def a_missing_path_is_one_error(program, path):
    ended = subprocess.run([program, path, *PLANNER], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert ended.returncode == 2, ended
    assert ended.stdout == "", ended.stdout
    assert len(re.findall("^error", ended.stderr, re.MULTILINE)) == 1 and path in ended.stderr, ended.stderr


def a_pipe_is_never_silent_for_long():
    with tempfile.TemporaryDirectory() as tree:
        small_tree(tree)
        chat = subprocess.Popen(
            [CHAT, tree, *PLANNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        chat.stdin.write("hash every file over 12 seconds\n")
        chat.stdin.close()
        last, longest, lines = time.monotonic(), 0, []
        for line in chat.stdout:
            longest = max(longest, time.monotonic() - last)
            last = time.monotonic()
            lines.append(line)
        assert chat.wait() == 0
        assert longest < 5, f"{longest:.1f} s without a line"
        assert any("still t1 hash_tree: " in line for line in lines), "".join(lines)


def main():
    tests = [(charts_never_wrap, (width,)) for width in WIDTHS]
    tests += [(bars_are_redrawn_after_a_resize, pair) for pair in [(200, 60), (80, 40), (40, 100), (60, 20)]]
    tests += [(output_never_breaks_the_line_being_typed, pair) for pair in [(80, 80), (200, 40), (40, 120), (20, 30)]]
    tests += [(a_missing_path_is_one_error, (program, "/no/such/tree")) for program in [QUICKSTART, CHAT]]
    tests += [(a_missing_path_is_one_error, (program, QUICKSTART)) for program in [QUICKSTART, CHAT]]
    tests.append((a_stop_ends_the_answer_and_its_tasks, ()))
    tests.append((a_pipe_is_never_silent_for_long, ()))
    wanted = sys.argv[2:]
    tests = [each for each in tests if not wanted or each[0].__name__ in wanted]
    failed = 0
    for test, arguments in tests:
        name = " ".join([test.__name__, *map(str, arguments)])
        try:
            test(*arguments)
            print(f"ok      {name}", flush=True)
        except AssertionError as error:
            failed += 1
            print(f"FAILED  {name}\n{error}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
