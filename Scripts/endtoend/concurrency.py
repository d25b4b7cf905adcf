"""Many processes on one store: what they do, and what must never happen meanwhile."""

import fcntl
import hashlib
import os
import random
import re
import signal
import sqlite3
import subprocess
import threading
import time

from .stores import Failure

NAMES = ["hello", "jq", "tree"]


class Crowd:
    """What all threads share: the store, the processes that run, and what was found."""

    def __init__(self, store, end):
        self.store, self.end = store, end
        self.lock = threading.Lock()
        self.running, self.killed = set(), set()
        self.counts, self.failures, self.readings = {}, [], []
        self.waits, self.kills, self.holds, self.stops = 0, 0, 0, 0
        self.progress = time.monotonic()

    def is_over(self):
        return time.monotonic() >= self.end or bool(self.failures)

    def fail(self, text):
        with self.lock:
            self.failures.append(text)

    def attempt(self, verb, *arguments, may_be_killed=True, stop=None):
        """Runs sxs: its exit status (nothing where it was killed), and what it prints.

        With `stop` it is stopped for so many seconds, some time after it began.
        """
        process = subprocess.Popen(
            self.store.command(verb, *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, **self.store.options())
        with self.lock:
            if may_be_killed:
                self.running.add(process)
        try:
            if stop is not None:
                before, length = stop
                time.sleep(before)
                process.send_signal(signal.SIGSTOP)
                time.sleep(length)
                process.send_signal(signal.SIGCONT)
            output, _ = process.communicate(timeout=300)
        finally:
            with self.lock:
                self.running.discard(process)
                was_killed = process in self.killed
                self.killed.discard(process)
        with self.lock:
            self.progress = time.monotonic()
            self.waits += "waiting for" in output
            self.counts[verb] = self.counts.get(verb, 0) + 1
        return (None if was_killed and process.returncode == -signal.SIGKILL else process.returncode), output

    def kill_one(self, chance):
        """Kills one of the processes that run."""
        with self.lock:
            candidates = [process for process in self.running if process.poll() is None]
            if not candidates:
                return
            process = chance.choice(candidates)
            self.killed.add(process)
            process.kill()
            self.kills += 1


class Worker(threading.Thread):
    """Does one thing after another, and remembers what should not have happened."""

    def __init__(self, crowd, number):
        super().__init__(name=f"{type(self).__name__} {number}", daemon=True)
        self.crowd, self.number, self.random = crowd, number, random.Random(f"{type(self).__name__} {number}")

    def run(self):
        try:
            while not self.crowd.is_over():
                self.step()
        except Exception as error:  # A thread's exception is the test's failure.
            self.crowd.fail(f"{self.name}: {error!r}")

    def must(self, verb, *arguments, **options):
        """Runs sxs, which has to succeed unless it is killed: whether it did."""
        status, output = self.crowd.attempt(verb, *arguments, **options)
        if status not in (0, None):
            self.crowd.fail(f"$ sxs {verb} {' '.join(map(str, arguments))}\nexit status {status}\n{output}")
        return status == 0


class Writer(Worker):
    """Changes one of four profiles, and collects."""

    # What a command may say when others have changed the store meanwhile.
    EXPECTED = re.compile(
        "is not in profile|has no generation|made from nothing|no package '|is active\n|there is none to go back to")

    def step(self):
        store, profile = self.crowd.store, ["--profile", f"p{self.number % 4}"]
        name, number = self.random.choice(NAMES), str(self.random.randrange(1, 9))
        verb, *arguments = self.random.choice([
            ["install", store.image(name), *profile], ["install", store.image(name), *profile],
            ["install", name, *profile], ["remove", name, *profile], ["rollback", *profile],
            ["switch", number, *profile], ["gc", "--keep-generations", "2"], ["gc"], ["gc", "--max-freed", "1M"],
            ["import", store.image(name)], ["verify"], ["generations", "delete", number, *profile],
            ["export", name, *profile, "--format", "dir", "--output", f"{name}_{self.number}", "--force"],
        ])
        status, output = self.crowd.attempt(verb, *arguments)
        if status not in (0, None) and not (status == 1 and self.EXPECTED.search(output)):
            self.crowd.fail(f"$ sxs {verb} {' '.join(map(str, arguments))}\nexit status {status}\n{output}")


class Reader(Worker):
    """Reads, and notes how long that takes."""

    def step(self):
        name, profile = self.random.choice(NAMES), ["--profile", f"p{self.random.randrange(4)}"]
        verb, *arguments = self.random.choice([
            ["list", *profile], ["path-info"], ["generations", *profile], ["gc", "--dry-run"], ["why-alive", name]])
        is_held = (self.crowd.store.root / "lock").stat().st_size > 0
        start = time.monotonic()
        status, output = self.crowd.attempt(verb, *arguments)
        if status == 0:
            with self.crowd.lock:
                self.crowd.readings.append((time.monotonic() - start, is_held))
        elif status is not None and not Writer.EXPECTED.search(output):
            self.crowd.fail(f"$ sxs {verb} {' '.join(arguments)}\nexit status {status}\n{output}")
        self.look_at_generation()

    def look_at_generation(self):
        """A generation that is there has its store paths."""
        directory = self.crowd.store.root / f"profiles/p{self.random.randrange(4)}"
        try:
            generation = directory / os.readlink(directory / "current")
            inode = generation.stat().st_ino
            lines = (generation / "packages").read_text().splitlines()
        except FileNotFoundError:
            return
        for base in [line.split(" ")[1] for line in lines if line.startswith(("package ", "preferred "))]:
            if not (self.crowd.store.root / "store" / base).is_dir():
                try:
                    is_there = generation.stat().st_ino == inode
                except FileNotFoundError:
                    is_there = False
                if is_there:
                    self.crowd.fail(f"{generation} is there, and its store path {base} is not")


class Holder(Worker):
    """Runs a program whose package leaves all generations: its store path has to stay until it ends."""

    def step(self):
        store, profile = self.crowd.store, f"h{self.number}"
        options = ["--profile", profile]
        if not self.must("install", store.image("jq"), *options):
            return
        current = store.root / "profiles" / profile / "current"
        bases = re.findall(r"^\w+ (\S+-jq-\S+)$", (current / "packages").read_text(), re.MULTILINE)
        program = store.start(["jq", "-c", ".a"], profile=profile, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            end = time.monotonic() + 60
            while not self.is_started(program.pid):
                if time.monotonic() > end or program.poll() is not None:
                    return self.crowd.fail("jq does not start, though its generation is active")
                time.sleep(0.01)
            generation = os.readlink(current).split("-")[1]
            if not self.must("remove", "jq", *options):
                return None
            self.must("generations", "delete", generation, *options)
            self.must("gc")
            time.sleep(self.random.random())
            self.must("gc", "--keep-generations", "1")
            if not bases or not (store.root / "store" / bases[0] / "usr/bin/jq").exists():
                return self.crowd.fail(f"{bases} was collected while process {program.pid} runs it")
            output, _ = program.communicate('{"a":[1,2]}\n', timeout=60)
            if output != "[1,2]\n":
                return self.crowd.fail(f"jq prints {output!r}")
            with self.crowd.lock:
                self.crowd.holds += 1
        finally:
            program.kill()
            program.wait()
        return None

    @staticmethod
    def is_started(process):
        try:
            return "jq" in os.readlink(f"/proc/{process}/exe")
        except OSError:
            return False


class Stopper(Worker):
    """Stops installations somewhere, for others to collect meanwhile: what they import has to stay."""

    def step(self):
        options = ["--profile", f"s{self.number}"]
        name = self.random.choice(NAMES)
        stop = (self.random.random() * 0.3, self.random.random())
        if self.must("install", self.crowd.store.image(name), *options, may_be_killed=False, stop=stop):
            with self.crowd.lock:
                self.crowd.stops += 1
            program = [str(self.crowd.store.root / "profiles" / f"s{self.number}/current/bin" / name), "--version"]
            outcome = subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                                     check=False, **self.crowd.store.options())
            if outcome.returncode != 0:
                self.crowd.fail(f"{program} was just installed: {outcome.stdout}{outcome.stderr}")
            self.must("remove", name, *options, may_be_killed=False)


def watch(crowd, workers, seconds, patience=120):
    """Kills now and then; ends when all do, or says what they wait for when nothing moves any more."""
    chance = random.Random(1)
    while any(worker.is_alive() for worker in workers):
        time.sleep(chance.random() * 0.6)
        if not crowd.is_over():
            crowd.kill_one(chance)
        if time.monotonic() - crowd.progress > patience:
            waiting = []
            for process in list(crowd.running):
                try:
                    with open(f"/proc/{process.pid}/wchan") as file:
                        waiting.append(f"{process.pid} {' '.join(process.args[1:4])}: {file.read()}")
                except OSError:
                    pass
                process.kill()
            lock = (crowd.store.root / "lock").read_text()
            raise Failure(f"nothing ended for {patience} s; the lock says {lock!r}\n" + "\n".join(waiting))


def contents(root, base):
    """Everything in a store path, by its name."""
    found = {}
    top = root / "store" / base
    for directory, names, files in os.walk(top):
        for name in names + files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            what = f"{status.st_mode:o}"
            if os.path.islink(path):
                what += " " + os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    what += " " + hashlib.sha256(file.read()).hexdigest()
            found[os.path.relpath(path, top)] = what
    return found


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def crowded(store, other, processes, seconds):
    """Many processes for some time, then what is left beside what one process makes: the report."""
    for name in NAMES:
        other.sxs("import", other.image(name))
    for number in range(4):
        store.sxs("install", store.image("hello"), "--profile", f"p{number}")
    crowd = Crowd(store, time.monotonic() + seconds)
    kinds = [Writer, Reader, Writer, Holder, Writer, Reader, Writer, Stopper]
    workers = [kinds[number % len(kinds)](crowd, number) for number in range(processes)]
    for worker in workers:
        worker.start()
    watch(crowd, workers, seconds)
    if crowd.failures:
        raise Failure(f"{len(crowd.failures)} failures, the first:\n{crowd.failures[0]}")
    store.sxs("gc")
    store.check()
    ran = store.run_generations()
    paths = store.names("store")
    for base in paths:
        if contents(store.root, base) != contents(other.root, base):
            raise Failure(f"{base} is not what one process makes of its image")
    quick = [seconds for seconds, _ in crowd.readings]
    held = [seconds for seconds, is_held in crowd.readings if is_held]
    if min(crowd.holds, crowd.stops, crowd.kills, len(quick), ran, len(paths)) == 0:
        raise Failure(f"{crowd.holds} programs held, {crowd.stops} imports stopped, {crowd.kills} kills, {len(quick)}"
                      f" readings, {ran} commands and {len(paths)} store paths at the end: one of them did not happen")
    def times(values):
        return " ".join(f"{percentile(values, part) * 1000:.0f}" for part in (0.5, 0.95, 0.99, 1)) if values else "none"
    return [
        f"{sum(crowd.counts.values())} commands: " + ", ".join(f"{v} {n}" for v, n in sorted(crowd.counts.items())),
        f"{crowd.kills} killed, {crowd.waits} waited, {crowd.holds} programs kept their store paths, {crowd.stops}"
        f" stopped imports, {ran} commands of all generations ran afterwards, {len(paths)} store paths compared",
        f"readers took {times(quick)} ms (median, 95 %, 99 %, longest of {len(quick)}); where a writer had the lock as they"
        f" began, {times(held)} ms (of {len(held)})"]


READING = [["list"], ["generations"], ["path-info"], ["verify"], ["gc", "--dry-run"], ["why-alive", "hello"], ["doctor"],
           ["report", "hello"]]


def readers_do_not_wait(store):
    """While a writer has the lock, and another transaction the index, everything can be read and run; writers say whom
    they wait for, and go on once it has ended."""
    store.sxs("install", store.image("hello"))
    with open(store.root / "lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("1 sxs something that takes long\n")
        lock.flush()
        database = sqlite3.connect(store.root / "index.sqlite", isolation_level=None)
        database.execute("BEGIN IMMEDIATE")
        database.execute("UPDATE package SET summary = 'half-done'")
        longest = 0
        for words in READING:
            start = time.monotonic()
            # Nobody lets go of the lock: whoever waits for it never ends.
            status, output = store.attempt(*words, timeout=60)
            longest = max(longest, time.monotonic() - start)
            if status != 0 and words != ["doctor"] or "waiting" in output or "half-done" in output:
                raise Failure(f"sxs {words[0]} beside a writer: exit status {status}: {output}")
        if store.run_generations() == 0:
            raise Failure("nothing ran beside a writer")
        database.execute("ROLLBACK")
        database.close()
        writer = subprocess.Popen(
            store.command("install", store.image("jq")), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, **store.options())
        said = writer.stderr.readline()
        if said != "sxs: waiting for 1 sxs something that takes long to finish with the store\n":
            raise Failure(f"a writer that waits says {said!r}")
        if writer.poll() is not None:
            raise Failure("a writer does not wait")
        lock.truncate(0)
    _, rest = writer.communicate(timeout=120)
    if writer.returncode != 0:
        raise Failure(f"a writer that waited ended with {writer.returncode}: {rest}")
    store.check()
    return [f"the longest of {len(READING)} ways to read took {longest * 1000:.0f} ms"]


def no_lock_is_stale(store):
    """A writer that was killed while it had the lock keeps nobody waiting."""
    store.sxs("install", store.image("hello"))
    for _ in range(3):
        process = subprocess.Popen(
            store.command("install", store.image("jq"), "--profile", "x"), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **store.options())
        end = time.monotonic() + 60
        while (store.root / "lock").stat().st_size == 0 and process.poll() is None and time.monotonic() < end:
            pass
        process.kill()
        process.wait()
        output = store.sxs("gc")
        if "waiting" in output:
            raise Failure(f"the lock of a killed process is waited for: {output}")
    store.check()
    return []
