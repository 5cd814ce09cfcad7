#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Are the cards that a hardware profile names among those its DPDK driver takes? Drivers tell in their own files."""
import glob
import json
import os
import re
import sys

# of a profile's driver, as the port reports it: the library it is in
LIBRARY = {"mlx5_pci": "mlx5", "net_virtio_user": "virtio", "net_e1000_em": "e1000"}


def taken(library):
    """The cards of all drivers in a library, None if it is not installed."""
    places = glob.glob("/usr/lib/*/dpdk/pmds-*/librte_net_%s.so*" % library)
    if not places:
        return None
    with open(places[0], "rb") as f:
        data = f.read()
    found = set()
    for text in re.findall(rb"PMD_INFO_STRING= (\{[^\0]*\})", data):
        found |= {"%04x:%04x" % tuple(p[:2]) for p in json.loads(text).get("pci_ids", [])}
    return found


failed = 0
for number, path in enumerate(sorted(glob.glob("hwprofiles/*.cfg")), 1):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    name = os.path.basename(path)[:-4]
    drivers = re.findall(r'"([^"]+)"', re.search(r"^drivers = \[(.*?)\];", text, re.M | re.S)[1])
    ids = re.search(r"^pci = \[(.*?)\];", text, re.M | re.S)
    cards = re.findall(r'"([^"]+)"', ids[1]) if ids else []
    known = [taken(LIBRARY.get(d, d.removeprefix("net_"))) for d in drivers]
    if drivers and None in known:
        print(f"ok {number} - {name} # SKIP the driver {drivers[known.index(None)]} is not installed")
        continue
    strange = [c for c in cards if not any(c in k for k in known)]
    failed += bool(strange)
    print(f"{'not ok' if strange else 'ok'} {number} - {name}: its {len(cards)} cards are the driver's {strange or ''}")
sys.exit(failed > 0)
