"""Commands of the cloud: ingest, tap."""

import argparse
import secrets
from typing import Any

from agent.cli.arguments import broker_options, broker_settings, count
from agent.cli.signals import stop_on_signals
from agent.clock import SystemClock


def add_commands(command: Any) -> None:
    """Add them to the parser."""
    ingest = command("ingest", _ingest, "store what boxes send, and acknowledge it; run as many as you like")
    ingest.add_argument("--broker", required=True, metavar="URL", help="mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
    ingest.add_argument("--database", required=True, metavar="URL", help="sqlite:///PATH")
    ingest.add_argument("--client-id", metavar="ID", help="the broker's name for this worker (default: a new one)")
    broker_options(ingest)

    tap = command("tap", _tap, "print the decoded messages of a site, as they come")
    tap.add_argument("--broker", required=True, metavar="URL", help="mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
    tap.add_argument("--site", metavar="SITE", help="only this site (default: all)")
    tap.add_argument("--json", action="store_true", help="print one JSON object a message")
    tap.add_argument("--count", type=count, metavar="N", help="end after N messages")
    broker_options(tap)


def _ingest(options: argparse.Namespace) -> int:
    from cloud_sync.ingest import IngestSettings, run_ingest

    # Two workers of one name would throw each other out for ever.
    client_id = options.client_id or f"hedgerow-ingest-{secrets.token_hex(4)}"
    settings = IngestSettings(broker_settings(options), options.database, client_id=client_id)
    run_ingest(settings, stop_on_signals(), utc_ms=SystemClock().utc_ms)
    return 0


def _tap(options: argparse.Namespace) -> int:
    from cloud_sync.tap import TapSettings, run_tap

    settings = TapSettings(broker_settings(options), site=options.site, as_json=options.json, count=options.count)
    run_tap(settings, stop_on_signals(), write=lambda line: print(line, flush=True), utc_ms=SystemClock().utc_ms)
    return 0
