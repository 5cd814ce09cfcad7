#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Records tests/demo/demo.pcap anew: real nginx, real curl. README.md says what is in it. Run as root.
#
#   client [c0 10.20.0.2] ---- veth, MTU 1500, offloads off ---- [s0 10.20.0.1] server: nginx
#                         tcpdump here
. "$(dirname "$0")/../e2e/lib.sh"
e2e_enter "$@"
need nginx curl tcpdump openssl python3

needle=wireglass-demo-body-marker
out=${1:-$SOURCE/tests/demo/demo.pcap}

ns_add server
ns_add client
link_add client c0 server s0
addr_add server s0 10.20.0.1/24 2001:db8:20::1/64
addr_add client c0 10.20.0.2/24 2001:db8:20::2/64

# --- the site
certificate
www=$WORK/www
mkdir -p "$www/img" "$www/backup" "$www/wireglass-demo"
page() {
    printf '<!doctype html><html><head><title>%s</title><link rel="stylesheet" href="/style.css"></head><body>\n' "$1"
    cat "$WORK/words"
    printf '%s\n</body></html>\n' "$2"
}
# shellcheck disable=SC2016 # not a variable
test_file='$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$'
text_file "$WORK/words" 5000
page 'Home' '' >"$www/index.html"
page 'About' '' >"$www/about.html"
page 'Log in' '<form action="/login" method="post"></form>' >"$www/wireglass-demo/login.html"
page 'Verify your account' "<!-- $needle -->" >"$www/verify.html"
page 'Download' "$test_file" >"$www/download.html"
printf -- '-----BEGIN DEMO PRIVATE KEY-----\nbm90IGEga2V5\n-----END DEMO PRIVATE KEY-----\n' >"$www/backup/server.key"
text_file "$www/style.css" 3000
text_file "$www/app.js" 9000
text_file "$www/manual.txt" 30000
printf '{"items":[%s0]}\n' "$(seq -s, 1 400)," >"$www/list.json"
python3 -c 'import random; random.seed(7); open(__import__("sys").argv[1], "wb").write(b"\x89PNG\r\n\x1a\n" + random.randbytes(24000))' \
    "$www/img/logo.png"
# Two sends with a pause between them cut the needle in the middle, in a chunk and a segment of its own.
head=${needle:0:12}
rest=${needle:12}
web_start server "
    gzip on; gzip_min_length 256; gzip_types text/plain text/css application/javascript application/json;
    types_hash_max_size 2048;
    server {
        listen 10.20.0.1:80; listen [2001:db8:20::1]:80;
        listen 10.20.0.1:443 ssl; ssl_certificate $WORK/tls.crt; ssl_certificate_key $WORK/tls.key;
        root $www;
        location = /item { default_type text/plain; return 200 'no such item\n'; }
        location = /upload { return 200 'stored\n'; }
        location = /report { default_type text/plain; gzip off; echo -n 'report: $head'; echo_flush; echo_sleep 0.2;
            echo '$rest, end of report'; }
    }" || bail 'nginx does not start'

get() {
    in_ns client curl -sS --max-time 20 --resolve shop.example:80:10.20.0.1 \
        --resolve blog.example:80:10.20.0.1 --resolve shop.example:443:10.20.0.1 \
        --resolve six.example:80:2001:db8:20::1 -A 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0' \
        "$@" >"$WORK/answer" || bail "curl $*"
}

# Put the needle where the first full segment of the answer ends: the size of the head is the same each time.
text_file "$www/split.txt" 4000
wait_for "$PATIENCE" in_ns client curl -sf -o "$WORK/answer" http://10.20.0.1/
head_bytes=$(in_ns client curl -s -o "$WORK/answer" -w '%{size_header}' -H 'Host: shop.example' \
    http://10.20.0.1/split.txt)
python3 - "$www/split.txt" $((1448 - head_bytes - 10)) "$needle" <<'PYTHON'
import sys
name, at, needle = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
text = open(name, "rb").read()
open(name, "wb").write(text[:at] + needle + text[at + len(needle):])
PYTHON

# --- the traffic
dump_start client c0 "$WORK/demo.pcap" tcp
tcpdump_pid=$DUMP

u=http://shop.example
get $u/ $u/style.css $u/app.js $u/img/logo.png $u/list.json
get --compressed $u/ $u/about.html $u/manual.txt
get http://blog.example/about.html
get $u/wireglass-demo/login.html
get --path-as-is $u/static/../../../etc/passwd
get --compressed $u/download.html
{ head -c 6000 "$WORK/words" && printf '\n%s\n' "$test_file" && head -c 2000 "$WORK/words"; } >"$WORK/notes.txt"
get -F 'title=notes' -F "file=@$WORK/notes.txt;type=text/plain" $u/upload
get -F "file=@$www/img/logo.png;type=image/png" $u/upload
get $u/backup/server.key $u/backup/server.key.old
# shellcheck disable=SC2016 # text, not a variable
get -d 'name=x.php&text=<?php /* demo */ system($_GET["c"]); ?>' $u/upload
get -d 'name=post&text=about php and system calls' $u/upload
get "$u/item?id=1+UNION+ALL+SELECT+name+FROM+users" "$u/item?id=1"
get -A 'sqlmap/1.7.2#stable (https://sqlmap.org)' $u/list.json
get -H 'X-Demo: WIREGLASS-RAW-MARKER' $u/about.html
get $u/verify.html
get --compressed $u/verify.html
get $u/report
get $u/split.txt
get --compressed $u/verify.html $u/about.html $u/verify.html $u/report
get http://six.example/verify.html
get -k https://shop.example/verify.html https://shop.example/manual.txt
get -I $u/verify.html
dump_stop "$tcpdump_pid"

python3 "$SOURCE/tests/demo/check_split.py" "$WORK/demo.pcap" "$needle" || bail 'no segment boundary inside the needle'
size=$(stat -c %s "$WORK/demo.pcap")
[ "$size" -lt 409600 ] || bail "the capture has $size bytes, more than 400 KiB"
cp "$WORK/demo.pcap" "$out"
printf 'ok 1 - recorded %s: %s bytes\n' "$out" "$size"
