"""Tasks of the breadth matrix for servers, and for what stands between programs and the system they run on:
PAM, name services, units, users. Servers listen on the loopback interface of the task's own network.

The root's /etc plays the host: what an administrator would write there, the task writes, in every root alike.
"""

from .tasks import Task

# Waits until a command succeeds. USR is where the image's usr is, as its own programs see it: in a
# configuration, a module that is named by its whole path is named by that.
SETUP = r"""
wait_for() { n=0; until "$@" >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 300 ] || { echo "gave up: $*" >&2; return 1; }; sleep 0.1; done; }
USR=$("$BIN/dash" -c 'set -- /usr/store/*-services-*/usr; if [ -d "$1" ]; then echo "$1"; else echo /usr; fi')
printf '%s\n' "127.0.0.1 localhost $(uname -n)" '::1 localhost' >/etc/hosts
# What the host's administrator does, with the host's own tools.
host() { PATH=/usr/bin:/bin:/usr/sbin:/sbin "$@"; }
moved() { sed "s|/usr/store/[^/ ]*/usr|/usr|g; s|/usr/store/[^/ ]*/|/|g"; }
"""
# Some servers refuse to run as root.
NOBODY = SETUP + r"""
mkdir -m 777 data
as_nobody() { "$BIN/setpriv" --reuid 65534 --regid 65534 --clear-groups "$@"; }
"""
CERTIFICATE = r"""
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost 2>/dev/null
cat key.pem cert.pem >both.pem
"""
# A user of the host, with a password and a key.
ALICE = r"""
printf '%s\n' 'alice:x:1234:1234::/tmp/alice:/bin/sh' 'sshd:x:74:65534::/run/sshd:/bin/false' >>/etc/passwd
printf '%s\n' 'alice:x:1234:' >>/etc/group
printf 'root:*:19000:0:99999:7:::\nalice:%s:19000:0:99999:7:::\n' "$(openssl passwd -6 -salt abcdefgh secret)" >/etc/shadow
host chmod 600 /etc/shadow
host mkdir -p /etc/pam.d
mkdir /tmp/alice
# Without this, libpam starts for no service.
printf '%s\n' 'auth required pam_deny.so' 'account required pam_deny.so' 'password required pam_deny.so' \
    'session required pam_deny.so' >/etc/pam.d/other
chown 1234:1234 /tmp/alice
"""

POSTGRESQL = r"""
export PGHOST="$PWD/data" PGUSER=nobody PGDATABASE=postgres
as_nobody "$USR/lib/postgresql/15/bin/initdb" -D data/db -U nobody --locale=C.UTF-8 --auth=trust | sed -n 's/^The database cluster.*/initialised/p'
as_nobody "$USR/lib/postgresql/15/bin/pg_ctl" -D data/db -w -l data/log -o "-k $PWD/data -c listen_addresses=" start | tail -n 1
trap 'as_nobody "$USR/lib/postgresql/15/bin/pg_ctl" -D data/db -m fast stop | tail -n 1' EXIT
"""

# Why a task is known to fail somewhere.
KNOWN = {}

TASKS = [Task(name, "services", pattern, script, known=KNOWN.get(name)) for name, pattern, script in [
    ("postgresql: initdb, start, queries and PL/pgSQL", r"^6765$", NOBODY + POSTGRESQL + r"""
psql -X -q -At <<'END'
create table t(id serial primary key, name text, at timestamptz default '2024-07-01 12:00+00');
insert into t(name) values ('a'), ('b'), ('ü');
set timezone = 'Europe/Berlin';
select id, upper(name), at from t order by name collate "C" desc;
create function fib(n int) returns bigint language plpgsql as $$
declare a bigint := 0; b bigint := 1; t bigint;
begin for i in 1..n loop t := a + b; a := b; b := t; end loop; return a; end $$;
select fib(20);
select to_tsvector('english', 'running dogs ran') @@ to_tsquery('english', 'run & dog');
select count(*) > 100 from pg_timezone_abbrevs;
END
pg_dump -t t | grep -c 'COPY public.t'
"""),
    ("postgresql: extensions by dlopen, ICU collation, backup and restore", r"^t\|ba7816bf", NOBODY + POSTGRESQL + r"""
psql -X -q -At <<'END'
create extension pg_trgm; create extension pgcrypto; create extension hstore; create extension postgres_fdw;
create extension "uuid-ossp"; create extension xml2; create extension unaccent;
select similarity('postgres', 'postgras') > 0.4, encode(digest('abc', 'sha256'), 'hex');
select ('a=>1'::hstore -> 'a')::int + 1, unaccent('Hôtel'), uuid_generate_v5(uuid_ns_dns(), 'example.org');
select string_agg(x, '' order by x collate "de-x-icu") from unnest(array['z', 'ä', 'a', 'Z']) x;
select xpath_string('<a><b>1</b></a>', '/a/b');
create table big as select g, md5(g::text) m from generate_series(1, 5000) g;
END
pg_dump -Fc postgres >data/dump
createdb copy
pg_restore -d copy data/dump
psql -X -At -d copy -c 'select count(*), min(m) from big'
pgbench -i -q copy >/dev/null 2>&1
pgbench -n -t 20 copy | sed -n 's/^number of transactions actually processed: /pgbench /p'
"""),
    ("postgresql: pg_virtualenv makes a cluster through Debian's wrappers", r"^2 main", NOBODY + r"""
# It keeps its own notes about clusters in the host's /etc and /var/log.
host mkdir -p /etc/postgresql-common /var/log/postgresql
host chmod 777 /var/log/postgresql
echo 'postgres:x:126:65534::/tmp:/bin/sh' >>/etc/passwd
echo 'postgres:x:126:' >>/etc/group
cd data
export TMPDIR="$PWD" HOME="$PWD" USER=nobody
as_nobody "$(command -v pg_virtualenv)" -v 15 -t dash -c \
    'psql -X -At -c "select 1 + 1, current_setting(\$\$cluster_name\$\$)" | sed "s|[|]15/regress|x|"; echo "2 main"'
"""),
    ("mariadb: makes a data directory, runs SQL", r"^3\tc", NOBODY + r"""
as_nobody "$(command -v mariadb-install-db)" --no-defaults --datadir="$PWD/data/db" --auth-root-authentication-method=normal \
    --skip-test-db --force >data/log 2>&1 || { cat data/log; exit 1; }
as_nobody "$(command -v mariadbd)" --no-defaults --datadir="$PWD/data/db" --socket="$PWD/data/s" --skip-networking \
    --pid-file="$PWD/data/pid" >data/out 2>&1 &
mariadb() { command mariadb --no-defaults -uroot --socket="$PWD/data/s" "$@"; }
wait_for mariadb -e 'select 1' || { cat data/out; exit 1; }
mariadb -N <<'END'
create database d character set utf8mb4; use d;
create table t(id int auto_increment primary key, name varchar(20)) engine=InnoDB;
insert into t(name) values ('a'), ('b'), ('c');
select * from t; select json_value('{"a": [1, 2]}', '$.a[1]'), regexp_replace('aXb', '[A-Z]', '-'), sha2('abc', 256);
select count(*) from information_schema.engines; select group_concat(seq) from seq_1_to_5;
END
mariadb -e 'select 1 from d.nowhere' 2>&1 || true
mariadb -e shutdown
wait
"""),
    ("redis: sets, scripts, saves and comes back", r"^value$", SETUP + r"""
start() { redis-server --port 7777 --dir "$PWD" --save '' --daemonize yes --logfile log --pidfile pid >/dev/null
    wait_for redis-cli -p 7777 ping; }
start
redis-cli -p 7777 set key value
redis-cli -p 7777 eval 'return {KEYS[1], redis.call("get", KEYS[1]), cjson.encode({1, 2})}' 1 key
redis-cli -p 7777 geoadd g 13.361389 38.115556 a 15.087269 37.502669 b
redis-cli -p 7777 geodist g a b km
redis-cli -p 7777 shutdown save
wait_for test ! -e pid
redis-check-rdb dump.rdb | grep -c 'RDB looks OK'
start
redis-cli -p 7777 get key
redis-cli -p 7777 shutdown nosave
"""),
    ("nginx: serves a file, compressed and over TLS, with a dynamic module", r"^echoed /e\?x", SETUP + CERTIFICATE + r"""
mkdir www tmp
chmod 755 /tmp/home
printf 'hello from nginx, %s\n' aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa >www/a.txt
cat >nginx.conf <<END
load_module modules/ngx_http_echo_module.so;
user nobody nogroup; pid $PWD/pid; error_log $PWD/error.log;
events {}
http { types { text/plain txt; } access_log off; client_body_temp_path $PWD/tmp/a; proxy_temp_path $PWD/tmp/b; fastcgi_temp_path $PWD/tmp/c;
  uwsgi_temp_path $PWD/tmp/d; scgi_temp_path $PWD/tmp/e;
  server { listen 127.0.0.1:8080; listen 127.0.0.1:8443 ssl; ssl_certificate $PWD/cert.pem; ssl_certificate_key $PWD/key.pem;
    root $PWD/www; gzip on; gzip_min_length 1; gzip_types text/plain;
    location /e { echo "echoed \$request_uri"; } location /p { proxy_pass http://127.0.0.1:8080/a.txt; } } }
END
nginx -t -c "$PWD/nginx.conf" 2>&1 | sed "s|$PWD|.|g"
nginx -c "$PWD/nginx.conf"
wait_for test -s pid
curl -sS http://127.0.0.1:8080/a.txt
curl -sS --compressed -D - -o out http://127.0.0.1:8080/a.txt | grep -i 'content-encoding\|content-type'
cat out
curl -sS --cacert cert.pem https://localhost:8443/p
curl -sS 'http://127.0.0.1:8080/e?x'
curl -sS -o - -w '%{http_code}\n' http://127.0.0.1:8080/none
nginx -c "$PWD/nginx.conf" -s quit
"""),
    ("apache2: loads modules, serves a directory and a CGI script", r"^cgi of GET", SETUP + r"""
mkdir www cgi
chmod 755 /tmp/home
echo 'hello from Apache' >www/a.txt
printf '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\ncgi of %%s\\n" "$REQUEST_METHOD"\n' >cgi/x
chmod 755 cgi/x
cat >apache.conf <<END
ServerRoot $USR/lib/apache2
ServerName localhost
Listen 127.0.0.1:8080
User nobody
Group nogroup
PidFile $PWD/pid
ErrorLog $PWD/error.log
DefaultRuntimeDir $PWD
END
for m in mpm_prefork authz_core dir alias cgi autoindex rewrite deflate filter mime; do
    echo "LoadModule ${m}_module modules/mod_$m.so" >>apache.conf
done
cat >>apache.conf <<END
TypesConfig /dev/null
DocumentRoot $PWD/www
ScriptAlias /cgi $PWD/cgi
RewriteEngine on
RewriteRule ^/old$ /a.txt [R=302,L]
<Directory $PWD>
Require all granted
Options +Indexes +ExecCGI
</Directory>
END
apache2 -f "$PWD/apache.conf" -t 2>&1
apache2 -f "$PWD/apache.conf" -M | sort
apache2 -f "$PWD/apache.conf" || { cat error.log; exit 1; }
wait_for curl -sf http://127.0.0.1:8080/a.txt || { cat error.log; exit 1; }
curl -sS http://127.0.0.1:8080/a.txt
curl -sSL http://127.0.0.1:8080/old
curl -sS http://127.0.0.1:8080/cgi/x
curl -sS http://127.0.0.1:8080/ | grep -o 'href="a.txt"'
apache2 -f "$PWD/apache.conf" -k stop
"""),
    ("lighttpd: finds its modules; haproxy stands before it", r"^via haproxy", SETUP + CERTIFICATE + r"""
mkdir www
echo 'hello from lighttpd' >www/index.html
cat >l.conf <<END
server.modules = ("mod_indexfile", "mod_access", "mod_alias", "mod_setenv", "mod_dirlisting", "mod_staticfile", "mod_deflate")
server.document-root = "$PWD/www"
server.bind = "127.0.0.1"
server.port = 8081
index-file.names = ("index.html")
setenv.add-response-header = ("X-Test" => "set")
deflate.allowed-encodings = ("gzip")
deflate.mimetypes = ("text/")
mimetype.assign = (".html" => "text/html")
END
lighttpd -tt -f l.conf
lighttpd -f l.conf
cat >h.cfg <<END
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend f
  bind 127.0.0.1:8082 ssl crt $PWD/both.pem
  http-response set-header x-via "via haproxy"
  default_backend b
backend b
  server s 127.0.0.1:8081
END
haproxy -c -q -f h.cfg
haproxy -D -q -f h.cfg
wait_for curl -sf --cacert cert.pem https://localhost:8082/
curl -sS --compressed --cacert cert.pem -D - https://localhost:8082/ | tr -d '\r' | grep -v -i '^date\|^etag\|^last-m' >out
grep -i '^x-test\|^content-enc\|hello' out
sed -n 's/^x-via: //p' out
"""),
    ("samba: a share is served, written and listed", r"a\.txt +[NA] +5", SETUP + r"""
mkdir share priv state
chmod 777 share
cat >smb.conf <<END
[global]
workgroup = TEST
netbios name = ROOM
server role = standalone server
interfaces = lo
bind interfaces only = yes
smb ports = 4450
map to guest = bad user
guest account = nobody
private dir = $PWD/priv
lock directory = $PWD/state
state directory = $PWD/state
cache directory = $PWD/state
pid directory = $PWD/state
ncalrpc dir = $PWD/state/nc
log file = $PWD/log
load printers = no
disable spoolss = yes
[share]
path = $PWD/share
guest ok = yes
read only = no
vfs objects = full_audit recycle
END
testparm -s --parameter-name=workgroup smb.conf 2>/dev/null
testparm -s smb.conf 2>/dev/null | grep -A 9 '^\[share' | sed "s|$PWD|.|"
printf 'secret\nsecret\n' | smbpasswd -c "$PWD/smb.conf" -s -a root >/dev/null
pdbedit -s "$PWD/smb.conf" -L
smbd -D -s "$PWD/smb.conf"
echo text >a.txt
client() { smbclient "//127.0.0.1/share" -p 4450 -s "$PWD/smb.conf" "$@" 2>&1; }
wait_for client -N -c ls || { client -N -c ls; cat log; exit 1; }
client -N -c 'put a.txt; ls' | sed 's/  *[A-Z][a-z][a-z] [A-Z].*//; /blocks of size/d; s/ (.*//'
client -U root%secret -m SMB3 -c 'mkdir d; cd d; put ../../nowhere x' | sed 's/(.*//' || true
client -U root%secret -c 'get a.txt b.txt' | sed 's/ (.*//'
cat b.txt
client -U root%wrong -c ls || true
smbclient -L 127.0.0.1 -p 4450 -s "$PWD/smb.conf" -N -g | sort
kill "$(cat state/smbd.pid)"
"""),
    ("samba: provisions a domain with its database modules", r"^dn: CN=Administrator", SETUP + r"""
"$BIN/getent" group users >/dev/null || echo 'users:x:100:' >>/etc/group
samba-tool domain provision --realm=EXAMPLE.TEST --domain=EXAMPLE --adminpass=Passw0rd.1 --targetdir="$PWD/ad" \
    --server-role=dc --use-rfc2307 --dns-backend=SAMBA_INTERNAL --host-name=room --host-ip=127.0.0.1 \
    --option='vfs objects=dfs_samba4 acl_xattr xattr_tdb' >log 2>&1 || { cat log; exit 1; }
grep -c 'A Kerberos configuration suitable' log
samba-tool user list -H "$PWD/ad/private/sam.ldb" | sort
samba-tool user create bob Passw0rd.2 -H "$PWD/ad/private/sam.ldb"
samba-tool user show Administrator -H "$PWD/ad/private/sam.ldb" | grep '^dn'
"""),
    ("rpcbind: is asked by rpcinfo", r"portmapper", SETUP + r"""
host mkdir -p /run/rpcbind
printf 'sunrpc 111/tcp portmapper\nsunrpc 111/udp portmapper\n' >/etc/services
printf 'tcp 6 TCP\nudp 17 UDP\n' >/etc/protocols
printf 'portmapper 100000 portmap sunrpc rpcbind\nmountd 100005 mount showmount\n' >/etc/rpc
echo '_rpc:x:111:65534::/run/rpcbind:/bin/false' >>/etc/passwd
rpcbind -f >log 2>&1 &
wait_for rpcinfo -p 127.0.0.1 || { cat log; rpcinfo -p 127.0.0.1; }
rpcinfo -p 127.0.0.1
rpcinfo -T tcp 127.0.0.1 portmapper 2>&1
showmount -e 127.0.0.1 2>&1 || true
"""),
    ("sshd: key login through PAM, scp, sftp and port forwarding", r"^in alice", SETUP + ALICE + r"""
mkdir -p /run/sshd /tmp/alice/.ssh
ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ecdsa -N '' -C me -f me
cp me.pub /tmp/alice/.ssh/authorized_keys
chown -R 1234:1234 /tmp/alice
chmod 700 /tmp/alice/.ssh
cat >/etc/pam.d/sshd <<END
auth required pam_deny.so
account required pam_unix.so
account required pam_succeed_if.so quiet uid >= 1000
session required pam_unix.so
session required pam_env.so conffile=/tmp/home/pam_env.conf
password required pam_deny.so
END
echo 'FROM_PAM DEFAULT=set' >pam_env.conf
cat >sshd_config <<END
ListenAddress 127.0.0.1:2222
HostKey $PWD/host
PidFile $PWD/pid
UsePAM yes
Subsystem sftp $USR/lib/openssh/sftp-server
END
"$(command -v sshd)" -f "$PWD/sshd_config" -E "$PWD/log"
printf '[127.0.0.1]:2222 %s\n' "$(cut -d' ' -f1,2 host.pub)" >known
options="-o UserKnownHostsFile=$PWD/known -o IdentityFile=$PWD/me -o BatchMode=yes"
wait_for ssh $options -p 2222 alice@127.0.0.1 true || { ssh $options -p 2222 alice@127.0.0.1 true || true; cat log; exit 1; }
ssh $options -p 2222 alice@127.0.0.1 'cd; echo "in ${PWD##*/} as $(id -un), PAM: $FROM_PAM"'
echo content >file
scp -q $options -P 2222 file alice@127.0.0.1:copy
ssh $options -p 2222 alice@127.0.0.1 cat copy
printf 'rename copy other\nls\n' | sftp -q $options -P 2222 -b - alice@127.0.0.1
ssh-keyscan -p 2222 127.0.0.1 2>/dev/null | cut -d' ' -f2
ssh $options -p 2222 root@127.0.0.1 true 2>&1 | sed 's/ (.*//' || true
eval "$(ssh-agent)" >/dev/null
ssh-add -q me
ssh-add -l | cut -d' ' -f1,3-
ssh -o UserKnownHostsFile="$PWD/known" -o BatchMode=yes -p 2222 alice@127.0.0.1 echo by agent
ssh-agent -k >/dev/null
kill "$(cat pid)"
"""),
    ("sshd: password login through pam_unix", r"^keyboard alice", SETUP + ALICE + r"""
mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f host
printf '%s\n' 'auth required pam_unix.so' 'account required pam_unix.so' 'session required pam_unix.so' >/etc/pam.d/sshd
cat >sshd_config <<END
ListenAddress 127.0.0.1:2222
HostKey $PWD/host
PidFile $PWD/pid
UsePAM yes
KbdInteractiveAuthentication yes
END
"$(command -v sshd)" -f "$PWD/sshd_config" -E "$PWD/log"
wait_for test -s pid
printf '#!/bin/sh\necho "$PASSWORD"\n' >ask
chmod 755 ask
export SSH_ASKPASS="$PWD/ask" SSH_ASKPASS_REQUIRE=force
for PASSWORD in secret wrong; do
    export PASSWORD
    ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o NumberOfPasswordPrompts=1 \
        -p 2222 alice@127.0.0.1 'echo "keyboard $(id -un)"' 2>&1 | sed 's/ (.*//'
done
kill "$(cat pid)"
"""),
    ("dnsmasq: answers dig", r"^10\.1\.2\.3$", SETUP + r"""
echo '10.9.9.9 from-hosts.test' >hosts
dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --addn-hosts="$PWD/hosts" --port=5300 --listen-address=127.0.0.1 \
    --bind-interfaces --address=/x.test/10.1.2.3 --txt-record=t.test,some,text --user=root --pid-file="$PWD/pid"
wait_for dig @127.0.0.1 -p 5300 +time=1 x.test
dig @127.0.0.1 -p 5300 +short a.x.test
dig @127.0.0.1 -p 5300 +short from-hosts.test
dig @127.0.0.1 -p 5300 +short t.test txt
dig @127.0.0.1 -p 5300 none.test | grep -o 'status: [A-Z]*'
kill "$(cat pid)"
"""),
    ("unbound: answers from local data, is controlled over TLS", r"^unbound is running", SETUP + r"""
unbound-control-setup -d "$PWD" >/dev/null 2>&1
cat >u.conf <<END
server:
  interface: 127.0.0.1@5301
  username: ""
  chroot: ""
  directory: "$PWD"
  pidfile: "$PWD/pid"
  logfile: "$PWD/log"
  use-syslog: no
  local-zone: "test." static
  local-data: "u.test. IN A 10.2.3.4"
  local-data: "u.test. IN MX 10 mail.test."
remote-control:
  control-enable: yes
  control-interface: 127.0.0.1
  control-port: 8953
  server-key-file: "$PWD/unbound_server.key"
  server-cert-file: "$PWD/unbound_server.pem"
  control-key-file: "$PWD/unbound_control.key"
  control-cert-file: "$PWD/unbound_control.pem"
END
unbound-checkconf u.conf | sed "s|$PWD|.|"
unbound -c "$PWD/u.conf"
wait_for dig @127.0.0.1 -p 5301 +time=1 u.test
dig @127.0.0.1 -p 5301 +short u.test any | sort
unbound-control -c "$PWD/u.conf" local_data v.test. A 10.5.6.7
dig @127.0.0.1 -p 5301 +short v.test
unbound-control -c "$PWD/u.conf" status | sed -n 's/ (pid.*)//; $p'
unbound-control -c "$PWD/u.conf" stop
"""),
    ("named: serves a signed zone with a plugin, takes an update", r"^10\.4\.4\.4$", SETUP + r"""
mkdir -p zones keys
cat >zones/db <<'END'
$TTL 60
@ IN SOA ns.example.test. root.example.test. 1 60 60 60 60
@ IN NS ns
ns IN A 127.0.0.1
www IN A 10.3.3.3
www IN AAAA fd00::1
END
named-checkzone example.test zones/db
tsig-keygen up >key.conf
rndc-confgen -a -c "$PWD/rndc.key" -p 9953 2>/dev/null
cat >named.conf <<END
include "$PWD/key.conf"; include "$PWD/rndc.key";
options { directory "$PWD/zones"; listen-on port 5302 { 127.0.0.1; }; listen-on-v6 { none; }; pid-file "$PWD/pid";
  session-keyfile "$PWD/session.key"; managed-keys-directory "$PWD/keys"; recursion no; key-directory "$PWD/keys"; };
plugin query "filter-aaaa.so" { filter-aaaa-on-v4 yes; };
controls { inet 127.0.0.1 port 9953 allow { localhost; } keys { rndc-key; }; };
zone "example.test" { type primary; file "db"; allow-update { key up; }; };
END
named-checkconf named.conf
named -4 -c "$PWD/named.conf" -L "$PWD/log"
wait_for dig @127.0.0.1 -p 5302 +time=1 www.example.test || { cat log; exit 1; }
dig @127.0.0.1 -p 5302 +short www.example.test
dig @127.0.0.1 -p 5302 +short www.example.test aaaa
printf 'server 127.0.0.1 5302\nzone example.test\nupdate add new.example.test 60 A 10.4.4.4\nsend\n' | nsupdate -k key.conf
dig @127.0.0.1 -p 5302 +short new.example.test
dig @127.0.0.1 -p 5302 +noall +answer example.test axfr | awk '{print $1, $4}' | sort
rndc -k "$PWD/rndc.key" -p 9953 -s 127.0.0.1 status | grep 'number of zones'
dnssec-keygen -q -K keys -a ECDSAP256SHA256 example.test | sed 's/[0-9]*$/N/'
dnssec-signzone -z -S -K keys -o example.test -x -f signed zones/db >log 2>&1 || { cat log; exit 1; }
dnssec-verify -z -o example.test signed 2>&1 | grep -c 'Zone fully signed'
rndc -k "$PWD/rndc.key" -p 9953 -s 127.0.0.1 stop
"""),
    ("pamtester: the image's modules, the host's configuration", r"^pamtester: successfully authenticated", SETUP + ALICE + r"""
cat >/etc/pam.d/test <<END
auth required pam_env.so conffile=/dev/null
auth required pam_listfile.so item=user sense=deny file=/tmp/home/denied onerr=fail
auth sufficient pam_unix.so
auth required pam_deny.so
account required pam_unix.so
password required pam_pwhistory.so
password required pam_unix.so sha512 use_authtok
session required pam_mkhomedir.so
session required pam_limits.so conf=/tmp/home/limits.conf
END
echo mallory >denied
echo '* soft nofile 100' >limits.conf
try() { "$BIN/pamtester" "$@" 2>&1 || echo "status $?"; }
echo secret | try test alice authenticate | sed 's/^Password: *//'
echo wrong | try test alice authenticate | sed 's/^Password: *//'
echo secret | try test mallory authenticate | sed 's/^Password: *//'
try test alice acct_mgmt
try test alice open_session close_session
try unknown alice authenticate </dev/null | sed 's/^Password: *//'
"""),
    ("su: becomes another user through PAM", r"^1234 alice from PAM", SETUP + ALICE + r"""
printf '%s\n' 'auth sufficient pam_rootok.so' 'auth required pam_unix.so' 'account required pam_unix.so' \
    'session required pam_env.so conffile=/tmp/home/pam_env.conf' 'session required pam_unix.so' >/etc/pam.d/su
host cp /etc/pam.d/su /etc/pam.d/su-l
host cp /etc/pam.d/su /etc/pam.d/runuser
echo 'FROM_PAM DEFAULT="from PAM"' >pam_env.conf
"$BIN/su" alice -c 'echo "$(id -u) $(id -un) $FROM_PAM"'
"$BIN/su" - alice -c 'pwd; echo "$HOME $LOGNAME"'
runuser -u alice -- "$BIN/id" -un
"$BIN/su" nowhere -c true 2>&1 || echo "status $?"
"""),
    ("sudo: run by root, loads its plugins and obeys the host's sudoers", r"^alice 1234", SETUP + ALICE + r"""
printf '%s\n' 'Defaults !use_pty, env_keep += "BIN PATH"' 'Defaults secure_path = "/usr/bin:/bin"' 'root ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers
host chmod 440 /etc/sudoers
printf '%s\n' 'auth required pam_permit.so' 'account required pam_unix.so' 'session required pam_unix.so' >/etc/pam.d/sudo
visudo -c -f /etc/sudoers
"$BIN/sudo" -n -u alice sh -c 'echo "$(id -un) $(id -u)"'
"$BIN/sudo" -n -l | sed -n '/may run/,$p'
"""),
    ("useradd: makes, changes and removes users of the host", r"^bob:x:4321:", SETUP + r"""
echo 'root:*:19000:0:99999:7:::' >/etc/shadow
echo 'root:*::' >/etc/gshadow
printf '%s\n' 'UID_MIN 1000' 'UID_MAX 60000' 'GID_MIN 1000' 'GID_MAX 60000' 'ENCRYPT_METHOD SHA512' 'USERGROUPS_ENAB yes' >/etc/login.defs
host mkdir -p /etc/pam.d
# Where the host lacks any of these, they are shown from the image, and /etc is read-only.
host mkdir -p /etc/ssl/certs /etc/groff /etc/fonts /etc/X11/app-defaults
host touch /etc/ssl/openssl.cnf /etc/manpath.config /etc/netconfig
mkdir skel
echo skeleton >skel/file
printf '%s\n' 'auth sufficient pam_rootok.so' 'account required pam_permit.so' 'password required pam_unix.so sha512' \
    'session required pam_permit.so' | host tee /etc/pam.d/useradd /etc/pam.d/chpasswd /etc/pam.d/groupadd /etc/pam.d/other >/dev/null
groupadd -g 5678 staff2
useradd -m -k "$PWD/skel" -d "$PWD/bob" -u 4321 -g staff2 -s /bin/sh -c 'Bob B.' bob
cat bob/file
"$BIN/getent" passwd bob
echo 'bob:verysecret1' | chpasswd
cut -d: -f2 /etc/shadow | grep -c '^\$6\$'
usermod -aG staff2 -c 'Bob C.' bob
"$BIN/id" bob
pwck -r /etc/passwd /etc/shadow 2>&1 | grep bob || true
userdel bob
"$BIN/getent" passwd bob || echo "status $?"
"""),
    ("getent: the host's nsswitch.conf names modules that the image lacks", r"^root:0 localhost", SETUP + r"""
cat >/etc/nsswitch.conf <<END
passwd: sss files mymachines systemd winbind
group: compat sss files
shadow: files
hosts: mymachines resolve [!UNAVAIL=return] files mdns4_minimal [NOTFOUND=return] dns myhostname
networks: files
protocols: db files
services: db files sss
netgroup: nis sss
END
printf '127.0.0.1 localhost\n10.7.7.7 seven.test seven\n' >/etc/hosts
printf 'http 80/tcp www\n' >/etc/services
printf 'tcp 6 TCP\n' >/etc/protocols
"$BIN/getent" passwd root | cut -d: -f1,3
"$BIN/getent" group 65534 | cut -d: -f1,3
"$BIN/getent" hosts seven
"$BIN/getent" ahosts seven.test
"$BIN/getent" services www/tcp
"$BIN/getent" protocols tcp
"$BIN/getent" passwd nosuch || echo "status $?"
python3 -c 'import pwd, grp, socket; print(pwd.getpwuid(0).pw_name + ":" + str(pwd.getpwnam("root").pw_uid), socket.getnameinfo(("127.0.0.1", 80), 0)[0], grp.getgrgid(65534).gr_name, socket.getaddrinfo("seven", "www", socket.AF_INET, socket.SOCK_STREAM)[0][4])'
perl -e 'print join(" ", (getpwnam("root"))[0, 2], (getgrgid(0))[0], (gethostbyname("seven"))[0]), "\n"'
"$BIN/id" root
"""),
    ("getent: an NSS module of the image is loaded when the host's nsswitch.conf names it", r"^extra:x:4999", SETUP + r"""
echo 'passwd: files extrausers' >/etc/nsswitch.conf
echo 'group: files extrausers' >>/etc/nsswitch.conf
mkdir -p /var/lib/extrausers
echo 'extra:x:4999:4999:Extra:/tmp:/bin/sh' >/var/lib/extrausers/passwd
echo 'extra:x:4999:' >/var/lib/extrausers/group
"$BIN/getent" passwd extra
"$BIN/id" extra
python3 -c 'import pwd; print(pwd.getpwnam("extra").pw_uid, len([p for p in pwd.getpwall() if p.pw_name == "extra"]))'
"""),
    ("systemd: units of the image verify, and what they start exists", r"^nginx\.service ok", SETUP + r"""
for unit in nginx redis-server ssh cron unbound mosquitto haproxy smbd slapd named dnsmasq; do
    file=$("$BIN/dash" -c "ls $USR/lib/systemd/system/$unit.service 2>/dev/null" || true)
    [ -n "$file" ] || continue
    # The manager would read /etc and /run too; what is verified is the unit.
    systemd-analyze verify --man=no --recursive-errors=no "$file" 2>&1 | moved | sed 's/^.*Failed to prepare filename.*//' | sort -u
    "$BIN/dash" -c "sed -n 's/^ExecStart=[-+!@:]*//p' $file" | while read -r program rest; do
        "$BIN/dash" -c '[ -x "$1" ] && echo "$2.service ok" || echo "$2.service names $1, which is not there"' - "$program" "$unit" | moved
    done
done
"""),
    ("systemd: tmpfiles, sysusers, calendars and sockets", r"^Normalized form: Mon", SETUP + r"""
systemd-analyze calendar --base-time='2024-01-01 00:00:00 UTC' 'Mon *-*-1..7 03:00' | grep -v 'From now'
systemd-analyze timespan 90min
systemd-escape --path '/a b/c'
systemd-id128 show -p root 2>/dev/null | head -n 2 || true
mkdir -p r/etc r/usr/lib/tmpfiles.d
echo 'd /var/spool/x 0750 - - -' >r/usr/lib/tmpfiles.d/x.conf
systemd-tmpfiles --root="$PWD/r" --create "$PWD/r/usr/lib/tmpfiles.d/x.conf" 2>&1
stat -c %a r/var/spool/x
printf 'u web 4000 "Web" /srv\ng extra 4001\n' >s.conf
systemd-sysusers --root="$PWD/r" "$PWD/s.conf" 2>&1
cat r/etc/passwd
# Socket activation: the service gets the connection as its standard input.
"$(command -v systemd-socket-activate)" --accept --inetd -l 127.0.0.1:9111 "$BIN/cat" >log 2>&1 &
wait_for grep -q Listening log
printf 'through the socket\n' | "$BIN/nc" -N -w 3 127.0.0.1 9111
systemd-analyze security --offline=true --no-pager "$("$BIN/dash" -c "echo $USR/lib/systemd/system/haproxy.service")" 2>&1 | tail -n 1 | cut -c 1-60 || true
"""),
    ("dbus: a session bus with a service file, monitored", r'string "org\.example\.Started"', SETUP + r"""
mkdir -p share/dbus-1/services
cat >start <<'END'
#!/bin/sh
echo started >>/tmp/home/log
exec sleep 30
END
chmod 755 start
printf '[D-BUS Service]\nName=org.example.Started\nExec=%s\n' "$PWD/start" >share/dbus-1/services/s.service
export XDG_DATA_DIRS="$PWD/share"
cat >inner <<'END'
dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus.NameHasOwner string:org.freedesktop.DBus
dbus-send --session --print-reply --dest=org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus.ListActivatableNames | grep -v 'method return' | sort
dbus-send --session --dest=org.example.Started / org.example.Started.Ping
n=0; until [ -s /tmp/home/log ] || [ $n = 50 ]; do sleep 0.1; n=$((n + 1)); done
cat /tmp/home/log
END
dbus-run-session -- sh inner 2>/dev/null
dbus-uuidgen | wc -c
"""),
    ("slapd: an LDAP directory with modules and the image's schemas", r"^cn: Zoë", NOBODY + r"""
ETC=${USR%/usr}/etc
chmod 777 .
cat >slapd.conf <<END
include $ETC/ldap/schema/core.schema
include $ETC/ldap/schema/cosine.schema
include $ETC/ldap/schema/inetorgperson.schema
modulepath $USR/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile $PWD/data/pid
argsfile $PWD/data/args
database mdb
suffix "dc=example,dc=test"
rootdn "cn=admin,dc=example,dc=test"
rootpw secret
directory $PWD/data
index objectClass eq
END
slaptest -u -f slapd.conf 2>&1 | grep succeeded
cat >a.ldif <<'END'
dn: dc=example,dc=test
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: cn=z,dc=example,dc=test
objectClass: inetOrgPerson
cn: z
cn:: Wm/Dqw==
sn: Z
mail: z@example.test
END
slapadd -q -f slapd.conf -l a.ldif 2>/dev/null
"$(command -v slapd)" -f slapd.conf -h ldap://127.0.0.1:3890
wait_for ldapwhoami -x -H ldap://127.0.0.1:3890
ldapsearch -x -LLL -H ldap://127.0.0.1:3890 -b dc=example,dc=test '(mail=z@*)' sn
ldapsearch -x -LLL -H ldap://127.0.0.1:3890 -b dc=example,dc=test '(sn=z)' cn | sed -n 's/^cn:: //p' | base64 -d | sed 's/^/cn: /'
echo
printf 'dn: cn=z,dc=example,dc=test\nchangetype: modify\nreplace: sn\nsn: Y\n' | ldapmodify -x -H ldap://127.0.0.1:3890 -D cn=admin,dc=example,dc=test -w secret
slapcat -f slapd.conf | grep -c '^sn: Y'
kill "$(cat data/pid)"
"""),
    ("mosquitto: publishes and subscribes with a password", r"^t/a 21", SETUP + r"""
printf 'listener 1884 127.0.0.1\npassword_file %s/pw\nuser root\n' "$PWD" >m.conf
mosquitto_passwd -b -c pw user secret
mosquitto -c m.conf -d >log 2>&1
wait_for mosquitto_pub -p 1884 -u user -P secret -t t/x -m 1 || { cat log; exit 1; }
mosquitto_pub -p 1884 -u user -P secret -r -t t/a -m 21
mosquitto_sub -p 1884 -u user -P secret -t 't/#' -v -C 1
mosquitto_pub -p 1884 -u user -P wrong -t t/a -m 1 2>&1 || true
"""),
    ("stunnel and socat: TLS around an echo", r"^ECHO", SETUP + CERTIFICATE + r"""
"$(command -v socat)" TCP4-LISTEN:9200,bind=127.0.0.1,fork,reuseaddr 'EXEC:tr a-z A-Z' &
printf 'foreground=no\npid=%s/pid\noutput=%s/log\n[s]\naccept=127.0.0.1:9201\nconnect=127.0.0.1:9200\ncert=%s/both.pem\n' "$PWD" "$PWD" "$PWD" >s.conf
stunnel s.conf 2>/dev/null
wait_for test -s pid
printf 'echo\n' | "$(command -v socat)" -t 3 - OPENSSL:localhost:9201,cafile="$PWD/cert.pem"
printf 'again\n' | { openssl s_client -quiet -verify_quiet -verify_return_error -CAfile cert.pem -connect localhost:9201 2>/dev/null & sleep 2; } </dev/null || true
kill "$(cat pid)"
"""),
    ("memcached: keeps a value", r"^VALUE k 0 5", NOBODY + r"""
as_nobody "$(command -v memcached)" -l 127.0.0.1 -p 11300 -d
wait_for "$BIN/nc" -z 127.0.0.1 11300
printf 'set k 0 0 5\r\nhello\r\nget k\r\nincr n 1\r\nquit\r\n' | "$BIN/nc" -N -w 3 127.0.0.1 11300 | tr -d '\r'
"""),
    ("vsftpd: curl fetches and stores over FTP", r"^over FTP", SETUP + ALICE + r"""
echo 'ftp:x:110:65534::/tmp/ftp:/bin/false' >>/etc/passwd
mkdir -p /run/vsftpd/empty /tmp/ftp/in
echo 'over FTP' >/tmp/ftp/a.txt
chmod 777 /tmp/ftp/in
chmod 755 /tmp/ftp
printf '%s\n' 'auth required pam_unix.so' 'account required pam_unix.so' 'session required pam_permit.so' >/etc/pam.d/vsftpd
cat >v.conf <<END
listen=YES
listen_address=127.0.0.1
listen_port=2121
anonymous_enable=YES
ftp_username=ftp
anon_root=/tmp/ftp
local_enable=YES
write_enable=YES
nopriv_user=nobody
secure_chroot_dir=/run/vsftpd/empty
pam_service_name=vsftpd
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
check_shell=NO
xferlog_enable=NO
END
chown root v.conf
"$(command -v vsftpd)" "$PWD/v.conf" >log 2>&1 &
wait_for curl -sf ftp://127.0.0.1:2121/a.txt || { cat log; curl -v ftp://127.0.0.1:2121/a.txt 2>&1 | tail -n 12; exit 1; }
curl -sS ftp://127.0.0.1:2121/a.txt
echo up >up
curl -sS -T up ftp://alice:secret@127.0.0.1:2121/up
cat /tmp/alice/up
curl -sS ftp://alice:wrong@127.0.0.1:2121/ 2>&1 || echo "status $?"
"""),
    ("supervisord: runs programs and is asked about them", r"RUNNING", SETUP + r"""
cat >s.conf <<END
[unix_http_server]
file=$PWD/sock
[supervisord]
logfile=$PWD/log
pidfile=$PWD/pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://$PWD/sock
[program:one]
command=sleep 60
startsecs=0
[program:two]
command=sh -c "echo from two"
stdout_logfile=$PWD/two
startsecs=0
autorestart=false
END
supervisord -c s.conf
wait_for grep -q 'from two' two
supervisorctl -c s.conf status one | awk '{print $1, $2}'
wait_for sh -c 'supervisorctl -c s.conf status two | grep EXITED'
supervisorctl -c s.conf status two | awk '{print $1, $2}'
supervisorctl -c s.conf stop one
cat two
supervisorctl -c s.conf shutdown
"""),
    ("syslog-ng: reads, parses and writes with its modules", r"^room-x: prog=test number=7", SETUP + r"""
cat >s.conf <<'END'
@version: 3.38
@include "scl.conf"
source s { network(ip(127.0.0.1) port(5140) transport(tcp) flags(no-parse)); };
parser p { json-parser(prefix(".j.")); };
destination d { file("/tmp/home/out" template("room-x: prog=${.j.prog} number=${.j.number}\n")); };
destination e { file("/tmp/home/out.json" template("$(format-json --pair a=${.j.prog})\n")); };
log { source(s); parser(p); destination(d); destination(e); };
END
sed -i '/scl.conf/d' s.conf
syslog-ng -s -f "$PWD/s.conf" --no-caps 2>&1 | grep -v WARNING || true
syslog-ng -f "$PWD/s.conf" --no-caps -R "$PWD/persist" -p "$PWD/pid" -c "$PWD/ctl" 2>/dev/null
wait_for "$BIN/nc" -z 127.0.0.1 5140
printf '{"prog": "test", "number": 7}\n' | "$BIN/nc" -N -w 3 127.0.0.1 5140
wait_for test -s out.json
cat out out.json
syslog-ng-ctl stop -c "$PWD/ctl" >/dev/null
"""),
    ("logrotate: rotates and compresses by the image's own rules", r"^old$", SETUP + r"""
echo old >app.log
printf '%s/app.log {\n rotate 3\n compress\n missingok\n create 600\n sharedscripts\n postrotate\n  echo rotated >>/tmp/home/log\n endscript\n}\n' "$PWD" >l.conf
chmod 644 l.conf
chmod 755 .
logrotate -f -s "$PWD/state" l.conf
ls
zcat app.log.1.gz
cat log
"""),
    ("iproute2: addresses, routes, sockets and queues", r"10\.99\.0\.1/24", SETUP + r"""
"$BIN/ip" addr add 10.99.0.1/24 dev lo
"$BIN/ip" -o -4 addr show dev lo | sed 's/  */ /g'
"$BIN/ip" route add 10.98.0.0/16 dev lo
"$BIN/ip" route show
"$BIN/ip" -j route get 10.98.1.1 | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["dev"])'
python3 -c 'import socket, subprocess; s = socket.create_server(("127.0.0.1", 9300)); print(subprocess.run(["ss", "-ltnH"], capture_output=True, text=True).stdout.split()[3])'
tc qdisc show dev lo
"""),
    ("setpriv: capabilities and users, as the kernel sees them", r"^cap_net_raw", SETUP + r"""
capsh --drop=cap_chown,cap_net_raw --shell=/bin/sh -- -c '"$BIN/grep" CapBnd /proc/self/status' | tr -s '\t ' ' '
"$BIN/setpriv" --reuid 65534 --regid 65534 --clear-groups --no-new-privs "$BIN/python3" -c 'import os; print(os.getresuid(), os.getgroups(), open("/proc/self/status").read().count("NoNewPrivs:\t1"))'
cp "$("$BIN/dash" -c "command -v true")" prog 2>/dev/null || cp /bin/sh prog
setcap cap_net_raw+ep prog 2>/dev/null && getcap prog | sed 's/^prog //' || echo cap_net_raw not supported here
mkdir data
flock lock "$BIN/python3" -c 'print("locked")'
"$BIN/unshare" --mount --fork "$BIN/dash" -c 'mount -t tmpfs none data && echo mounted'
"""),
]]
