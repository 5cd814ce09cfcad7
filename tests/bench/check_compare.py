#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_compare.py WIREGLASS: `wireglass bench --compare` with something in Suricata's place that says what it is told to."""
import json
import os
import subprocess
import sys
import tempfile

import cases
from cases import check

WIREGLASS = sys.argv[1]
PCAP, RULES, COPIES = "tests/demo/demo.pcap", "rules/examples/demo.rules", 3

FAKE = """#!/usr/bin/env python3
import json, os, struct, sys, time
args = dict(zip(sys.argv[1::2], sys.argv[2::2]))
data = open(args['-r'], 'rb').read()
at = packets = size = 0
at = 24
while at < len(data):
    length = struct.unpack_from('<I', data, at + 8)[0]
    at, packets, size = at + 16 + length, packets + 1, size + length
print('Notice: Engine started.', flush=True)
if os.environ['FAKE'] != 'quick':
    end = time.process_time() + 0.4
    while time.process_time() < end:
        pass
if os.environ['FAKE'] != 'broken':
    print('Info: read 1 file, %d packets, %d bytes' % (packets, size), flush=True)
with open(args['-l'] + '/eve.json', 'w') as f:
    f.write(json.dumps({'event_type': 'alert'}) + '\\n')
    f.write(json.dumps({'event_type': 'stats', 'stats': {'app_layer': {'tx': {'http': int(os.environ['FAKE_TX'])}}}}))
"""


def compare(folder, fake="", tx=32 * COPIES, size=None, rules=RULES):
    megabytes = (COPIES - 0.5) * os.path.getsize(PCAP) / 1e6 if size is None else size
    env = dict(os.environ, PATH=folder + ":" + os.environ["PATH"], FAKE=fake, FAKE_TX=str(tx))
    done = subprocess.run([sys.executable, "tests/bench/compare.py", "--wireglass", WIREGLASS, "--json", "--runs", "2",
                           "--seconds", "0.01", "--cpu", cpu, "--megabytes", str(megabytes), "--rules", rules, folder, PCAP],
                          capture_output=True, text=True, env=env)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


cpu = str(min(os.sched_getaffinity(0)))
with tempfile.TemporaryDirectory() as folder:
    os.mkdir(folder + "/lab")
    with open(folder + "/suricata", "w") as f:
        f.write(FAKE)
    os.chmod(folder + "/suricata", 0o755)
    code, said, text = compare(folder)
    check("no configuration: says so", code == 1 and "full.yaml is missing" in text, text)
    open(folder + "/lab/full.yaml", "w").close()

    # Ours verifies checksums: wrong ones in the copies would be packets, and transactions, less.
    code, said, text = compare(folder)
    check("it compares", code == 0, text)
    ours, theirs = said["wireglass"], said["suricata"]
    check("copies of the capture are new flows of the same kind", said["copies"] == COPIES and
          [ours[k] for k in ("packets", "transactions", "alerts")] == [409 * COPIES, 32 * COPIES, 17 * COPIES], said)
    check("both read the same file", theirs["packets"] == ours["packets"], said)
    check("counts of the other are what it says", theirs["transactions"] == 32 * COPIES and theirs["alerts"] == 1, said)
    ratio = said["ratio"]
    check("the ratio is that of the speeds", ours["gbps"]["min"] / theirs["gbps"]["max"] <= ratio["min"] * 1.01 and
          ratio["min"] <= ratio["median"] <= ratio["max"] <= ours["gbps"]["max"] / theirs["gbps"]["min"] * 1.01, said)
    check("nothing is left behind", os.listdir(folder + "/lab") == ["full.yaml"], os.listdir(folder + "/lab"))
    limited = folder + "/limited.rules"
    with open(limited, "w") as f:
        f.write('alert http any any -> any any (msg:"m"; http.method; content:"GET"; threshold:type limit, track by_src, '
                'count 1, seconds 3600; sid:1;)\n')
    code, said, text = compare(folder, rules=limited)
    # One client by IPv4, who is another one in each copy, and one by IPv6.
    check("alerts are what thresholds let pass", code == 0 and said["wireglass"]["alerts"] == COPIES + 1, text or said)
    code, said, text = compare(folder, tx=32, size=0)
    check("the capture as it is", code == 0 and said["copies"] == 1 and said["wireglass"]["packets"] == 409, text or said)
    code, said, text = compare(folder, tx=32 * COPIES + 1)
    check("fewer transactions than the other: no ratio", code == 1 and said is None and "no ratio" in text, text)
    code, said, text = compare(folder, rules="/none.rules")
    check("no rules: says so", code == 1 and text.startswith("wireglass bench: /none.rules: No such"), text)
    with open(limited, "w") as f:
        f.write("no rule\n")
    code, said, text = compare(folder, rules=limited)
    check("ours fails: its words, once", code == 1 and text.startswith("wireglass bench: ") and limited in text and
          text.count("wireglass") == 1, text)
    code, said, text = compare(folder, fake="broken")
    check("Suricata fails: its words", code == 1 and "Engine started" in text, text)
    code, said, text = compare(folder, fake="quick")
    check("too short to measure", code == 1 and "larger --megabytes" in text, text)

    done = subprocess.run([WIREGLASS, "--json", "bench", "--compare", folder + "/none", "--rules", RULES, "--runs", "1", PCAP],
                          capture_output=True, text=True)
    check("bench --compare starts the script", done.returncode == 1 and "none/lab/full.yaml is missing" in done.stderr,
          done.stderr)
    done = subprocess.run([WIREGLASS, "--json", "bench", "--compare", folder, PCAP], capture_output=True, text=True)
    check("bench --compare needs rules", done.returncode == 1 and "--compare needs --rules" in done.stdout, done.stdout)
cases.done()
