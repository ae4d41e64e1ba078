"""Tests, run beside each other, and a line for each."""

import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Test:
    name: str  # a sentence
    check: Callable[[], list[str]]  # what is wrong; nothing if it holds


@dataclass
class Report:
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, tests: list[Test], beside: int = 1) -> None:
        """Runs the tests, `beside` of them at a time. They wait for most of their time."""
        with ThreadPoolExecutor(beside) as pool:
            list(pool.map(self._run, tests))

    def _run(self, test: Test) -> None:
        started = time.monotonic()
        try:
            found = test.check()
        except Exception:
            found = [traceback.format_exc()]
        seconds = time.monotonic() - started
        with self._lock:
            if found:
                self.failed.append(test.name)
                print(f"FAILED  {test.name} ({seconds:.1f} s)")
                for line in "\n".join(found).splitlines():
                    print(f"        {line}")
            else:
                self.passed += 1
                print(f"ok      {test.name} ({seconds:.1f} s)", flush=True)
