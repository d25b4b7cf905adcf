"""Commands one of whose calls fails, as on a full disk, and what has to be true of them then."""

import errno
import os
import random
import re
import threading

from . import crashes
from .crashes import Broken

# What a message has to say of an error: the system's words, or SQLite's; and what its hint has to name.
ERRORS = {
    errno.ENOSPC: ("no space left on device|is full", "full.*sxs gc"),
    errno.EDQUOT: ("disk quota exceeded", "quota.*sxs gc"),
    errno.EIO: ("input/output error", "dmesg"),
}


def examine(place, scenario, root, code, said, outcome):
    """What has to be true after a command of which a call failed with an error number: whether it said it had failed.

    All is as after a kill, and what the command said is so, too: it failed, says at what and why and what to do, and
    nothing was changed; or it did not need that call, and all was done.
    """
    status, text = int(said[2]), outcome.stderr
    if status not in (0, 1):
        raise Broken(f"it ended with {status}: {text}")
    active = crashes.current(scenario.store(root))
    if status == 1:
        reason, hint = ERRORS[code]
        lines = text.lower().splitlines()
        if "attempt to write a readonly database" in lines[0]:
            # SQLite goes on with reading where it cannot open a file for writing, and does not say why.
            reason, hint = "readonly database", "try again"
        if scenario.is_host:
            # It is not the store that makes a host's directories full.
            hint += "|try again"
        is_switched = "is active, but may not be after a loss of power" in lines[0]
        if is_switched:
            # Not even that can be undone: the message says what is so, and asks for both.
            hint = "dmesg.*sxs gc"
        if sum(line.startswith("hint:") for line in lines) != 1 or not lines[-1].startswith("hint:"):
            raise Broken(f"its message is not one with a hint: {text}{outcome.stdout}")
        if not re.search(reason, text.lower()) or not re.search(hint, lines[-1]):
            raise Broken(f"its message does not say that there was {os.strerror(code)}, and what to do: {text}")
        if not re.search("/", " ".join(lines[:-1])):
            raise Broken(f"its message names no path: {text}")
        # What is done to a host comes after the switch, too, and is ended by the same command once more.
        if active != (scenario.new if is_switched else scenario.old) and not scenario.is_host:
            raise Broken(f"it failed, and generation {active} is active: {text}")
    elif active != scenario.new:
        raise Broken(f"it succeeded, and generation {active} is active")
    crashes.examine(place, scenario, root, is_over=status == 0)
    return status == 1


def attempt(place, stepper, scenario, point):
    """Lets a call fail: whether that made the command fail (nothing where it has fewer calls), and what was wrong."""
    number, code, is_lasting = point
    root = place.directory / f"run {threading.get_ident()}"
    crashes.copy(scenario.start, root)
    call = "?"
    try:
        how = f"{number}{'-' if is_lasting else ''}:{code}"
        said, outcome = stepper.run(how, place, scenario.store(root), scenario.words)
        call = said[3]
        if call == "-":
            return None, call, None
        return examine(place, scenario, root, code, said, outcome), call, None
    except Broken as error:
        return True, call, str(error)
    finally:
        crashes.discard(root)


def points(count, wanted, seed):
    """Which calls fail, how, and whether all that follow do, too: each call in each way, or some of them at random."""
    every = [(number, code, is_lasting) for number in range(1, count + 1) for code in ERRORS
             for is_lasting in (False, True)]
    return every if not wanted or wanted >= len(every) else random.Random(seed).sample(every, wanted)
