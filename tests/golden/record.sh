#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Records the captures of the cases h2c_* and websocket* anew: real servers and clients on the loopback of a network
# namespace of their own. Run as root; their expected.json says what must be seen in them.
# Needs nginx, curl, nghttp2-client, nghttp2-proxy, nghttp2-server, python3-websockets, tcpdump.
set -eu
if [ "${1:-}" != inside ]; then
    exec unshare -n -m "$0" inside "$(cd "$(dirname "$0")" && pwd)"
fi
out=$2
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
ip link set lo mtu 1500 up
ethtool -K lo tso off gso off gro off >/dev/null 2>&1 || true

# record CASE PORT COMMAND...
record() {
    local name=$1 port=$2 pid
    shift 2
    mkdir -p "$out/$name"
    tcpdump -i lo -U --immediate-mode -w "$work/all.pcap" "tcp port $port" 2>"$work/tcpdump" &
    pid=$!
    until grep -q listening "$work/tcpdump"; do sleep 0.1; done
    "$@" >"$work/log" 2>&1 || { echo "$name: $*"; cat "$work/log"; exit 1; }
    sleep 0.5
    kill -TERM $pid
    wait $pid || true
    cp "$work/all.pcap" "$out/$name/input.pcap"
}

chmod 755 "$work"
www=$work/www
mkdir -p "$www"
{ echo '<html><body>'; seq -s ' ' 1 2500; echo 'golden-needle-in-gzip'; seq 1 200; echo '</body></html>'; } >"$www/index.html"
{ seq -s, 1 6000; echo golden-needle-in-script; } >"$www/app.js"
echo 'body { color: golden-needle-in-style }' >"$www/style.css"
echo 'not found here' >"$www/other.txt"
printf 'user=alice&note=%s&golden-needle-in-upload=1\n' "$(seq -s. 1 900)" >"$work/upload"

# --- nginx: prior knowledge, gzip
cat >"$work/nginx.conf" <<END
daemon off; pid $work/pid; error_log $work/error.log;
events {}
http {
    access_log off; types { text/html html; application/javascript js; text/css css; text/plain txt; }
    client_body_temp_path $work/body; proxy_temp_path $work/proxy; fastcgi_temp_path $work/f; uwsgi_temp_path $work/u; scgi_temp_path $work/s;
    gzip on; gzip_min_length 100; gzip_types application/javascript text/css;
    server { listen 127.0.0.1:8081 http2; root $www; }
    server { listen 127.0.0.1:8087; root $www; }
}
END
nginx -c "$work/nginx.conf" &
until curl -s -o /dev/null --http2-prior-knowledge http://127.0.0.1:8081/; do sleep 0.1; done
record h2c_gzip 8081 nghttp -n --no-dep -H 'user-agent: golden-agent/1.0' 'http://127.0.0.1:8081/index.html?golden=1' \
    http://127.0.0.1:8081/app.js http://127.0.0.1:8081/style.css http://127.0.0.1:8081/missing

# --- nghttpd: an upload that is echoed, push, many streams
nghttpd --no-tls --echo-upload -d "$www" --push=/index.html=/style.css 8082 &
until curl -s -o /dev/null --http2-prior-knowledge http://127.0.0.1:8082/style.css; do sleep 0.1; done
record h2c_upload 8082 curl -s --http2-prior-knowledge -A golden-agent/1.0 -b 'session=golden; id=7' \
    -H 'X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' --data-binary "@$work/upload" \
    -o "$work/1" http://127.0.0.1:8082/upload
record h2c_push 8082 nghttp -n http://127.0.0.1:8082/index.html
record h2c_streams 8082 h2load -n 10 -c 1 -m 10 -t 1 http://127.0.0.1:8082/style.css http://127.0.0.1:8082/other.txt

# --- nghttpx: upgrade
nghttpx --frontend='127.0.0.1,8086;no-tls' --backend=127.0.0.1,8087 --workers=1 >"$work/nghttpx.log" 2>&1 &
until curl -s -o /dev/null http://127.0.0.1:8086/style.css; do sleep 0.1; done
record h2c_upgrade 8086 nghttp --upgrade --no-dep -n http://127.0.0.1:8086/app.js http://127.0.0.1:8086/style.css http://127.0.0.1:8086/other.txt

# --- WebSocket
cat >"$work/ws.py" <<'END'
import asyncio
import sys

import websockets


async def serve(ws, path=None):
    await ws.send("server greets: golden-text-from-server")
    async for message in ws:
        if isinstance(message, bytes):
            await ws.send(message[::-1])
        else:
            await ws.send(["in ", "fragments: golden-", "fragment ", message[:40]])


async def main(port, compression):
    async with websockets.serve(serve, "127.0.0.1", port, compression=compression):
        if len(sys.argv) > 3:
            await asyncio.Future()
        async with websockets.connect(f"ws://127.0.0.1:{port}/chat?room=golden", compression=compression) as ws:
            await ws.recv()
            await ws.send("client says: golden-text-from-client")
            await ws.recv()
            await ws.send(["client in ", "fragments: golden-", "split-by-client"])
            await ws.recv()
            await ws.send(b"\x00\x01" + b"binary " * 900 + b"golden-binary-from-client")
            await ws.recv()
            await (await ws.ping())
            await ws.send("client says again: golden-text-from-client")
            await ws.recv()


asyncio.run(main(int(sys.argv[1]), None if sys.argv[2] == "none" else sys.argv[2]))
END
record websocket 8083 /usr/bin/python3 "$work/ws.py" 8083 none
record websocket_deflate 8084 /usr/bin/python3 "$work/ws.py" 8084 deflate
