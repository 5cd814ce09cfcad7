#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Makes the seeds in corpus/bundle from readable text. Needs GNU tar and zstd; run it in tests/fuzz/corpus.
set -eu
out=$(pwd)/bundle
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$out" "$tmp/rules"
cd "$tmp"

pack() { # NAME FILE...: a reproducible tar+zstd archive
    name=$1
    shift
    tar --format=ustar --owner=0 --group=0 --numeric-owner --mtime=@0 --mode=0644 -cf - "$@" |
        zstd -q -9 -c >"$out/$name"
}

cat >manifest.cfg <<'END'
format = 1;
id = "seed";
serial = 1;
created = "2026-11-23T13:00:00Z";
expires = "2027-11-23T00:00:00Z";
description = "a \"seed\"";
owner = "o";
authority = "a";
legal_basis = "l";
rules = [ "rules/a.rules", "rules/b.rules" ];
END
echo 'alert http any any -> any any (msg:"m"; http.uri; content:"x"; sid:1;)' >rules/a.rules
: >rules/b.rules
cp manifest.cfg "$out/manifest"
pack good manifest.cfg rules/a.rules rules/b.rules
pack no-manifest rules/a.rules
pack no-rules manifest.cfg
pack extra manifest.cfg rules/a.rules rules/b.rules /dev/null 2>/dev/null
ln -s /etc/passwd link
pack symlink manifest.cfg link
ln rules/a.rules rules/c.rules
pack hardlink rules/a.rules rules/c.rules
tar --format=pax --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - manifest.cfg rules | zstd -q -c >"$out/folder-pax"
head -c 1000000 /dev/zero >sparse
pack zeros sparse
zstd -q -c "$out/good" >"$out/twice"
echo 'sereal = 1;' >>manifest.cfg
pack unknown-key manifest.cfg rules/a.rules rules/b.rules
{
    printf 'WGB1\371\0\0\0'
    printf 'untrusted comment: x\nRURlBa35PwSj9LCGYmMadgjZzyckLN+kQu21eV/DF/mez52pe/alkYEMhXJQV5qR8zgmj3BIwCHI6nCjbL+yPIKwl4twR3RsRgQ=\n'
    printf 'trusted comment: bundle demo serial 7\n+RoCOTTXAJQ8/GeShs+tK3V4zCU2hS3lKACpmOPqCkM01UJiTgGOwqn8ksAb0srzYWT4Vawhnq4qijeRkqudAg==\n'
    cat "$out/good"
} >"$out/embedded"
