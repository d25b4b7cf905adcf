"""Runs tests one after the other, says how each went, and counts."""

import sys
import time
import traceback


class Counter:
    """The count of what passed and failed: what a script's own tests inherit from."""

    def __init__(self, only=None):
        self.only, self.passed, self.failed = only, 0, 0

    def test(self, name, function, always=False):
        """Runs one test, unless others were asked for, and says how it went; whether it passed.

        Assertions speak for themselves; anything else is shown with where it happened.
        """
        if self.only and self.only not in name and not always:
            return True
        start = time.monotonic()
        try:
            function()
        except Exception as error:  # Whatever goes wrong in a test is that test's failure.
            self.failed += 1
            text = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
            print(f"FAILED  {name}\n" + "\n".join("    " + line for line in text.splitlines()), flush=True)
            return False
        self.passed += 1
        print(f"passed  {name} ({time.monotonic() - start:.1f} s)", flush=True)
        return True

    def finish(self):
        """Says how many passed, and ends the program; no test at all is a failure."""
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)
