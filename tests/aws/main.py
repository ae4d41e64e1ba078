"""Runs the checks of the modules below against one stand-in.

A module has a function `checks(stand)`. It builds what it needs with `stand.build`, and returns pairs of a name and a function. The function
returns a text with figures, or None, and raises an exception if the check fails. `stand.skip(name, reason)` notes a check that can't run here.
"""

import importlib
import sys
import time
import traceback
from pathlib import Path

from stand import Stand

# In this order.
MODULES = ["journal", "examples"]


def main():
    work, wanted = Path(sys.argv[1]), sys.argv[2:]
    here = Path(__file__).parent
    modules = [name for name in MODULES if (here / f"{name}.py").exists()]
    if unknown := [name for name in wanted if name not in modules]:
        sys.exit(f"no module is named {unknown[0]}; there are: {' '.join(modules)}")
    passed = failed = 0
    with Stand(work) as stand:
        for module in wanted or modules:
            print(f"== {module}", flush=True)
            # Built before the clock starts.
            checks = list(importlib.import_module(module).checks(stand))
            begun = time.monotonic()
            for name, check in checks:
                try:
                    figures = check()
                    passed += 1
                    print(f"PASS {name}" + (f": {figures}" if figures else ""), flush=True)
                except Exception as error:  # noqa: BLE001 # a check may fail in any way
                    failed += 1
                    print(f"FAIL {name}: {error}", flush=True)
                    if not isinstance(error, AssertionError):
                        traceback.print_exc(file=sys.stdout)
            print(f"-- {module}: {time.monotonic() - begun:.0f} s", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
