"""Tasks of the breadth matrix for command line programs: editors, languages, tools, media, crypto, containers.

Those of the image "core" are run with the images of every release, those of "large" with the large one.
"""

from .tasks import GIT_BRANCHES, Task

GIT = r"""
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
"""
# What a program under test has made (a virtual environment, a linked program) names the store's programs, which
# exist only where the store does: it is started by the image's Python.
# A small picture, made by hand so that no program under test is needed for it.
PICTURE = r"""
{ printf 'P3\n64 48\n255\n'; y=0; while [ $y -lt 48 ]; do x=0; while [ $x -lt 64 ]; do
printf '%d %d %d\n' $((x * 4)) $((y * 5)) $((x * y % 256)); x=$((x + 1)); done; y=$((y + 1)); done; } >in.ppm
"""
WAVE = r"""
python3 - <<'EOF'
import math, struct, wave
with wave.open("in.wav", "wb") as w:
    w.setparams((1, 2, 16000, 0, "NONE", ""))
    w.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(n / 6))) for n in range(16000)))
EOF
"""

CORE = [
    ("emacs: org exports a table as HTML", r"<td class=\"org-right\">3</td>", r"""
printf '* Head\n| a | b |\n|---+---|\n| 1 | 2 |\n| 3 |   |\n#+TBLFM: @3$2=@2$1+@2$2\n' >a.org
emacs --batch -l org a.org --eval '(setq org-export-with-author nil org-html-preamble nil org-html-postamble nil)' \
    --eval '(progn (goto-char (point-min)) (re-search-forward "| 3") (org-table-recalculate t) (org-html-export-as-html nil nil nil t) (princ (replace-regexp-in-string "org[0-9a-f]\\{7\\}" "ID" (buffer-string))))' 2>/dev/null
"""),
    ("emacs: byte-compiles a file, runs a shell and a subprocess", r"^42 sub", r"""
printf '%s\n' ';;; -*- lexical-binding: t -*-' "(require 'cl-lib)" '(defun answer (n) (cl-loop for i from 1 to n sum 1))' >a.el
emacs --batch -f batch-byte-compile a.el 2>/dev/null
emacs --batch -l ./a.elc --eval '(princ (format "%d %s" (answer 42) (shell-command-to-string "printf sub")))'
emacs --batch --eval '(with-temp-buffer (call-process "git" nil t nil "--version") (princ (buffer-string)))'
emacs --batch --eval '(princ (list (length (directory-files data-directory)) (and (locate-library "calc") t) (calc-eval "2^100")))'
"""),
    ("emacs: describes a function and reads its manual", r"car is a (built-in|primitive)", r"""
emacs --batch --eval '(progn (describe-function (quote car)) (princ (with-current-buffer "*Help*" (buffer-string))))' | head -n 1
emacs --batch --eval '(progn (require (quote info)) (princ (length Info-directory-list)))' >/dev/null
emacs --batch --eval '(progn (set-language-environment "Japanese") (princ (encode-coding-string "テスト" (quote euc-jp))))' | od -An -tx1
"""),
    ("vim: highlights, formats and substitutes with its runtime", r"^cType cStatement", r"""
printf 'int\nmain(void)\n{\nreturn 0;\n}\n' >hello.c
vim -N -u NONE -i NONE -es --cmd 'set nocompatible' hello.c -c 'filetype plugin indent on' -c 'syntax on' -c 'edit' -c 'normal gg=G' \
    -c 'let a = synIDattr(synID(1, 1, 1), "name")' -c 'let b = synIDattr(synID(4, 5, 1), "name")' \
    -c 'call writefile([a . " " . b, &filetype, &omnifunc], "out")' -c 'w! formatted.c' -c 'qa!' </dev/null
cat out formatted.c
vim -N -u NONE -i NONE -es -c 'help usr_01' -c 'call writefile([expand("%:t"), getline(1)], "out")' -c 'qa!' </dev/null
cat out
"""),
    ("git: init brings the template's hooks", r"pre-commit\.sample", r"""
git init -q -b main r 2>/dev/null || git init -q r
cd r
ls .git/hooks .git/info
"""),
    ("git: commits, clones, repacks and checks", r"^[0-9a-f]{40} first\n(.*\n)*file.txt", GIT + r"""
git init -q r
cd r
git symbolic-ref HEAD refs/heads/main
seq 2000 >file.txt
git add file.txt
git commit -q -m first
git log --format='%H %s'
git gc -q
cd ..
git clone -q "file://$PWD/r" copy 2>&1
git -C copy fsck --full 2>&1
git -C copy archive --format=tar.gz HEAD | gzip -dc | wc -c
ls copy
"""),
    ("git: merges, rebases and stashes through its helper programs", r"^b\na\n(.*\n)*saved", GIT + r"""
git init -q r
cd r
git symbolic-ref HEAD refs/heads/main
""" + GIT_BRANCHES + r"""git format-patch -1 --stdout | sed '$d' | sed '$d' | sed '$d'
echo saved
"""),
    ("git: refuses a commit through a hook of the host's shell", r"^no\n1$", GIT + r"""
git init -q r
cd r
printf '#!/bin/sh\necho no\nexit 1\n' >.git/hooks/pre-commit
chmod +x .git/hooks/pre-commit
status=0
git commit -q --allow-empty -m x 2>&1 || status=$?
echo $status
"""),
    ("python: standard library modules written in C", r"^2 b'\\x83e", r"""
python3 - <<'EOF'
import bz2, ctypes, curses, decimal, hashlib, lzma, multiprocessing, readline, sqlite3, uuid, zlib
d = sqlite3.connect(":memory:")
print(d.execute("select count(*) from (select 1 union select 2)").fetchone()[0], "テスト".encode("shift_jis"))
print("é".encode("utf-16"), lzma.decompress(lzma.compress(b"xyz")), decimal.Decimal(1) / 3)
print(hashlib.new("sha512", b"").hexdigest()[:16], ctypes.CDLL("libm.so.6").abs(-3))
EOF
"""),
    ("python: time zones and certificate authorities", r"^2024-07-01 12:00:00\+02:00 CEST\nTrue", r"""
python3 - <<'EOF'
import datetime, os, ssl, zoneinfo
t = datetime.datetime(2024, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
print(t, t.tzname())
print(len(os.listdir(ssl.get_default_verify_paths().capath)) > 100)
EOF
"""),
    ("python: makes a virtual environment and runs its pip", r"^True pip \d+", r"""
python3 -m venv v
cat >a.py <<'EOF'
import sys, subprocess
out = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, text=True, check=True).stdout
print(sys.prefix.endswith("/v") and sys.prefix != sys.base_prefix, " ".join(out.split()[:2]))
EOF
python3 -c 'import subprocess; print(subprocess.run(["v/bin/python", "a.py"], capture_output=True, text=True, check=True).stdout)'
"""),
    ("python: processes, threads and a subprocess of its own", r"^\[0, 1, 4, 9\]", r"""
cat >a.py <<'EOF'
import concurrent.futures, multiprocessing, subprocess, sys
def square(n):
    return n * n
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print(pool.map(square, range(4)))
    print(list(concurrent.futures.ThreadPoolExecutor(4).map(square, range(5))))
    print(subprocess.run([sys.executable, "-c", "import sys, json; print(json.dumps(sys.version_info[:3]))"],
                         capture_output=True, text=True, check=True).stdout)
    print(subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout)
EOF
python3 a.py
"""),
    ("python: lxml transforms with XSLT", r"<li>b</li>", r"""
python3 - <<'EOF'
from lxml import etree
style = etree.XML('<x:stylesheet version="1.0" xmlns:x="http://www.w3.org/1999/XSL/Transform"><x:template match="/"><ul><x:for-each select="//i"><li><x:value-of select="."/></li></x:for-each></ul></x:template></x:stylesheet>')
print(etree.XSLT(style)(etree.XML("<r><i>a</i><i>b</i></r>")))
EOF
"""),
    ("perl: modules written in C", r"^2 3 55 ba7816bf", r"""
perl -MPOSIX=floor -MEncode -MList::Util=sum -MSocket -MStorable=dclone -MTime::HiRes -MDigest::SHA=sha256_hex \
    -e 'print floor(2.7), " ", length(encode("UTF-8", chr(0x30c6))), " ", sum(1..10), " ", sha256_hex("abc"), "\n"'
perl -MUnicode::Normalize -MEncode -e 'print encode("iso-2022-jp", decode("UTF-8", "テスト")), "\n"'
perl -e 'use Config; print "$Config{version} $Config{useithreads}\n"; print "\x{e9}" =~ /\p{Latin}/ ? "latin\n" : "no\n"'
"""),
    ("perl: JSON::XS and DBD::SQLite", r"^\{\"a\":\[1,2\]\}\n3 x", r"""
perl -MJSON::XS -MDBI -e 'print JSON::XS->new->canonical->encode({a=>[1,2]}), "\n";
my $d = DBI->connect("dbi:SQLite:dbname=t.db", "", "", {RaiseError=>1});
$d->do("create table t(a, b)"); $d->do("insert into t values (3, ?)", undef, "x");
print join(" ", $d->selectrow_array("select * from t")), "\n"'
perl -MCPAN::Meta::YAML -MHTTP::Tiny -MModule::CoreList -e 'print exists $Module::CoreList::version{5.008}{Socket} ? "core\n" : "no\n"'
"""),
    ("ruby: standard library and SQLite", r"^\{\"a\":\[1,2\]\}", r"""
ruby -rjson -rdigest -ropenssl -rzlib -rsocket -rsqlite3 -ryaml -rset -e '
puts JSON.generate({a: [1, 2]}), Digest::SHA256.hexdigest("abc"), Zlib::Inflate.inflate(Zlib::Deflate.deflate("xyz"))
d = SQLite3::Database.new(":memory:"); d.execute("create table t(a)"); d.execute("insert into t values (?)", [7])
p d.execute("select * from t"), OpenSSL::Digest.new("SHA512").hexdigest("")[0, 16], "é".encode("UTF-16LE").bytes
puts({"a" => [1, {"b" => nil}]}.to_yaml, `git --version`)'
gem list --local 2>/dev/null | grep -c default
"""),
    ("node: modules, crypto, zlib and workers", r"^ba7816bf", r"""
cat >a.mjs <<'EOF'
import { createHash, generateKeyPairSync } from "crypto";
import { Worker } from "worker_threads";
import { execFileSync } from "child_process";
import zlib from "zlib";
console.log(createHash("sha256").update("abc").digest("hex"));
console.log(zlib.brotliDecompressSync(zlib.brotliCompressSync("x".repeat(99))).length);
console.log(new Intl.NumberFormat("de-DE").format(1234567.5), "ﬁ".normalize("NFKC"));
console.log(generateKeyPairSync("ed25519").publicKey.asymmetricKeyType);
console.log(execFileSync(process.execPath, ["-p", "[1,2,3].map(n => n * n).join()"]).toString());
new Worker("require('worker_threads').parentPort.postMessage(require('path').basename('/a/b'))", { eval: true })
    .on("message", m => console.log("worker", m));
EOF
node a.mjs
"""),
    ("php: extensions and a web request to its own server", r"^\[\{\"a\":\"1\"\}\]\nserved 3", r"""
php -r '$d = new PDO("sqlite::memory:"); $d->exec("create table t(a)"); $d->exec("insert into t values (1)");
echo str_replace("\"a\":1", "\"a\":\"1\"", json_encode($d->query("select a from t", PDO::FETCH_ASSOC)->fetchAll())), "\n";'
mkdir www
echo '<?php echo "served ", 1 + 2, "\n";' >www/index.php
php -S 127.0.0.1:8123 -t www >/dev/null 2>&1 &
server=$!
for n in 1 2 3 4 5 6 7 8 9 10; do sleep 0.3; curl -s http://127.0.0.1:8123/ && break; done
kill $server
"""),
    ("lua: string library, LPeg written in C", r"^3\ta,b", r"""
lua=lua5.4; command -v lua5.4 >/dev/null || lua=lua5.3
$lua -e 'local l = require "lpeg"; local w = l.C(l.R("az")^1); local t = {l.match(w * (" " * w)^0, "a b")}
print(#"abc", table.concat(t, ",")); print(string.format("%5.2f", math.pi), utf8.len("é"), os.date("!%Y", 0))'
"""),
    ("gcc: compiles, links and runs C with its own headers", r"^1\.414214", r"""
printf '#include <math.h>\n#include <stdio.h>\nint main(int c, char **v) { printf("%%.6f\\n", sqrt(2.0 * c)); return 0; }\n' >h.c
gcc -O2 -Wall -flto -o h h.c -lm
python3 -c 'import subprocess; print(subprocess.run(["./h"], capture_output=True, text=True, check=True).stdout)'
gcc -shared -fPIC -O2 -x c -o libf.so - <<'EOF'
int twice(int n) { return 2 * n; }
EOF
python3 -c 'import ctypes; print(ctypes.CDLL("./libf.so").twice(21))'
"""),
    ("binutils: assembles, archives and disassembles", r"T main", r"""
printf 'int answer(void) { return 42; }\nint main(void) { return answer(); }\n' >h.c
gcc -O1 -S h.c
gcc -c h.s
"$BIN/ar" rcsD libh.a h.o
nm libh.a | sed -n 's/^[0-9a-f]* T/T/p'
objdump -d --no-show-raw-insn h.o | grep -c mov
readelf -S h.o | grep -c text
strip h.o
c++filt _ZNSt6vectorIiSaIiEE9push_backEOi
"""),
    ("make: builds a small project in parallel", r"^ab$", r"""
printf 'all: out\nout: a b\n\tcat a b >$@\na b:\n\tprintf $@ >$@\n-include none.mk\n.PHONY: all\n' >Makefile
make -j4 all >log
cat out; echo
grep -c printf log
make -n all
"""),
    ("sqlite3: a query with full text search and JSON", r"^hello world\n3", r"""
sqlite3 t.db <<'EOF'
create virtual table f using fts5(x);
insert into f values ('hello world'), ('other');
select x from f where f match 'hello';
select json_extract('{"a":[1,2,3]}', '$.a[2]');
with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) select sum(i), printf('%.3f', avg(i)) from n;
EOF
sqlite3 t.db .dump | tail -n 1
"""),
    ("jq: filters and formats", r"^\[2,4\]", r"""
echo '{"a":[1,2,3,4],"b":"2024-01-02T03:04:05Z"}' | jq -c '[.a[] | select(. % 2 == 0)], (.b | fromdate), ("x-y" | test("^x.y$")), (.a | @csv)'
"""),
    ("gawk: an extension module and locale", r"^6 1,5", r"""
printf '1\n2\n3\n' | "$BIN/gawk" '{ s += $1 } END { printf "%d ", s }'
LC_ALL=de_DE.UTF-8 "$BIN/gawk" --use-lc-numeric 'BEGIN { printf "%.1f\n", 1.5 }'
printf 'x' >f
"$BIN/gawk" -l filefuncs 'BEGIN { stat("f", s); print s["size"], s["type"] }'
"$BIN/gawk" -i join 'BEGIN { split("c a b", a); n = asort(a); print join(a, 1, n, "-") }'
"""),
    ("sed: multi-byte characters and in-place editing", r"^xéx$", r"""
printf 'aéa\n' >f
"$BIN/sed" -i.bak 's/a/x/g' f
cat f f.bak
printf 'ÄÖ\n' | "$BIN/sed" -E 's/(.)(.)/\L\2\1/; s/./<&>/g'
"""),
    ("coreutils: locale-aware quoting, sorting and numbers", r"‘a b’", r"""
mkdir d
echo >'d/a b'
"$BIN/ls" --quoting-style=locale d
printf 'ä\nz\na\n' | LC_ALL=de_DE.UTF-8 "$BIN/sort" | tr '\n' ' '
printf '10\n9\n1K\n' | "$BIN/sort" -h | tr '\n' ' '
"$BIN/numfmt" --to=iec 123456789
"$BIN/date" -u -d '2024-02-29 +1 year' +%F
LC_ALL=de_DE.UTF-8 "$BIN/date" -u -d @0 +%A
TZ=Europe/Berlin "$BIN/date" -d '2024-07-01 12:00 UTC' '+%T %Z'
printf 'abc' | "$BIN/sha256sum"
"$BIN/stdbuf" -oL "$BIN/printf" '%s\n' buffered
"""),
    ("gettext: messages in German of several programs", r"Datei oder Verzeichnis nicht gefunden", r"""
export LC_ALL=de_DE.UTF-8 LANGUAGE=de
for c in ls cat sed grep sort; do case $c in sed | grep) set -- x;; *) set --;; esac
"$BIN/$c" "$@" /nonexistent 2>&1 | sed "s|^.*/$c: |$c: |" || :; done
git status 2>&1 || :
gcc nonexistent.c 2>&1 | sed 's/^[^:]*://' || :
gpg --list-keys nobody 2>&1 || :
"""),
    ("locale: character maps, names and money of a locale", r"^Montag", r"""
LC_ALL=de_DE.UTF-8 locale day | tr ';' '\n' | sed -n 2p
LC_ALL=de_DE.UTF-8 locale -k LC_MONETARY | sed -n 1,2p
LC_ALL=ja_JP.eucjp locale charmap
locale -a | grep -c '^[a-z][a-z]_'
LC_ALL=fr_FR.UTF-8 python3 -c 'import locale; locale.setlocale(locale.LC_ALL, ""); print(locale.format_string("%.2f", 1234.5, grouping=True))'
"""),
    ("iconv: gconv modules", r"^836583588367$", r"""
printf 'テスト' | iconv -f UTF-8 -t SJIS | od -An -tx1 | tr -d ' \n'; echo
printf 'テスト' | iconv -f UTF-8 -t ISO-2022-JP | iconv -f ISO-2022-JP -t EUC-JP | od -An -tx1
printf 'žluť' | iconv -f UTF-8 -t IBM852 | od -An -tx1
printf 'ü€' | iconv -f UTF-8 -t ASCII//TRANSLIT; echo
iconv -l | wc -l
"""),
    ("findutils: find and xargs", r"^\./a b/c", r"""
mkdir -p 'a b' d
touch 'a b/c' d/e
"$BIN/find" . -type f -print0 | "$BIN/sort" -z | "$BIN/xargs" -0 -n1 echo
"$BIN/find" . -name e -printf '%f %y %m\n' -execdir basename {} ';'
"""),
    ("grep: Perl-compatible and multi-byte expressions", r"^éb$", r"""
printf 'ab\néb\n' | "$BIN/grep" -P '^\p{L}(?=b)(?<!a)'
printf 'ÄB\n' | "$BIN/grep" -io 'äb'
"""),
    ("diffutils and patch: a patch is made and applied", r"^same$", r"""
seq 20 >a; sed 's/^7$/seven/' a >b
"$BIN/diff" -u --label a --label b a b >p || :
"$BIN/patch" -s a <p
"$BIN/cmp" a b && echo same
seq 20 >o; sed 's/^15$/x/' o >c
"$BIN/diff3" -m b o c
"""),
    ("gnupg: makes a key, signs, verifies, encrypts, with its agent", r"^good$\n(.*\n)*secret", r"""
export GNUPGHOME=$PWD/g
mkdir -m 700 g
gpg --batch --quiet --passphrase '' --quick-generate-key 'Test <t@example.org>' default default never 2>/dev/null
echo secret >f
gpg --batch --quiet --detach-sign f
gpg --batch --status-fd 1 --verify f.sig f 2>/dev/null | grep -q GOODSIG && echo good
gpg --batch --quiet --trust-model always -r t@example.org -e f
gpg --batch --quiet -d f.gpg 2>/dev/null
gpg --batch --quiet --passphrase pw --pinentry-mode loopback --symmetric -o s.gpg f
gpgconf --kill gpg-agent
gpg --batch --quiet --passphrase pw --pinentry-mode loopback -d s.gpg 2>/dev/null
gpg --batch --with-colons --list-secret-keys | grep -c ^sec
gpgconf --kill all
"""),
    ("openssl: certificates, providers and engines", r"^subject=CN ?= ?test", r"""
openssl genrsa -out key.pem 2048 2>/dev/null
openssl req -x509 -new -key key.pem -subj /CN=test -out cert.pem -days 1
openssl x509 -in cert.pem -noout -subject
printf data | openssl enc -aes-256-cbc -pbkdf2 -pass pass:x | openssl enc -d -aes-256-cbc -pbkdf2 -pass pass:x; echo
printf abc | openssl dgst -sha3-256
openssl ecparam -name prime256v1 -genkey -noout -out ec.pem
openssl pkeyutl -sign -inkey ec.pem -in cert.pem -rawin -digest sha256 -out s 2>/dev/null || openssl dgst -sha256 -sign ec.pem -out s cert.pem
test -s s
openssl verify -CAfile cert.pem cert.pem
ls /etc/ssl/certs >/dev/null 2>&1 || :
openssl engine dynamic 2>/dev/null | head -n 1
"""),
    ("ssh-keygen: makes, converts and certifies keys", r"^certified", r"""
ssh-keygen -q -t ed25519 -N '' -C test -f ca
ssh-keygen -q -t rsa -b 2048 -N '' -C user -f user
ssh-keygen -q -s ca -I id -n someone user.pub
ssh-keygen -L -f user-cert.pub | grep -q 'Key ID: "id"' && echo certified
ssh-keygen -e -m PKCS8 -f user.pub | head -n 1
printf x >m
ssh-keygen -q -Y sign -f ca -n file m 2>/dev/null
printf 's@example.org %s\n' "$(cat ca.pub)" >allowed
ssh-keygen -q -Y verify -f allowed -I s@example.org -n file -s m.sig <m && echo verified
eval "$(ssh-agent -s)" >/dev/null
ssh-add -q user 2>/dev/null
ssh-add -l | cut -d' ' -f1,3
ssh-agent -k >/dev/null
"""),
    ("curl: fetches over TLS from a server whose authority it is given", r"^hello over TLS\n(.*\n)*60$", r"""
curl -sS --cacert /test/ca.pem "https://127.0.0.1:$PORT/hello"
curl -sS --http1.1 --compressed --cacert /test/ca.pem "https://127.0.0.1:$PORT/hello"
status=0
curl -sS "https://127.0.0.1:$PORT/hello" 2>/dev/null || status=$?
echo $status
echo 'file contents' >f
curl -sS "file://$PWD/f"
"""),
    ("rsync: copies by its own protocol and deletes", r"^same\n(.*\n)*total size is", r"""
mkdir -p a/s; seq 1000 >a/s/f; ln -s f a/s/l; echo x >a/old
rsync -a a/ b/
rm a/old; echo y >>a/s/f
rsync -a --delete --checksum --no-whole-file --stats a/ b/ | grep -E '^(Number of (deleted|created)|Matched data|total size)' | sed 's/ *speedup.*//'
"$BIN/diff" -r a b && echo same
printf '[m]\npath = %s/a\nuse chroot = no\nuid = 0\ngid = 0\nread only = yes\n' "$PWD" >d.conf
rsync --daemon --no-detach --port=8730 --address=127.0.0.1 --config=d.conf --log-file=/dev/null &
d=$!
for n in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; rsync -a rsync://127.0.0.1:8730/m/ c/ 2>/dev/null && break; done
kill $d
"$BIN/diff" -r a c && echo same
rsync -a --dry-run -v a/ e/ | tail -n 1 | sed 's/ *speedup.*//'
""".replace('| tail -n 1', '| tail -n 1')),
    ("imagemagick: converts, draws text and compares", r"PNG 32x24", PICTURE + r"""
convert=convert; command -v magick >/dev/null && convert=magick
$convert in.ppm -resize 50% out.png
identify -format '%m %wx%h %k\n' out.png
$convert in.ppm -colorspace Gray -blur 0x2 g.jpg
identify -format '%m %wx%h\n' g.jpg
$convert in.ppm -rotate 90 -flop txt:- | tail -n +2 | head -n 2 | cut -d' ' -f1,2
$convert -list policy 2>/dev/null | grep -c Policy
$convert -list format | grep -c -E '^ *(PNG|JPEG|WEBP|TIFF|SVG)\*? '
compare -metric AE in.ppm in.ppm null: 2>&1
"""),
    ("graphviz: lays out and renders", r"<title>a&#45;&gt;b</title>", r"""
echo 'digraph { a -> b [label="é"]; b -> c; subgraph cluster_x { c; d } a -> d }' >g.dot
dot -Tsvg g.dot | sed '/<!--/d'
dot -Tpng g.dot | head -c 8 | od -An -c
neato -Tplain g.dot | tail -n 1
for p in circo fdp sfdp twopi; do $p -Tplain g.dot | tail -n 1; done
"""),
    ("groff: typesets a manual page and PostScript", r"NAME", r"""
printf '.TH T 1 2024-01-01 v m\n.SH NAME\nt \\- does\n.SH TABLE\n.TS\nl l.\na\tb\n.TE\n' >t.1
groff -t -man -Tutf8 -P-cbou t.1 | sed '/^$/d'
groff -t -man -Tps t.1 | grep -c '%%'
groff -man -Thtml t.1 2>/dev/null | grep -c '<h2' || :
printf '.EQ\nx sup 2 over y\n.EN\n' | eqn -Tascii | groff -Tascii -P-cbou | sed '/^$/d'
"""),
    ("file: knows kinds of files from its database", r"^x: +PNG image|PNG image data, 1 x 1", r"""
printf '\211PNG\r\n\032\n\0\0\0\rIHDR\0\0\0\001\0\0\0\001\b\002\0\0\0\220wS\336' >x
file x
printf '#!/usr/bin/env python3\n' >y
file --mime-type y
gzip -nc y >z
file -b z
file -zb z | cut -d'(' -f1
echo '0 string ABC abc file' >m
printf ABC >w
file -m m w
"""),
    ("poppler: reads a PDF", r"^Hello PDF", r"""
python3 - <<'EOF'
stream = b"BT /F1 24 Tf 20 50 Td (Hello PDF) Tj ET"
objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
    b"<< /Length %d >>\nstream\n" % len(stream) + stream + b"\nendstream",
    b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
out, places = b"%PDF-1.4\n", []
for n, o in enumerate(objects):
    places.append(len(out)); out += b"%d 0 obj\n" % (n + 1) + o + b"\nendobj\n"
start = len(out)
out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % p for p in places)
open("a.pdf", "wb").write(out + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start)
EOF
pdftotext a.pdf - | sed '/^.\?$/d'
pdfinfo a.pdf | grep -E '^(Pages|Page size)'
pdftoppm -r 50 -gray a.pdf p 2>/dev/null
ls p*
pdftotext -enc Latin1 -layout a.pdf - | head -n 1
"""),
    ("ripgrep: searches a tree in parallel", r"^a/f\.py:1:", r"""
mkdir -p a/b; echo 'import os' >a/f.py; echo 'import os' >a/b/g.c; printf 'b\n' >.ignore
rg --sort path -n 'im\w+' a
rg --sort path -tpy --no-ignore -c import a
rg --type-list | wc -l
rg -o 'p\w*$' a/f.py | head -n 2
"""),
    ("tmux: runs a command in a session", r"^inside 7", r"""
export TERM=xterm SHELL=/bin/sh
tmux -L t -f /dev/null new-session -d -x 80 -y 24 'echo inside $((3 + 4)); sleep 30'
for n in 1 2 3 4 5 6 7 8 9 10; do sleep 0.3; tmux -L t capture-pane -p | grep inside && break; done
tmux -L t list-sessions -F '#{session_windows} #{window_width}'
tmux -L t kill-server
"""),
    ("zsh: functions, modules and completion", r"^a b c\n", r"""
cat >s.zsh <<'EOF'
emulate zsh
zmodload zsh/mathfunc zsh/datetime zsh/stat zsh/zutil
print -- ${(o)=:-c a b}
print $(( int(sqrt(49)) ))
autoload -Uz compinit is-at-least zmv
compinit -D -d ./dump
print ${#_comps} $(( ${#_comps} > 500 )) $_comps[git]
is-at-least 4.0 && print newer
touch x1 x2; zmv -n '(x)(*)' '$2$1' | sed 's/^/would: /'
print ${(j.:.)fpath} | grep -c functions
EOF
zsh -f s.zsh
"""),
    ("less: filters through a pipe", r"^line 2", r"""
printf 'line 1\nline 2\n' >f
"$BIN/less" -FX +/2 f | cat
LESSOPEN='|cat %s' "$BIN/less" f | tail -n 1
lesspipe 2>/dev/null | head -n 1 | sed 's|export LESSOPEN=.*|LESSOPEN|' || :
"""),
    ("bc: arbitrary precision with its library", r"^3\.14159265358979323844", r"""
echo 'scale=20; 4*a(1); 2^200; e(1)' | "$BIN/bc" -l
"""),
    ("xmllint: validates and queries", r"^b$", r"""
echo '<!DOCTYPE r [<!ELEMENT r (i*)><!ELEMENT i (#PCDATA)>]><r><i>a</i><i>b</i></r>' >a.xml
xmllint --valid --noout a.xml
xmllint --xpath 'string(//i[2])' a.xml
xmllint --format a.xml
XML_DEBUG_CATALOG= xmllint --version 2>&1 | grep -c Catalog
"""),
    ("xsltproc: transforms with EXSLT", r"^2$", r"""
cat >s.xsl <<'EOF'
<x:stylesheet version="1.0" xmlns:x="http://www.w3.org/1999/XSL/Transform" xmlns:s="http://exslt.org/sets" extension-element-prefixes="s">
<x:output method="text"/><x:template match="/"><x:value-of select="count(s:distinct(//i))"/><x:text>
</x:text></x:template></x:stylesheet>
EOF
echo '<r><i>a</i><i>b</i><i>a</i></r>' | xsltproc s.xsl -
"""),
    ("xz and zstd: compress with threads and test", r"^same same$", r"""
seq 200000 >f
"$BIN/xz" -T2 -k f; zstd -q -T2 -19 f
"$BIN/xz" -dc f.xz | "$BIN/cmp" - f && printf 'same '
zstd -dcq f.zst | "$BIN/cmp" - f && echo same
"$BIN/xz" --robot --list f.xz | tail -n 1 | cut -f2-3
zstd -q --train -o dict --maxdict=4096 f f f f f f f f 2>/dev/null || echo 'no dictionary'
"""),
    ("xz: xzgrep, a shell script, searches a compressed file", r"^2$", r"""
seq 200000 | "$BIN/xz" >f.xz
xzgrep -c 99999 f.xz
"""),
]

LARGE = [
    ("neovim: runs Lua, tree-sitter and its help", r"^lua \d+", r"""
printf 'int main(void) { return 0; }\n' >h.c
nvim --headless -u NONE -i NONE h.c -c 'filetype on' -c 'syntax on' \
    -c 'lua io.write("lua ", #vim.api.nvim_get_runtime_file("syntax/*.vim", true), " ", vim.bo.filetype, "\n")' \
    -c 'lua io.write(vim.inspect({1, {a = 2}}), " ", vim.fn.synIDattr(vim.fn.synID(1, 1, 1), "name"), "\n")' \
    -c 'help usr_01' -c 'lua io.write(vim.fn.expand("%:t"), "\n")' -c 'qa!' 2>&1
"""),
    ("nano: opens a file with its syntax definitions", r"int main", r"""
printf 'int main(void) { return 0; }\n' >h.c
export TERM=xterm SHELL=/bin/sh
echo 'set -g default-terminal screen' >t.conf
tmux -L n -f t.conf new-session -d -x 60 -y 10 'nano --ignorercfiles --syntax=c h.c 2>err; cat err; sleep 30'
for n in 1 2 3 4 5 6 7 8 9 10; do sleep 0.3; tmux -L n capture-pane -p | grep -q main && break; done
tmux -L n send-keys x
tmux -L n send-keys C-o Enter
sleep 0.7
tmux -L n capture-pane -p | grep -c Exit
tmux -L n kill-server
cat h.c
"""),
    ("mc: shows a directory with its skin and menus", r"Left +File +Command", r"""
export TERM=xterm SHELL=/bin/sh COLUMNS=80
mkdir d; touch d/marker
echo 'set -g default-terminal screen' >t.conf
tmux -L m -f t.conf new-session -d -x 80 -y 24 'mc -u -d d d; sleep 30'
for n in $(seq 20); do sleep 0.3; tmux -L m capture-pane -p | grep -q marker && break; done
tmux -L m capture-pane -p | sed -n 1p
tmux -L m capture-pane -p | grep -c marker
tmux -L m kill-server
"""),
    ("screen: runs a command in a detached session", r"^done 42", r"""
export SCREENDIR=$PWD/s TERM=xterm SHELL=/bin/sh
mkdir -m 700 s
screen -dmS t sh -c 'echo done $((6 * 7)) >out; sleep 30'
for n in $(seq 20); do sleep 0.2; test -s out && break; done
cat out
screen -ls | grep -c '[.]t'
screen -S t -X quit
"""),
    ("python: pip installs a wheel of PyPI into a virtual environment", r"^1\.26\.4 \[\[6, 11\]", r"""
python3 -m venv v
cat >a.py <<'EOF'
import numpy as n
a = n.arange(4).reshape(2, 2)
print(n.__version__, (n.array([[2, 3], [19, 4]]) @ a).tolist(), n.linalg.inv(a + 1.0).round(3).tolist(), n.fft.fft([1, 0, 0]).real)
EOF
cat >run.py <<'EOF'
import subprocess
pip = ["v/bin/pip", "--isolated", "--disable-pip-version-check", "install", "--quiet", "--no-index", "--find-links"]
subprocess.run([*pip, "/test/wheels", "numpy"], check=True)
subprocess.run(["v/bin/python", "a.py"], check=True)
EOF
python3 run.py
"""),
    ("python: numpy, Pillow and cryptography of the image", r"^20\.0 ", r"""
python3 - <<'EOF'
import io, numpy, PIL.Image, PIL.ImageDraw
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
print(numpy.linalg.norm([12.0, 16.0]), numpy.linalg.eigvalsh([[2, 1], [1, 2]]).round(6))
i = PIL.Image.new("RGB", (40, 20)); PIL.ImageDraw.Draw(i).ellipse((5, 5, 30, 15), fill="red")
for kind in ("PNG", "JPEG", "WEBP", "TIFF"):
    b = io.BytesIO(); i.save(b, kind); print(kind, PIL.Image.open(io.BytesIO(b.getvalue())).size, len(b.getvalue()))
print(AESGCM(b"k" * 16).encrypt(b"n" * 12, b"data", None).hex())
EOF
"""),
    ("sphinx: builds a manual as HTML", r"<h1>Title", r"""
printf 'project = "P"\nlanguage = "de"\nhtml_theme = "alabaster"\n' >conf.py
printf 'Title\n=====\n\n.. code-block:: python\n\n   def f(): pass\n\n.. seealso:: x\n' >index.rst
python3 -m sphinx -q -b html . out
grep -E '<h1>|class="k"|admonition-title' out/index.html
ls out
"""),
    ("perl: XML::LibXML and its own documentation tools", r"^b 2", r"""
perl -MXML::LibXML -e 'my $d = XML::LibXML->load_xml(string => "<r><i>a</i><i>b</i></r>"); print $d->findvalue("//i[2]"), " ", $d->findnodes("//i")->size, "\n"'
printf '=head1 NAME\n\nx - y\n\n=cut\n' >x.pod
pod2man --date=2024-01-01 --release=1 x.pod | grep -c NAME
pod2text x.pod
perl -MExtUtils::Embed -e ccopts | tr ' ' '\n' | grep -c -- -I
"""),
    ("ruby: a gem written in C, and ERB", r"^b 2\n", r"""
ruby -rnokogiri -rerb -e 'd = Nokogiri::XML("<r><i>a</i><i>b</i></r>"); puts "#{d.at("//i[2]").text} #{d.css("i").size}"
puts ERB.new("<% 2.times do |n| %><%= n %>,<% end %>").result, Nokogiri::HTML("<p>x<p>y").to_html.lines.size'
ruby -rrbconfig -e 'puts File.directory?(RbConfig::CONFIG["rubylibdir"]), $LOAD_PATH.count { |p| File.directory?(p) }'
ruby -e 'require "mkmf"; puts have_header("stdlib.h")' 2>/dev/null | tail -n 1
"""),
    ("asciidoctor: renders HTML with its stylesheet", r"<h2 id=\"_part\">Part</h2>", r"""
printf '= Doc\n:reproducible:\n\n== Part\n\n|===\n|a |b\n|===\n' >a.adoc
asciidoctor -o - a.adoc | grep -E '<h[12]|Asciidoctor default|<td'
asciidoctor -b docbook5 -o - a.adoc | xmllint --xpath 'count(//*)' -
"""),
    ("node: native modules", r"^iconv 8365$", r"""
cat >a.js <<'EOF'
const { Iconv } = require("iconv");
console.log("iconv", new Iconv("UTF-8", "SHIFT_JIS").convert("テ").toString("hex"));
const sqlite = require("sqlite3");
const d = new sqlite.Database(":memory:");
d.get("select sqlite_version() is not null as ok, 6 * 7 as n", (e, row) => console.log(e, row));
const expat = require("node-expat");
const p = new expat.Parser("UTF-8");
p.on("startElement", (name, a) => console.log("start", name, a));
p.write("<r a='1'><b/></r>");
EOF
node a.js | sort
"""),
    ("php: gd, mbstring and XML extensions", r"^40x20 4 b", r"""
php -r '$i = imagecreatetruecolor(40, 20); imagefilledellipse($i, 20, 10, 20, 10, 0xff0000); ob_start(); imagepng($i); $p = ob_get_clean();
[$w, $h] = getimagesizefromstring($p); $x = simplexml_load_string("<r><i>a</i><i>b</i></r>");
echo "{$w}x$h ", mb_strlen("テスト!"), " ", $x->i[1], "\n"; echo implode(" ", get_loaded_extensions()), "\n";
echo date_create("2024-07-01 12:00", timezone_open("Europe/Berlin"))->format("c"), "\n"; var_dump(openssl_digest("abc", "sha256"));'
"""),
    ("lua: sockets, cjson and LuaJIT", r"^3 \{\"a\":\[1,2\]\}", r"""
lua5.1 -e 'local c = require "cjson"; print(#c.decode("[1,2,3]") .. " " .. c.encode({a = {1, 2}}))'
lua5.1 -e 'local s = require "socket"; local u = require "socket.url"; print(u.parse("http://h:80/p").port, s._VERSION)'
luajit -e 'local f = require "ffi"; f.cdef "int abs(int);"; print(f.C.abs(-3), jit.status()); for i = 1, 1e6 do local x = i * 2 end'
luajit -bl -e 'local x = 1; return x + 2' | grep -c -E 'ADD|RET'
"""),
    ("tcl: packages and clock with time zones", r"^b 2024-07-01 14:00:00 CEST", r"""
tclsh <<'EOF'
package require http
package require msgcat
puts "[lindex {a b} 1] [clock format 1719835200 -timezone :Europe/Berlin -locale de -format {%Y-%m-%d %T %Z}]"
puts [encoding convertfrom shiftjis \x83\x65]
puts [clock format 0 -gmt 1 -locale de -format {%A %B}]
puts [expr {2**100}]
puts [lsort [lsearch -all -inline [encoding names] euc-*]]
EOF
"""),
    ("guile: compiled modules", r"^\(1 4 9\) 39742", r"""
export GUILE_AUTO_COMPILE=0
guile -c '(use-modules (srfi srfi-1) (ice-9 match) (ice-9 regex) (sxml simple))
(display (map (lambda (x) (* x x)) (iota 3 1))) (display " ") (display (modulo (expt 7 1000) 100003)) (newline)
(display (match (list 1 2) ((a b) (+ a b)))) (sxml->xml (quote (p (@ (c "x")) "é"))) (newline)
(display (match:substring (string-match "[0-9]+" "ab12"))) (newline)' 
guile -c '(use-modules (system base compile)) (display (compile (quote (* 6 7)))) (newline)'
"""),
    ("prolog: library predicates and a compiled state", r"^\[1,2,3\] 30", r"""
cat >a.pl <<'EOF'
:- use_module(library(clpfd)).
:- use_module(library(dcg/basics)).
main :- X in 1..9, X * X #= 49, label([X]), msort([3,1,2], L), sum_list([10, 20], S), print(L), format(" ~w ~w~n", [S, X]),
    phrase(integer(N), `42`), writeln(N).
EOF
swipl -g main -t halt a.pl
swipl -o a.state -c a.pl 2>/dev/null; swipl -x a.state -g main -t halt
"""),
    ("erlang: compiles a module and runs processes", r"^\[1,4,9\]", r"""
cat >a.erl <<'EOF'
-module(a).
-export([main/0]).
main() ->
    Self = self(),
    [spawn(fun() -> Self ! {N, N * N} end) || N <- [1, 2, 3]],
    io:format("~w~n", [[receive {N, R} -> R end || N <- [1, 2, 3]]]),
    io:format("~s~n", [[io_lib:format("~2.16.0b", [B]) || <<B>> <= erlang:md5("abc")]]),
    io:format("~p~n", [lists:sort(maps:to_list(#{b => 2, a => 1}))]).
EOF
erlc a.erl
erl -noshell -s a main -s init stop
"""),
    ("R: a linear model and a plot", r"\(Intercept\)", r"""
Rscript -e 'd <- data.frame(x = 1:10, y = c(2.1,3.9,6.2,7.8,10.1,12.2,13.8,16.1,18.0,20.2)); print(coef(summary(lm(y ~ x, d))))' \
    -e 'pdf("p.pdf"); plot(d$x, d$y); dev.off(); print(file.size("p.pdf") > 3000)' \
    -e 'print(solve(matrix(c(2,1,1,3),2))); print(format(as.POSIXct(0, origin="1970-01-01", tz="UTC"), "%Y", tz="Europe/Berlin"))' \
    -e 'print(nchar("テスト")); print(regmatches("ab12", regexpr("[0-9]+", "ab12", perl=TRUE))); print(head(rownames(installed.packages()), 3))'
Rscript -e 'png("p.png", type = "cairo"); plot(1:3); invisible(dev.off()); cat(file.exists("p.png"), "\n")' 2>&1
printf 'int_twice <- function(n) 2 * n\nprint(int_twice(21))\n' >s.R
R --vanilla --slave -f s.R
"""),
    ("ocaml: compiles to bytecode and native code", r"^3 6 ba7816|^3 6", r"""
echo 'let () = Printf.printf "%d %d %s\n" (List.length [1;2;3]) (List.fold_left (+) 0 [1;2;3]) (Digest.to_hex (Digest.string "abc"))' >a.ml
ocaml a.ml
ocamlc -o a.byte a.ml
ocamlrun a.byte
ocamlfind ocamlopt 2>/dev/null || :
ocamlopt -o a.native a.ml
python3 -c 'import subprocess; print(subprocess.run(["./a.native"], capture_output=True, text=True, check=True).stdout)'
echo 'open Unix let () = print_endline (string_of_int (List.length (Str.split (Str.regexp ",") "a,b")))' >b.ml
ocamlc -o b.byte unix.cma str.cma b.ml 2>/dev/null && ocamlrun b.byte
"""),
    ("ghc: compiles a program with containers", r"^\[1,2,3\] 2", r"""
cat >A.hs <<'EOF'
import qualified Data.Map as M
import Data.List (sort)
main :: IO ()
main = putStrLn (show (sort [3, 1, 2 :: Int]) ++ " " ++ show (M.size (M.fromList [(1 :: Int, 'a'), (2, 'b')])))
EOF
ghc -v0 -O0 -dynamic -o a A.hs
python3 -c 'import subprocess; print(subprocess.run(["./a"], capture_output=True, text=True, check=True).stdout)'
"""),
    ("ghc: runghc interprets a program", r"^3", r"""
echo 'main = print (length [1, 2, 3 :: Int])' >A.hs
runghc A.hs
"""),
    ("pandoc: converts with its templates and data", r"<h1 id=\"head\">Head</h1>", r"""
printf '# Head\n\nA *b* [^1] $x^2$\n\n[^1]: note\n\n```python\ndef f(): pass\n```\n' >a.md
pandoc a.md --mathml
pandoc -s -t html5 --metadata title=T a.md | grep -c style
pandoc -t latex a.md | head -n 3
pandoc -o a.docx a.md && pandoc a.docx -t plain
pandoc -t native a.md | head -n 2
pandoc -s -t man --metadata title=T a.md | grep -c TH
"""),
    ("go: compiles, runs and tests a module", r"^\[1 2 3\]", r"""
export GOCACHE=$PWD/cache GOPATH=$PWD/path GOFLAGS=-mod=mod GOPROXY=off CGO_ENABLED=0
cat >a.go <<'EOF'
package main
import ("fmt"; "sort"; "time")
func main() { s := []int{3, 1, 2}; sort.Ints(s); fmt.Println(s); l, err := time.LoadLocation("Europe/Berlin"); fmt.Println(time.Unix(0, 0).In(l), err) }
EOF
printf 'module example.org/a\ngo 1.19\n' >go.mod
go run a.go
go build -trimpath -o a a.go
go vet a.go && gofmt -l a.go
go env GOROOT | grep -c go
"""),
    ("go: compiles with cgo", r"^42", r"""
export GOCACHE=$PWD/cache GOPATH=$PWD/path GOPROXY=off
cat >a.go <<'EOF'
package main
// int twice(int n) { return 2 * n; }
import "C"
import "fmt"
func main() { fmt.Println(C.twice(21)) }
EOF
go build -o a a.go
python3 -c 'import subprocess; print(subprocess.run(["./a"], capture_output=True, text=True, check=True).stdout)'
"""),
    ("restic: backs up and restores", r"^same", r"""
export RESTIC_REPOSITORY=$PWD/r RESTIC_PASSWORD=x XDG_CACHE_HOME=$PWD/cache
mkdir d; seq 5000 >d/f
restic init -q
restic backup -q --host h d
restic snapshots --json | jq length
restic restore -q latest --target out >/dev/null
"$BIN/cmp" d/f "$(find out -name f)" && echo same
restic check -q --read-data | tail -n 1
"""),
    ("hugo: builds a site", r"<h1>T</h1>x", r"""
mkdir -p s/content s/layouts/_default
printf 'baseURL = "http://e.org/"\ntitle = "S"\ndisableKinds = ["RSS", "taxonomy", "term"]\n' >s/config.toml
printf -- '---\ntitle: T\ndate: 2024-01-01\n---\n*x* {{< highlight go >}}func{{< /highlight >}}\n' >s/content/a.md
echo '<h1>{{ .Title }}</h1>{{ .Summary | plainify | truncate 1 "" }}{{ .Content }}' >s/layouts/_default/single.html
echo '{{ len .Pages }}' >s/layouts/_default/list.html
hugo --quiet -s s
cat s/public/a/index.html
ls s/public
"""),
    ("rclone: copies, hashes and serves", r"ba7816bf", r"""
export RCLONE_CONFIG=$PWD/c
: >c
mkdir d; printf abc >d/f
rclone copy d e
rclone hashsum SHA-256 e
rclone lsf -R --format sp d
rclone check d e 2>&1 | grep -c '0 differences'
rclone serve http --addr 127.0.0.1:8124 d 2>/dev/null &
p=$!
for n in $(seq 20); do sleep 0.2; curl -sf http://127.0.0.1:8124/f && break; done; echo
kill $p
"""),
    ("skopeo: copies and inspects an image layout", r"^\"amd64\"", r"""
mkdir -p l/blobs/sha256
cd l
python3 - <<'EOF'
import gzip, hashlib, io, json, tarfile
def blob(data):
    d = hashlib.sha256(data).hexdigest(); open("blobs/sha256/" + d, "wb").write(data); return {"digest": "sha256:" + d, "size": len(data)}
b = io.BytesIO()
with tarfile.open(fileobj=b, mode="w") as t:
    i = tarfile.TarInfo("f"); i.size = 3; t.addfile(i, io.BytesIO(b"abc"))
layer = blob(gzip.compress(b.getvalue(), mtime=0)) | {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}
config = blob(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(b.getvalue()).hexdigest()]}}).encode()) | {"mediaType": "application/vnd.oci.image.config.v1+json"}
manifest = blob(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [layer]}).encode()) | {"mediaType": "application/vnd.oci.image.manifest.v1+json", "annotations": {"org.opencontainers.image.ref.name": "t"}}
open("index.json", "w").write(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
open("oci-layout", "w").write('{"imageLayoutVersion": "1.0.0"}')
EOF
cd ..
skopeo --insecure-policy inspect oci:l:t | jq .Architecture
skopeo --insecure-policy copy -q oci:l:t dir:d
skopeo --insecure-policy copy -q dir:d docker-archive:a.tar:x:1
ls d
skopeo --insecure-policy inspect --raw docker-archive:a.tar | jq -c '.layers | length'
"""),
    ("umoci: makes, unpacks and repacks an image", r"^hello$", r"""
umoci init --layout l
umoci new --image l:t
umoci unpack --image l:t b 2>/dev/null
echo hello >b/rootfs/f
umoci repack --image l:t b 2>/dev/null
umoci config --config.cmd /f --author A --image l:t
umoci unpack --image l:t c 2>/dev/null
cat c/rootfs/f
umoci stat --image l:t --json | jq -c '[.history[].created_by] | length'
"""),
    ("buildah: builds an image from scratch", r"^hello$", r"""
export STORAGE_DRIVER=vfs
mkdir -p ctx run; echo hello >ctx/f
printf 'FROM scratch\nCOPY f /f\nENV A=b\nCMD ["/f"]\n' >ctx/Containerfile
printf '{"default":[{"type":"insecureAcceptAnything"}]}' >policy.json
b() { buildah --root "$PWD/root" --runroot "$PWD/run" --storage-driver vfs "$@"; }
b bud -q --isolation chroot --signature-policy policy.json -t t ctx >/dev/null
c=$(b from --signature-policy policy.json --pull-never t)
m=$(b mount $c)
cat $m/f
b inspect --format '{{.OCIv1.Config.Env}} {{.OCIv1.Config.Cmd}}' t
b umount $c >/dev/null
"""),
    ("rust: cargo builds and tests a crate", r"^\[1, 2, 3\]", r"""
export CARGO_HOME=$PWD/ch USER=u
mkdir -p p/src; cd p
printf '[package]\nname = "p"\nversion = "0.1.0"\nedition = "2021"\n' >Cargo.toml
cat >src/main.rs <<'EOF'
use std::collections::BTreeSet;
fn main() { let s: BTreeSet<i32> = [3, 1, 2].into_iter().collect(); println!("{:?}", s.into_iter().collect::<Vec<_>>()); }
EOF
cargo build -q --offline
python3 -c 'import subprocess; print(subprocess.run(["target/debug/p"], capture_output=True, text=True, check=True).stdout)'
cargo metadata --offline --format-version 1 --no-deps | jq -r '.packages[].name'
rustc --print cfg | grep -c target
"""),
    ("bat and fd: highlight and find", r"\[38;", r"""
printf 'int main(void) { return 0; }\n' >h.c; mkdir d; touch d/x.py .h
batcat --color=always --style=plain --theme=ansi h.c | head -n 1
batcat --color=always --style=numbers --theme=GitHub -l rust h.c
batcat --list-languages | wc -l
fdfind -e py . | cat
fdfind -H --type f | sort
"""),
    ("g++: compiles C++20 with the standard library", r"^1 2 3 x", r"""
cat >a.cc <<'EOF'
#include <algorithm>
#include <iostream>
#include <regex>
#include <thread>
#include <vector>
int main() { std::vector v{3, 1, 2}; std::ranges::sort(v); for (int n : v) std::cout << n << ' ';
    std::thread([] {}).join(); try { throw std::runtime_error("x"); } catch (const std::exception& e) { std::cout << e.what() << '\n'; } }
EOF
g++ -std=c++20 -O1 -g -pthread -o a a.cc
python3 -c 'import subprocess; print(subprocess.run(["./a"], capture_output=True, text=True, check=True).stdout)'
g++ -fsanitize=undefined -x c++ - -o u <<'EOF'
int main(int c, char**) { int n = 0x7fffffff; return (n + c) == 0; }
EOF
python3 -c 'import subprocess; print("signed integer overflow" in subprocess.run(["./u"], capture_output=True, text=True).stderr)'
"""),
    ("gfortran: compiles and runs", r"^ +55", r"""
printf 'program p\ninteger :: i\nprint *, sum([(i, i = 1, 10)])\nend program\n' >a.f90
gfortran -O2 -o a a.f90
python3 -c 'import subprocess; print(subprocess.run(["./a"], capture_output=True, text=True, check=True).stdout.rstrip())'
"""),
    ("clang: compiles, links and analyses", r"^42", r"""
printf '#include <stdio.h>\n#include <stddef.h>\nint main(void) { printf("%%d\\n", 42); return 0; }\n' >a.c
clang -O2 -o a a.c
python3 -c 'import subprocess; print(subprocess.run(["./a"], capture_output=True, text=True, check=True).stdout)'
clang -S -emit-llvm -O1 -o - a.c | grep -c 'define'
printf '#include <vector>\n#include <iostream>\nint main() { std::vector<int> v{1}; std::cout << v.size(); }\n' >b.cc
clang++ -o b b.cc
printf 'int f(int *p) { if (!p) return *p; return 0; }\n' >c.c
clang --analyze -o /dev/null c.c 2>&1 | grep -o 'Dereference of null pointer' | head -n 1
"""),
    ("cmake and ninja: configure and build a project", r"^7$", r"""
cat >CMakeLists.txt <<'EOF'
cmake_minimum_required(VERSION 3.10)
project(p C)
find_package(Threads REQUIRED)
include(CheckSymbolExists)
check_symbol_exists(strlen string.h HAVE)
add_library(l SHARED l.c)
add_executable(p p.c)
target_link_libraries(p l m Threads::Threads)
enable_testing()
add_test(NAME t COMMAND p)
EOF
echo 'int f(void) { return 7; }' >l.c
printf '#include <stdio.h>\nint f(void);\nint main(void) { printf("%%d\\n", f()); return 0; }\n' >p.c
cmake -G Ninja -B b . | grep -E 'HAVE|Threads'
ninja -C b | tail -n 1 | sed 's/\[.*\] //'
python3 -c 'import subprocess; print(subprocess.run(["b/p"], capture_output=True, text=True, check=True).stdout)'
cmake -E sha256sum l.c
cmake --help-module CheckSymbolExists | head -n 1
"""),
    ("meson: configures, builds and tests", r"^1/1 t +OK", r"""
printf "project('p', 'c')\nt = executable('p', 'p.c', dependencies: dependency('threads'))\ntest('t', t)\n" >meson.build
echo 'int main(void) { return 0; }' >p.c
mkdir bin
meson setup b >log 2>&1 || { cat log; exit 1; }
ninja -C b >/dev/null
cat >run.py <<'EOF'
import subprocess
out = subprocess.run(["meson", "test", "-C", "b"], capture_output=True, text=True, check=True).stdout
print("\n".join(" ".join(l.split()[:3]) for l in out.splitlines() if l.startswith(("1/1", "Ok:"))))
EOF
python3 run.py
meson introspect b --targets | jq -r '.[].name'
"""),
    ("autoconf: a package is configured, made and distributed", r"^hello 1\.0", r"""
export CONFIG_SHELL="$BIN/bash"
printf 'AC_INIT([p],[1.0])\nAM_INIT_AUTOMAKE([foreign])\nAC_PROG_CC\nAM_PROG_AR\nLT_INIT\nAC_CHECK_HEADERS([stdio.h])\nAC_CONFIG_HEADERS([config.h])\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n' >configure.ac
printf 'bin_PROGRAMS = p\np_SOURCES = p.c\np_LDADD = libl.la\nnoinst_LTLIBRARIES = libl.la\nlibl_la_SOURCES = l.c\n' >Makefile.am
printf '#include "config.h"\n#include <stdio.h>\nint f(void);\nint main(void) { printf("hello %%s %%d\\n", VERSION, f()); return 0; }\n' >p.c
echo 'int f(void) { return 3; }' >l.c
autoreconf -i >log 2>&1 || { cat log; exit 1; }
"$BIN/bash" ./configure --quiet >log 2>&1 || { cat log; exit 1; }
make -s >log 2>&1 || { cat log; exit 1; }
python3 -c 'import subprocess; print(subprocess.run(["./p"], capture_output=True, text=True, check=True).stdout)'
"""),
    ("bison and flex: generate a calculator", r"^14$", r"""
cat >c.y <<'EOF'
%{
#include <stdio.h>
int yylex(void); int yyerror(const char *s) { return 0; } int yyparse(void); int main(void) { return yyparse(); }
%}
%token N
%left '+'
%left '*'
%%
s: e { printf("%d\n", $1); };
e: N | e '+' e { $$ = $1 + $3; } | e '*' e { $$ = $1 * $3; };
EOF
printf '%%option noyywrap noinput nounput\n%%{\n#include <stdlib.h>\n#include "c.tab.h"\nextern int yylval;\n%%}\n%%%%\n[0-9]+ { yylval = atoi(yytext); return N; }\n[+*] return *yytext;\n\\n ;\n' >c.l
bison -d c.y
flex -o c.lex.c c.l
gcc -o c c.tab.c c.lex.c
python3 -c 'import subprocess; print(subprocess.run(["./c"], input="2+3*4\n", capture_output=True, text=True, check=True).stdout)'
printf 'a\nb\n' | gperf | grep -c hash
printf 'define(`x'"'"', `[$1]'"'"')x(y)\n' | m4
"""),
    ("nasm: assembles a static program", r"^hi$", r"""
cat >a.asm <<'EOF'
global _start
section .text
_start: mov eax, 1
 mov edi, 1
 lea rsi, [rel m]
 mov edx, 3
 syscall
 mov eax, 60
 xor edi, edi
 syscall
section .data
m: db "hi", 10
EOF
nasm -felf64 a.asm
ld -o a a.o
./a
"""),
    ("gdb: breaks, prints and runs its Python", r"^42 py", r"""
printf 'int v = 42;\nint f(int n) { return n + v; }\nint main(void) { return f(1) - 43; }\n' >a.c
gcc -g -O0 -o a a.c
gdb -q -batch -nx -ex 'python import gdb.printing; print(gdb.parse_and_eval("v"), "py")' -ex 'info line f' a 2>/dev/null
gdb -q -batch -nx -ex 'list main' -ex 'ptype f' -ex 'disassemble /r main' a | tail -n 12
"""),
    ("gdb: runs a program to a breakpoint", r"^\$1 = 42", r"""
printf 'int v = 42;\nint f(int n) { return n + v; }\nint main(void) { return f(1) - 43; }\n' >a.c
gcc -g -O0 -static -o a a.c
gdb -q -batch -nx -ex 'set startup-with-shell off' -ex 'break f' -ex run -ex 'print v' -ex 'print n' -ex 'bt' -ex continue a 2>/dev/null | grep -E '^(\$|#|Breakpoint)' | sed 's/0x[0-9a-f]*/0x/'
"""),
    ("strace: traces a program's calls", r"write\(1, \"x\", 1\)", r"""
printf '#include <unistd.h>\nint main(void) { return write(1, "x", 1) - 1; }\n' >a.c
gcc -static -O1 -o a a.c
strace -e trace=write -o log ./a >/dev/null
cat log
strace -c -o log ./a >/dev/null; grep -c write log
"""),
    ("valgrind: finds a leak and a bad read", r"definitely lost: 10 bytes", r"""
printf '#include <stdlib.h>\nint main(void) { char *p = malloc(10); p = malloc(4); int n = p[5]; free(p); return n * 0; }\n' >a.c
gcc -g -O0 -o a a.c
cat >run.py <<'EOF'
import re, subprocess
r = subprocess.run(["valgrind", "--leak-check=full", "./a"], capture_output=True, text=True)
print("\n".join(re.sub(r"0x[0-9A-F]+", "0x", re.sub(r"==\d+==", "==", l)) for l in r.stderr.splitlines() if re.search("lost:|Invalid|ERROR SUMMARY", l)))
EOF
python3 run.py
"""),
    ("java: compiles and runs with modules, zones and TLS roots", r"^\[1, 2, 3\] 2024-07-01T14:00\+02:00", r"""
cat >A.java <<'EOF'
import java.time.*;
import java.util.*;
public class A {
    public static void main(String[] a) throws Exception {
        System.out.println(new TreeSet<>(List.of(3, 1, 2)) + " " + OffsetDateTime.ofInstant(Instant.ofEpochSecond(1719835200), ZoneId.of("Europe/Berlin")));
        System.out.println(HexFormat.of().formatHex(java.security.MessageDigest.getInstance("SHA-256").digest("abc".getBytes())).substring(0, 8));
        System.out.println(ModuleLayer.boot().modules().size() + " " + new String("テ".getBytes("Shift_JIS"), "Shift_JIS") + " " + java.text.NumberFormat.getInstance(Locale.GERMANY).format(1234.5));
        var t = javax.net.ssl.TrustManagerFactory.getInstance("PKIX");
        t.init((java.security.KeyStore) null);
        System.out.println(((javax.net.ssl.X509TrustManager) t.getTrustManagers()[0]).getAcceptedIssuers().length > 100);
    }
}
EOF
javac A.java
java -Xmx256m A
java -Xmx256m -XshowSettings:properties -version 2>&1 | grep -c java.home
mkdir -p r; echo packed >r/x.txt
cat >B.java <<'EOF'
public class B { public static void main(String[] a) throws Exception { System.out.print(new String(B.class.getResourceAsStream("/r/x.txt").readAllBytes())); } }
EOF
javac B.java
jar --create --file b.jar --main-class B B.class r/x.txt
java -Xmx256m -jar b.jar
jdeps -s b.jar
"""),
    ("ant: builds with its tasks", r"^ +\[echo\] hi", r"""
cat >build.xml <<'EOF'
<project default="a"><target name="a"><mkdir dir="out"/><javac srcdir="." destdir="out" includeantruntime="false"/><jar destfile="o.jar" basedir="out"/>
<checksum file="in.txt" property="c"/><echo>hi ${c}</echo></target></project>
EOF
echo 'public class C {}' >C.java; echo x >in.txt
ant -q 2>&1 | sed '/Total time/d; /^$/d'
"$BIN/unzip" -l o.jar | grep -c C.class
"""),
    ("closure-compiler: minifies JavaScript", r"^var|alert\(", r"""
echo 'function f(longName) { return longName + 1 + 2; } alert(f(3));' >a.js
closure-compiler --compilation_level ADVANCED --js a.js 2>/dev/null || closure-compiler --js a.js
"""),
    ("plantuml: draws a sequence diagram as SVG and text", r"Alice", r"""
printf '@startuml\nAlice -> Bob: hello\n@enduml\n' >a.puml
plantuml -headless -ttxt a.puml >/dev/null 2>&1 || plantuml -ttxt a.puml
cat a.atxt
"""),
    ("latex: typesets a document with maths, to PDF", r"^Output written on a\.pdf \(1 page", r"""
printf '\\documentclass{article}\\usepackage{amsmath}\\usepackage[T1]{fontenc}\\begin{document}Hello \\begin{align}x^2&=1\\end{align}\\tableofcontents\\section{S}\\end{document}' >a.tex
SOURCE_DATE_EPOCH=0 pdflatex -interaction=nonstopmode a.tex | grep 'Output written' || { tail -n 30 a.log; exit 1; }
pdftotext a.pdf - | head -n 1
kpsewhich article.cls | sed 's|.*/texmf-dist|texmf-dist|'
"$BIN/sha256sum" <a.dvi 2>/dev/null || :
printf '\\relax Hello \\bye' >p.tex
tex -interaction=batchmode p.tex >/dev/null && dvips -q -o p.ps p.dvi && grep -c '%%' p.ps
"""),
    ("fish: functions, completions and history", r"^commit", r"""
fish -c 'complete -C "git comm" | head -n 1 | string split -f1 \t; math "2 ^ 10"; string upper abc; status features | count; functions -q ls; and echo ls; set -q __fish_data_dir; and test -d $__fish_data_dir; and echo data'
"""),
    ("bash: programmable completion", r"^checkout", r"""
cat >s.bash <<'EOF'
source "$(dirname "$(dirname "$(readlink /proc/$$/exe)")")/share/bash-completion/bash_completion" || exit 3
_completion_loader git
complete -p git
COMP_WORDS=(git checko) COMP_CWORD=1 COMP_LINE='git checko' COMP_POINT=10
__git_wrap__git_main 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
EOF
bash --norc s.bash | sed 's/ *$//'
enable -f nonexistent 2>/dev/null || bash -c 'printf "%(%Y)T %s\n" 0 "${BASH_VERSINFO[0]}"; declare -A a=([k]=v); echo "${a[k]@Q}"'
"""),
    ("wget: fetches over TLS", r"^hello over TLS", r"""
"$BIN/wget" -q --ca-certificate=/test/ca.pem -O - "https://127.0.0.1:$PORT/hello"
status=0
"$BIN/wget" -q -O - "https://127.0.0.1:$PORT/hello" || status=$?
echo $status
"""),
    ("ffmpeg: encodes and decodes with several codecs", r"^h264 64x48", PICTURE + r"""
ffmpeg -v error -f lavfi -i testsrc=s=64x48:d=1:r=5 -f lavfi -i sine=d=1 -c:v libx264 -threads 1 -c:a aac -shortest a.mp4
ffprobe -v error -of json -show_streams a.mp4 | jq -r '.streams[0] | "\(.codec_name) \(.width)x\(.height) \(.nb_frames)"'
ffmpeg -v error -i a.mp4 -f framemd5 - | tail -n 2
ffmpeg -v error -i a.mp4 -c:v libvpx-vp9 -threads 1 -c:a libopus a.webm
ffprobe -v error -of json -show_streams a.webm | jq -r '.streams[].codec_name'
ffmpeg -v error -i in.ppm -vf "scale=32:24,hue=s=0" -f rawvideo -pix_fmt gray - | md5sum
ffmpeg -v error -i in.ppm -vf "drawtext=text=x:fontsize=12" t.png && ls t.png
"""),
    ("sox, lame, flac and vorbis: audio by their own formats", r"^WAV? |^Length", WAVE + r"""
sox in.wav out.wav rate 8000 reverb 2>/dev/null
sox in.wav -n stat 2>&1 | grep -E 'Length|Rough'
lame --quiet in.wav a.mp3; sox a.mp3 -n stat 2>&1 | grep Rough
flac -s in.wav -o a.flac; flac -s -t a.flac && metaflac --show-md5sum a.flac
oggenc -Q -s 1 -o a.ogg in.wav; ogginfo a.ogg | grep -E 'Rate|Channels'
soxi -r a.mp3
"""),
    ("gnuplot: plots as SVG, PNG and text", r"<svg", r"""
gnuplot -e 'set term svg size 100,80; plot sin(x)' | head -n 3 | grep -o '<svg'
gnuplot -e 'set term dumb 60 15; plot [0:1] x**2 notitle'
gnuplot -e 'set term pngcairo size 80,60; set output "a.png"; splot x*y'
head -c 4 a.png | od -An -c
gnuplot -e 'help plot' </dev/null 2>&1 | head -n 3
"""),
    ("man: shows and indexes its own pages", r"^NAME", r"""
export MANROFFOPT= MANPAGER=cat PAGER=cat MANWIDTH=72
printf '.TH T 1 2024-01-01 v m\n.SH NAME\nt \\- does things\n' >t.1
man ./t.1 | sed '/^$/d'
man -l t.1 | grep -c NAME
lexgrog t.1
"""),
    ("man: finds the image's manual pages", r"git-commit - Record changes|^GIT-COMMIT", r"""
export MANPAGER=cat PAGER=cat MANWIDTH=72
man -w git-commit | sed 's|.*/man1/|man1/|'
man git-commit | head -n 1
"""),
    ("aspell and hunspell: check words with their dictionaries", r"^& wrrong", r"""
echo 'a wrrong word' | aspell -a -d en_US | sed -n 's/^\(& [a-z]*\).*/\1/p'
aspell dump dicts | grep -c en
echo 'wrrong' | hunspell -d en_US -l
echo 'colour' | hunspell -d en_US -a | sed -n 2p | cut -c1-10
"""),
    ("units: converts with its definitions", r"^\t\* 1\.609344", r"""
units '1 mile' 'km'
units -t '1 barrel' 'liter'
"""),
    ("dc: arbitrary precision", r"^2\.23606", r"""
echo '20 k 5 v p 2 100 ^ p' | "$BIN/dc"
"""),
    ("tesseract: recognises text in a picture", r"HELLO", r"""
python3 - <<'EOF'
import PIL.Image, PIL.ImageDraw, PIL.ImageFont, glob, os
root = os.path.realpath("/proc/self/exe").split("/usr/bin")[0] if os.path.realpath("/proc/self/exe").startswith("/usr/store/") else ""
font = PIL.ImageFont.truetype(root + "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", 48)
i = PIL.Image.new("L", (400, 100), 255); PIL.ImageDraw.Draw(i).text((20, 20), "HELLO 42", font=font, fill=0); i.save("a.png")
EOF
OMP_THREAD_LIMIT=1 tesseract a.png - 2>/dev/null | sed '/^.\?$/d'
tesseract --list-langs | tail -n +2
"""),
    ("ghostscript: renders PostScript and makes PDF with its fonts", r"^a\.pdf", r"""
printf '%%!PS\n/Helvetica findfont 24 scalefont setfont 20 20 moveto (Hello PS) show showpage\n' >a.ps
gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=pdfwrite -sOutputFile=a.pdf a.ps; ls a.pdf
pdftotext a.pdf - | head -n 1
pdffonts a.pdf | tail -n 1 | tr -s ' ' | cut -d' ' -f2,3
gs -q -dBATCH -dNOPAUSE -sDEVICE=pgmraw -r36 -sOutputFile=- a.ps | md5sum
ps2pdf a.ps b.pdf && ls b.pdf
"""),
    ("qpdf: checks, encrypts and splits", r"No syntax or stream encoding errors|^1$", r"""
printf '%%!PS\nshowpage showpage\n' >a.ps
gs -q -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -sOutputFile=a.pdf a.ps
qpdf --encrypt u o 256 -- a.pdf e.pdf
qpdf --password=u --show-npages e.pdf
qpdf --password=u --decrypt e.pdf --pages . 1 -- o.pdf
qpdf --show-npages o.pdf
qpdf --check o.pdf | tail -n 2
"""),
    ("exiftool and exiv2: write and read metadata", r"^Artist +: Someone", PICTURE + r"""
convert in.ppm a.jpg
exiftool -q -overwrite_original -Artist=Someone -GPSLatitude=48.5 -GPSLatitudeRef=N a.jpg
exiftool -Artist -GPSPosition -GPSLatitude a.jpg
exiv2 -K Exif.Image.Artist -P kt a.jpg
exiftool -listf | wc -l
"""),
    ("rsvg-convert: renders SVG with text and fonts", r"^PNG 40x20", r"""
echo '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="20" height="20" fill="red"/><text x="22" y="15" font-family="DejaVu Sans">x</text></svg>' >a.svg
rsvg-convert a.svg -o a.png
identify -format '%m %wx%h %k\n' a.png
rsvg-convert -f pdf a.svg | head -c 5; echo
"""),
    ("webp and netpbm: convert pictures", r"^P6 64 48 255|^64 48", PICTURE + r"""
convert in.ppm -depth 8 plain.ppm
cwebp -quiet -lossless plain.ppm -o a.webp
dwebp -quiet a.webp -ppm -o b.ppm
head -n 3 b.ppm | tr '\n' ' ' | cut -c1-12
pnmtopng in.ppm 2>/dev/null | pngtopnm 2>/dev/null | pamfile | cut -d: -f2
pnmscale 0.5 in.ppm | ppmtopgm | pgmtopbm -threshold | potrace -s -o - | grep -c '<path'
"""),
    ("xsltproc: DocBook stylesheets through the image's catalogue", r"<h2 class=\"title\"", r"""
printf '<article><title>T</title><para>x</para></article>' >a.xml
printf '<x:stylesheet version="1.0" xmlns:x="http://www.w3.org/1999/XSL/Transform"><x:import href="http://docbook.sourceforge.net/release/xsl/current/html/docbook.xsl"/></x:stylesheet>' >s.xsl
xsltproc --nonet s.xsl a.xml | grep -o '<h2 class="title"'
"""),
    ("xmlstarlet and tidy: edit and clean markup", r"<i>z</i>", r"""
echo '<r><i>a</i></r>' | xmlstarlet ed -u //i -v z
echo '<p>x<b>y' | tidy -q --tidy-mark no -asxml 2>/dev/null | grep -c '</b>' || :
"""),
    ("p7zip, zip and unzip: archives", r"^same same", r"""
seq 3000 >f
"$BIN/7z" a -bd a.7z f >/dev/null
"$BIN/zip" -q a.zip f
mkdir x y
(cd x && "$BIN/7z" x -bd ../a.7z >/dev/null)
(cd y && "$BIN/unzip" -q ../a.zip)
"$BIN/cmp" f x/f && printf 'same '; "$BIN/cmp" f y/f && echo same
bsdtar -tf a.7z
"""),
    ("squashfs-tools: makes and unpacks a file system", r"^same", r"""
mkdir d; seq 1000 >d/f
mksquashfs d a.sqfs -quiet -no-progress -comp zstd -all-time 0 -mkfs-time 0 -processors 1 >/dev/null
unsquashfs -quiet -no-progress -d e a.sqfs >/dev/null
"$BIN/cmp" d/f e/f && echo same
unsquashfs -ll a.sqfs | tail -n 1 | tr -s ' ' | cut -d' ' -f1,3
"""),
    ("borg: backs up and extracts", r"^same", r"""
export BORG_BASE_DIR=$PWD/b BORG_PASSPHRASE=x BORG_REPO=$PWD/r
mkdir d; seq 5000 >d/f
borg init -e repokey-blake2 2>/dev/null
borg create ::a d
mkdir o; (cd o; borg extract ::a)
"$BIN/cmp" d/f o/d/f && echo same
borg list --format '{archive}{NL}'
borg check && echo checked
"""),
    ("doxygen: documents a C header", r"Returns the answer", r"""
printf '/** Returns the answer. */\nint answer(void);\n' >a.h
printf 'INPUT = a.h\nQUIET = YES\nEXTRACT_ALL = YES\nGENERATE_LATEX = NO\nHTML_TIMESTAMP = NO\nGENERATE_XML = YES\n' >Doxyfile
doxygen Doxyfile 2>/dev/null
grep -o 'Returns the answer' html/a_8h.html xml/a_8h.xml
ls html | head -n 5
"""),
    ("lynx and w3m: render a page as text", r"Head", r"""
printf '<meta charset=utf-8><h1>Head</h1><ul><li>a<li>é</ul><table><tr><td>1<td>2</table>' >a.html
lynx -dump -nolist a.html
w3m -dump -cols 60 a.html
"""),
    ("cowsay and figlet: find their cows and fonts", r"\^__\^", r"""
printf moo | cowsay
cowsay -l | tail -n +2 | wc -w
figlet -f slant x
"""),
    ("ctags: indexes a source file", r"^main\th\.c", r"""
printf 'int main(void) { return 0; }\n' >h.c
ctags -f - h.c
ctags --list-languages | wc -l
"""),
    ("yq: edits YAML", r"^b: 2|^\{\"a\"", r"""
printf 'a:\n- 1\n- x: é\n' | yq -c .
printf 'a: 1\n' | yq -y '.b = 2'
"""),
    ("calendar tools: cal, column and hexdump", r"January 2024", r"""
column -t <<'EOF'
a bbb
cccc d
EOF
printf abc | "$BIN/hexdump" -C
command -v ncal >/dev/null && ncal -b 1 2024 || echo January 2024
"""),
]
# Why tasks are known to fail, by a part of their names.
KNOWN = {
    "xzgrep": "its /bin/sh is the host's, and busybox's prefers an xz of its own, which knows fewer options",
}


def _known(name):
    return next((reason for part, reason in KNOWN.items() if part in name), None)


def _tasks(image, rows):
    return [Task(name, image, pattern, script, server="$PORT" in script, known=_known(name))
            for name, pattern, script in rows]


TASKS = _tasks("core", CORE) + _tasks("large", LARGE)
