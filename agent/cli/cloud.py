"""Commands of the cloud: ingest, tap, gaps."""

import argparse
import json
import secrets
from pathlib import Path
from typing import Any

from agent.cli.arguments import broker_options, broker_settings, count, database_options, kibibytes, moment, seconds
from agent.cli.signals import stop_on_signals
from agent.clock import SystemClock
from cloud_sync.errors import SyncFatalError

LONGEST_MS = 3660 * 86_400_000

GAPS = """\
A time T is 2026-05-01 or 2026-05-01T06:00 in UTC, or so many days or hours ago: 7d, 36h.

Each camera has a line a day, a cell an hour:
  # observed     + partly observed     x blind: watched, and nothing to see, as of a camera that is away
  . off: box or camera not on     s shed: given up by rule     ? missing: may yet come
"""

SESSION_EXPIRY_S = 300

INGEST_EPILOG = """\
Several workers share the work of one broker and one database; they keep nothing themselves and may be killed at any
time. A message is acknowledged, to the broker and to its box, when it is committed. The database is made, and brought
to this version's schema, at the start.

A password belongs into a file: whoever runs `ps` on this machine reads what stands in an address.

  hedgerow ingest --broker mqtts://broker.example.org --database sqlite:///hedgerow.db
  hedgerow ingest --broker mqtts://broker.example.org --client-id worker-1 \\
      --database postgresql://hedgerow@db.example.org/hedgerow --database-password-file /etc/hedgerow/db-password

With --client-id the broker keeps a session for five minutes, and this worker's share of what comes meanwhile. With a
broker built on rumqttd 0.20, say --session-expiry 0: it crashes when such a session ends.
"""


def add_commands(command: Any) -> None:
    """Add them to the parser."""
    ingest = command(
        "ingest",
        _ingest,
        "store what boxes send, and acknowledge it; run as many as you like",
        epilog=INGEST_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ingest.add_argument("--broker", required=True, metavar="URL", help="mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
    ingest.add_argument(
        "--database", required=True, metavar="URL", help="sqlite:///PATH or postgresql://USER@HOST[:PORT]/DATABASE"
    )
    ingest.add_argument(
        "--database-password-file",
        type=Path,
        metavar="FILE",
        help="first line is the password of the database (default: PGPASSFILE, ~/.pgpass or PGPASSWORD)",
    )
    ingest.add_argument(
        "--client-id",
        metavar="ID",
        help="the broker's name for this worker, kept over restarts, different for each (default: a new one)",
    )
    ingest.add_argument(
        "--session-expiry",
        type=seconds,
        metavar="S",
        help="how long the broker keeps what comes while this worker is away; 0: not at all, boxes send it again "
        f"(default: {SESSION_EXPIRY_S} with --client-id, else 0)",
    )
    ingest.add_argument(
        "--max-packet",
        type=kibibytes,
        default=1024 * 1024,
        metavar="KIB",
        help="the broker keeps a larger packet from this worker, as MQTT 5 has it; boxes send 128 KiB at most "
        "(default 1024)",
    )
    ingest.add_argument("--site", metavar="SITE", help="only the boxes of this site (default: all)")
    broker_options(ingest)

    tap = command("tap", _tap, "print the decoded messages of a site, as they come")
    tap.add_argument("--broker", required=True, metavar="URL", help="mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
    tap.add_argument("--site", metavar="SITE", help="only this site (default: all)")
    tap.add_argument("--json", action="store_true", help="print one JSON object a message")
    tap.add_argument("--count", type=count, metavar="N", help="end after N messages")
    broker_options(tap)

    gaps = command("gaps", _gaps, "tell what has not come: missing seqs, and each camera's hours", epilog=GAPS)
    gaps.formatter_class = argparse.RawDescriptionHelpFormatter
    database_options(gaps)
    gaps.add_argument("--site", metavar="SITE", help="only this site (default: all)")
    gaps.add_argument("--device", metavar="DEVICE", help="only boxes of this name (default: all)")
    gaps.add_argument(
        "--since", type=moment, default=moment("7d"), metavar="T", help="hours from then on (7d); T as below"
    )
    gaps.add_argument("--until", type=moment, default=moment("0h"), metavar="T", help="hours until then (now)")
    gaps.add_argument("--json", action="store_true", help="print one JSON object a box, each on its line")


def _ingest(options: argparse.Namespace) -> int:
    from cloud_sync.ingest import IngestSettings, run_ingest

    # Two workers of one name would throw each other out for ever. A name that never comes back needs no session: the
    # broker would keep a share of the messages for it in vain.
    client_id = options.client_id or f"hedgerow-ingest-{secrets.token_hex(4)}"
    expiry_s = options.session_expiry
    if expiry_s is None:
        expiry_s = SESSION_EXPIRY_S if options.client_id else 0
    settings = IngestSettings(
        broker_settings(options),
        options.database,
        client_id=client_id,
        session_expiry_s=expiry_s,
        database_password_file=options.database_password_file,
        site=options.site,
        max_packet_bytes=options.max_packet,
    )
    run_ingest(settings, stop_on_signals(), utc_ms=SystemClock().utc_ms)
    return 0


def _tap(options: argparse.Namespace) -> int:
    from cloud_sync.tap import TapSettings, run_tap

    settings = TapSettings(broker_settings(options), site=options.site, as_json=options.json, count=options.count)
    run_tap(settings, stop_on_signals(), write=lambda line: print(line, flush=True), utc_ms=SystemClock().utc_ms)
    return 0


def _gaps(options: argparse.Namespace) -> int:
    from cloud_sync.fleet import LEGEND, gaps_of_boxes, lines_of, values_of
    from cloud_sync.ingest.database import open_for_reading

    if options.since >= options.until:
        raise SyncFatalError("--since is not before --until")
    if options.until - options.since > LONGEST_MS:
        raise SyncFatalError("--since is more than ten years before --until")
    engine = open_for_reading(options.database, options.database_password_file)
    asked, now_ms = (options.since, options.until), SystemClock().utc_ms()
    boxes = 0
    for gaps in gaps_of_boxes(engine, asked, now_ms=now_ms, site=options.site, device=options.device):
        boxes += 1
        print(json.dumps(values_of(gaps)) if options.json else "\n".join(lines_of(gaps)), flush=True)
    if not options.json:
        print("\n".join(LEGEND) if boxes else "no box has sent anything, or none of that name")
    engine.dispose()
    return 0
