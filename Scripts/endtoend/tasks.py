"""What people do with the programs of the images: shell scripts whose output is compared with the same
script's in the unmodified image, and checked against a pattern, so that two equal failures do not pass.

Every script is run by the root's own /bin/sh, with the commands under test first on PATH, in an empty
directory. It must end with exit status 0. BIN is the directory of the commands under test: a command that is
also an applet of busybox is named by it, since busybox's shell prefers its applets to PATH.
"""

HELLO = r"""
cat >hello.c <<'EOF'
#include <math.h>
#include <stdio.h>
int main(int argc, char **argv) { printf("%.6f %s\n", sqrt(2.0 * argc), __VERSION__); return 0; }
EOF
"""
# In a new repository whose branch is main.
GIT_BRANCHES = r"""git commit -q --allow-empty -m root
git checkout -q -b side
echo a >a; git add a; git commit -q -m a
git checkout -q main
echo b >b; git add b; git commit -q -m b
git rebase -q main side
git log --format=%s | head -n 3 | sort -r
echo more >>a
git stash -q
git stash pop -q
git diff --stat | cat
git submodule status
"""


class Task:
    """A named script for one image, and the pattern its output has to match.

    A basic task is one of the few that are repeated in every way there is of making the namespace. One that
    talks to the HTTPS server needs the network outside. `known` says why a task is known to fail; it fails
    all the same.
    """

    def __init__(self, name, image, pattern, script, basic=False, server=False, known=None):
        self.name, self.image, self.pattern, self.script, self.basic = name, image, pattern, script, basic
        self.server, self.known = server, known


TASKS = [
    Task("emacs loads org", "emacs", r"^\d+\.\d+", r"""
emacs --batch --eval "(progn (require 'org) (princ (org-version)))"
""", basic=True),
    Task("emacs byte-compiles a file and runs it", "emacs", r"^42 byte-code", r"""
printf '%s\n' ';;; -*- lexical-binding: t -*-' "(require 'cl-lib)" \
    '(defun answer (n) (cl-loop for i from 1 to n sum 1))' >a.el
emacs --batch -f batch-byte-compile a.el 2>&1
emacs --batch -l ./a.elc --eval '(princ (format "%d %s" (answer 42) (if (byte-code-function-p (symbol-function (quote answer))) "byte-code" "interpreted")))'
"""),
    Task("emacs finds its own documentation and source directories", "emacs", r"^\(t t t\)", r"""
emacs --batch --eval '(princ (list (file-directory-p data-directory) (file-exists-p (expand-file-name "charsets/JISX0208.map" data-directory)) (and (locate-library "subr") t)))'
"""),
    Task("git init brings the template's hooks", "tools", r"pre-commit\.sample", r"""
git init -q r
cd r
ls .git/hooks
test -f .git/info/exclude
"""),
    Task("git commits, logs and clones", "tools", r"^[0-9a-f]{40} first\n(.*\n)*file.txt", r"""
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
git init -q -b main r
cd r
echo text >file.txt
git add file.txt
git commit -q -m first
git log --format='%H %s'
cd ..
git clone -q "file://$PWD/r" copy 2>&1
git -C copy log --format='%H %s'
git -C copy fsck --full 2>&1
ls copy
""", basic=True),
    Task("git merges, rebases and stashes through its helper programs", "tools", r"^b\na\n(.*\n)*saved", r"""
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org
git init -q -b main r
cd r
""" + GIT_BRANCHES + r"""echo saved
"""),
    Task("python loads the image's certificate authorities", "tools", r"^True", r"""
python3 -c 'import ssl; c = ssl.create_default_context(); n = len(c.get_ca_certs()); print(n > 100, n)'
"""),
    Task("python knows time zones", "tools", r"^2024-07-01 12:00:00\+02:00 CEST", r"""
python3 -c 'import datetime, zoneinfo; t = datetime.datetime(2024, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")); print(t, t.tzname())'
"""),
    Task("python has sqlite3, codecs, lzma and decimal", "tools", r"^2 b'\\x83e", r"""
python3 - <<'EOF'
import bz2, ctypes, curses, decimal, hashlib, lzma, multiprocessing, readline, sqlite3, uuid, zlib
d = sqlite3.connect(":memory:")
print(d.execute("select count(*) from (select 1 union select 2)").fetchone()[0], "テスト".encode("shift_jis"))
print("é".encode("utf-16"), lzma.decompress(lzma.compress(b"xyz")), decimal.Decimal(1) / 3)
print(hashlib.new("sha512", b"").hexdigest()[:16], ctypes.CDLL("libm.so.6").abs(-3))
EOF
""", basic=True),
    Task("python starts other programs and threads", "tools", r"^git version", r"""
python3 -c 'import subprocess, concurrent.futures as f; print(subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout, list(f.ThreadPoolExecutor(4).map(lambda n: n * n, range(5))))'
"""),
    Task("python starts itself by its own name", "tools", r"^3\.\d+", r"""
python3 -c 'import subprocess, sys; print(subprocess.run([sys.executable, "-c", "import sys, json; print(sys.version)"], capture_output=True, text=True, check=True).stdout)'
""", basic=True),
    Task("vim colours C", "tools", r"^cType cStatement", r"""
printf 'int\nmain(void)\n{\n    return 0;\n}\n' >hello.c
vim -N -u NONE -i NONE -es --cmd 'set nocompatible' hello.c -c 'syntax on' \
    -c 'let a = synIDattr(synID(1, 1, 1), "name")' -c 'let b = synIDattr(synID(4, 5, 1), "name")' \
    -c 'call writefile([a . " " . b], "out")' -c 'qa!' </dev/null
cat out
"""),
    Task("vim finds its help", "tools", r"usr_01", r"""
vim -N -u NONE -i NONE -es -c 'help usr_01' -c 'call writefile([expand("%:t"), getline(1)], "out")' -c 'qa!' </dev/null
cat out
"""),
    Task("curl fetches over TLS from a server whose authority it is given", "tools", r"^hello over TLS", r"""
curl -sS --cacert /test/ca.pem "https://localhost:$PORT/hello"
curl -sS --http1.1 --compressed --cacert /test/ca.pem "https://localhost:$PORT/hello"
""", basic=True),
    Task("curl refuses a server whose authority is unknown", "tools", r"^60$", r"""
status=0
curl -sS "https://localhost:$PORT/hello" 2>/dev/null || status=$?
echo $status
"""),
    # Started by the image's Python: a program that the store's compiler linked names the store's loader,
    # which exists only where the store does.
    Task("gcc compiles and links a program that runs", "tools", r"^1\.414214 \d+", HELLO + r"""
gcc -O2 -Wall -o hello hello.c -lm
python3 -c 'import subprocess; print(subprocess.run(["./hello"], capture_output=True, text=True, check=True).stdout)'
""", basic=True),
    Task("gcc preprocesses, assembles and archives", "tools", r"T main", HELLO + r"""
gcc -E hello.c >hello.i
gcc -S hello.i
gcc -c hello.s
"$BIN/ar" rcs libhello.a hello.o
"$BIN/nm" libhello.a | sed -n 's/^[0-9a-f]* T/T/p'
"""),
    Task("iconv writes Shift JIS", "tools", r"^836583588367$", r"""
printf 'テスト' | iconv -f UTF-8 -t SJIS | "$BIN/od" -An -tx1 | tr -d ' \n'
"""),
    Task("ls quotes as the locale does", "tools", r"‘a b’", r"""
mkdir d
echo >'d/a b'
LC_ALL=C.UTF-8 "$BIN/ls" --quoting-style=locale d
"""),
    Task("perl loads modules written in C", "tools", r"^2 ", r"""
perl -MPOSIX=floor -MEncode -MList::Util=sum -MSocket -MStorable=dclone -MTime::HiRes -MDigest::SHA=sha256_hex \
    -e 'print floor(2.7), " ", length(encode("UTF-8", chr(0x30c6))), " ", sum(1..10), " ", sha256_hex("abc"), "\n"'
"""),
    Task("openssl loads its configuration and providers", "tools", r"legacy", r"""
openssl list -providers -provider legacy -provider default
openssl genrsa -out key.pem 2048 2>/dev/null
openssl req -x509 -new -key key.pem -subj /CN=test -out cert.pem -days 1
openssl x509 -in cert.pem -noout -subject
"""),
]
