"""Commands of the cloud: ingest, tap."""

import argparse
import secrets
from pathlib import Path
from typing import Any

from agent.cli.arguments import broker_options, broker_settings, count, seconds
from agent.cli.signals import stop_on_signals
from agent.clock import SystemClock

SESSION_EXPIRY_S = 3600

INGEST_EPILOG = """\
Several workers share the work of one broker and one database; they keep nothing themselves and may be killed at any
time. A message is acknowledged, to the broker and to its box, when it is committed. The database is made, and brought
to this version's schema, at the start.

A password belongs into a file: whoever runs `ps` on this machine reads what stands in an address.

  hedgerow ingest --broker mqtts://broker.example.org --database sqlite:///hedgerow.db
  hedgerow ingest --broker mqtts://broker.example.org --client-id worker-1 \\
      --database postgresql://hedgerow@db.example.org/hedgerow --database-password-file /etc/hedgerow/db-password

With --client-id the broker keeps a session for an hour, and what comes meanwhile. With a broker built on rumqttd 0.20,
say --session-expiry 0: it crashes when such a session ends.
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
    broker_options(ingest)

    tap = command("tap", _tap, "print the decoded messages of a site, as they come")
    tap.add_argument("--broker", required=True, metavar="URL", help="mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
    tap.add_argument("--site", metavar="SITE", help="only this site (default: all)")
    tap.add_argument("--json", action="store_true", help="print one JSON object a message")
    tap.add_argument("--count", type=count, metavar="N", help="end after N messages")
    broker_options(tap)


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
    )
    run_ingest(settings, stop_on_signals(), utc_ms=SystemClock().utc_ms)
    return 0


def _tap(options: argparse.Namespace) -> int:
    from cloud_sync.tap import TapSettings, run_tap

    settings = TapSettings(broker_settings(options), site=options.site, as_json=options.json, count=options.count)
    run_tap(settings, stop_on_signals(), write=lambda line: print(line, flush=True), utc_ms=SystemClock().utc_ms)
    return 0
