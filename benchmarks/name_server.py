"""Knot DNS with the zone of the numbers, on a port of its own and on port 53 of its own address."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from benchmarks.called_numbers import APEX, zone
from benchmarks.children import Child, program
from benchmarks.place import NAME_SERVER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.place import Place

START_S = 10
READY = "server started"

CONFIGURATION = """
server:
    rundir: {folder}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
{listens}
database:
    storage: {folder}
log:
  - target: stdout
    any: info
zone:
  - domain: {apex}
    storage: {folder}
    file: {apex}.zone
    zonefile-sync: -1
    journal-content: none
"""


@contextlib.contextmanager
def name_server(place: Place) -> Iterator[Child]:
    """Serve the zone as long as the block lasts; only root may use port 53."""
    knotd = program("knotd", remedy="apt-get install knot")
    folder = place.folder / "knot"
    folder.mkdir(exist_ok=True)
    (folder / f"{APEX}.zone").write_text(zone(), encoding="ascii")
    ports = [place.name_server_port, *([53] if os.geteuid() == 0 else [])]
    listens = "\n".join(f"    listen: {NAME_SERVER}@{port}" for port in ports)
    configuration = folder / "knot.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, listens=listens, apex=APEX), encoding="utf-8")
    with Child([knotd, "-c", configuration], folder=folder, name="knotd", cpus=place.cores.others) as child:
        child.wait_for(lambda: READY in child.text(), deadline_s=START_S, what="the start of the name server")
        yield child
