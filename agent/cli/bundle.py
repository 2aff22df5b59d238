"""Commands for sites without a link: bundle export, import, acks, key."""

import argparse
import sys
from pathlib import Path
from typing import Any

from agent.cli.arguments import megabytes, seq
from agent.cli.output import Progress, print_json, say
from agent.clock import SystemClock

STORY = """\
A box without a link is emptied by USB stick:

  on the box        hedgerow bundle export --config /etc/hedgerow/hedgerow.toml /media/stick
  in the cloud      hedgerow bundle import --database URL /media/stick
  and, if wanted, back to the box, so that it forgets what the cloud has:
  in the cloud      hedgerow bundle import --database URL /media/stick --answer-with cloud.key
  on the box        hedgerow bundle acks --config /etc/hedgerow/hedgerow.toml /media/stick

The same rows may come by network at the same time, and a stick may be imported twice: nothing is doubled.
"""


def add_commands(command: Any) -> None:
    """Add them to the parser."""
    bundle = command(
        "bundle",
        None,
        "carry the outbox of a box to the cloud on a USB stick",
        epilog=STORY,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = bundle.add_subparsers(title="verbs", required=True, metavar="VERB")

    def verb(name: str, work: Any, text: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        added.set_defaults(command=work)
        added.add_argument("--json", action="store_true", help="print the result as JSON")
        return added

    _add_box_verbs(verb)
    _add_cloud_verbs(verb)


def _add_box_verbs(verb: Any) -> None:
    export = verb("export", _export, "write what waits in the outbox to a stick; an agent may be running")
    export.add_argument("folder", type=Path, metavar="DIR", help="where the stick is mounted")
    export.add_argument("--config", type=Path, required=True, metavar="FILE", help="the box's configuration")
    export.add_argument(
        "--after", type=seq, default=0, metavar="SEQ", help="only what is newer: goes on where one filled"
    )
    export.add_argument(
        "--part-mb", type=megabytes, default=1024, metavar="N", help="a file's size at most (1024; FAT32 takes 4095)"
    )
    acks = verb("acks", _acks, "let the box forget what the cloud has stored; an agent may be running")
    acks.add_argument("path", type=Path, metavar="PATH", help="a *.hedgerow-acks file, or the folder that holds it")
    acks.add_argument("--config", type=Path, required=True, metavar="FILE", help="it has bundle.cloud_key")


def _add_cloud_verbs(verb: Any) -> None:
    take = verb("import", _import, "store what is on a stick, as if it had come by network")
    take.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="folders, or single files")
    take.add_argument("--database", required=True, metavar="URL", help="the one of `hedgerow ingest`")
    take.add_argument("--key", metavar="HEX|FILE", help="the box's public key (default: as it told over the network)")
    take.add_argument(
        "--trust-first-use", action="store_true", help="believe a box whose key is not known, and know it from then on"
    )
    take.add_argument(
        "--answer-with",
        type=Path,
        metavar="FILE",
        help="the cloud's private key: write to the stick what the box may forget",
    )
    key = verb("key", _key, "show the public half of a key, and make the key where there is none")
    key.add_argument(
        "file", type=Path, metavar="FILE", help="of a cloud: any; of a box: bundle.key in its data directory"
    )


def _export(options: argparse.Namespace) -> int:
    from agent.config import load_config
    from agent.identity import load_birth, open_outbox
    from cloud_sync.bundle import BOX_KEY, export_outbox, load_key
    from cloud_sync.wire import Box

    config = load_config(options.config)
    data = config.storage.data_dir
    with open_outbox(data) as engine, Progress("entries") as progress:
        done = export_outbox(
            engine,
            options.folder,
            box=Box(config.box.site, config.box.device),
            key=load_key(data / BOX_KEY),
            birth=load_birth(data),
            now_ms=SystemClock().utc_ms(),
            after=options.after,
            part_bytes=options.part_mb * 1024 * 1024,
            on_progress=progress,
        )
    if options.json:
        print_json(
            {
                "bundle": done.bundle,
                "stream": done.stream,
                "entries": done.entries,
                "through": done.through,
                "unsendable": done.unsendable,
                "bytes": done.size_bytes,
                "files": [str(path) for path in done.parts],
            }
        )
    elif not done.parts:
        print("the outbox is empty: nothing was written")
    else:
        files = ", ".join(path.name for path in done.parts)
        print(f"{done.entries} entries, {done.size_bytes / 1e6:.1f} MB: {files}")
        print("They stay in the outbox until the cloud answers for them.")
    if done.unsendable:
        say(f"{done.unsendable} entries are no valid messages and were left out; `hedgerow status` counts them later")
    return 0


def _import(options: argparse.Namespace) -> int:
    from cloud_sync.bundle import Importer, Trust, absent_parts, find_parts, load_key, read_public
    from cloud_sync.ingest import open_database

    key = read_public(options.key) if options.key else None
    answer_key = load_key(options.answer_with) if options.answer_with else None
    paths = find_parts(options.paths)
    engine = open_database(options.database)
    total = sum(path.stat().st_size for path in paths) // 1024
    with Progress("KiB") as progress:
        done = 0

        def count(size: int) -> None:
            nonlocal done
            done += size
            progress(min(done // 1024, total), total)

        importer = Importer(
            engine, Trust(key, first_use=options.trust_first_use), utc_ms=SystemClock().utc_ms, on_bytes=count
        )
        results = [importer.take(path) for path in paths]
    answers = _answers(importer, results, answer_key) if answer_key else []
    engine.dispose()
    absent = absent_parts(results)
    _report_import(results, absent, answers, as_json=options.json)
    return 1 if any(result.problem for result in results) else 0
