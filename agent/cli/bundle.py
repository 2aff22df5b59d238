"""Commands for sites without a link: bundle export, import, acks, key."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.arguments import database_options, megabytes, seq
from agent.cli.output import Progress, print_json, say
from agent.clock import SystemClock

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from cloud_sync.bundle import Importer, PartResult

MIB = 1024 * 1024

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
    database_options(take)
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
    from agent.stick import export

    config = load_config(options.config)
    with Progress("entries") as progress:
        done = export(
            config, options.folder, after=options.after, part_bytes=options.part_mb * MIB, on_progress=progress
        )
    if options.json:
        print_json({**asdict(done), "parts": [str(path) for path in done.parts]})
    elif not done.parts:
        print("nothing waits in the outbox: nothing was written")
    else:
        print(f"{done.entries} entries, {done.size_bytes / 1e6:.1f} MB: {', '.join(path.name for path in done.parts)}")
        print("They stay in the outbox until the cloud answers for them.")
    if done.unsendable:
        say(f"{done.unsendable} entries are no valid messages and were left out; the uplink will set them aside")
    return 0


def _acks(options: argparse.Namespace) -> int:
    from agent.config import load_config
    from agent.stick import take_answers

    config = load_config(options.config)
    with Progress("seqs") as progress:
        results = take_answers(config, options.path, on_progress=progress)
    refused = [problem for problem in results.values() if isinstance(problem, str)]
    if options.json:
        print_json(
            [
                {"file": str(path), **({"problem": result} if isinstance(result, str) else asdict(result))}
                for path, result in results.items()
            ]
        )
    for path, result in results.items():
        if not isinstance(result, str) and not options.json:
            aside = f", {result.laid_aside} that the cloud refuses were laid aside" if result.laid_aside else ""
            print(f"{path.name}: {result.entries} entries left the outbox, {result.waiting} wait{aside}")
    for problem in refused:
        say(f"hedgerow: {problem}")
    return 1 if refused else 0


def _import(options: argparse.Namespace) -> int:
    from cloud_sync.bundle import Importer, Trust, find_parts, load_key, read_public
    from cloud_sync.ingest import open_database

    trust = Trust(read_public(options.key) if options.key else None, first_use=options.trust_first_use)
    key = load_key(options.answer_with) if options.answer_with else None
    paths = find_parts(options.paths)
    engine = open_database(options.database, options.database_password_file)
    try:
        with Progress("KiB") as progress:
            count = _Count(sum(map(_size, paths)), progress)
            importer = Importer(engine, trust, utc_ms=SystemClock().utc_ms, on_bytes=count)
            results = [importer.take(path) for path in paths]
    finally:
        engine.dispose()
    answers, problems = _write_answers(importer, results, key) if key is not None else ([], [])
    problems += [
        f"the cloud asks {box.site}/{box.device} for a new stream, which it hears over the network: {ack.remint}"
        for (box, _), ack in importer.acks.items()
        if ack.remint is not None
    ]
    return _tell(results, answers, problems, as_json=options.json)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # the import says what is wrong with it


class _Count:
    """From sizes of blocks to the progress over all files."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._done, self._total, self._progress = 0, total // 1024, progress

    def __call__(self, size: int) -> None:
        self._done += size
        self._progress(min(self._done // 1024, self._total), self._total)


def _write_answers(
    importer: "Importer", results: "list[PartResult]", key: "Ed25519PrivateKey"
) -> tuple[list[Path], list[str]]:
    """Write the answers beside the first file of each stream; return them, and what went wrong."""
    from cloud_sync.bundle import BundleError, write_answer

    written, problems = [], []
    folders = {(part.header.box, part.header.stream): part.path.parent for part in reversed(results) if part.header}
    for of, ack in importer.acks.items():
        try:
            written.append(write_answer(folders[of], of[0], ack, key, now_ms=SystemClock().utc_ms()))
        except BundleError as error:
            problems.append(str(error))
    return written, problems


def _tell(results: "list[PartResult]", answers: list[Path], problems: list[str], *, as_json: bool) -> int:
    from cloud_sync.bundle import absent_parts

    absent = absent_parts(results)
    problems = [*(f"{result.path} {result.problem}" for result in results if result.problem), *problems]
    if as_json:
        parts = [_part_values(result) for result in results]
        print_json({"parts": parts, "absent": absent, "answers": [str(path) for path in answers], "problems": problems})
    else:
        lines = [_line(result) for result in results if result.header is not None]
        lines += [f"answer for the box: {path}" for path in answers]
        print("\n".join(lines), end="\n" if lines else "")
    refused = [
        f"{result.path}: seq {first}{f'-{last}' if last > first else ''}: {why}"
        for result in results
        for first, last, why in result.refusals
    ]
    for line in [*problems, *refused, *absent]:
        say(f"hedgerow: {line}")
    return 1 if problems else 0


def _part_values(result: "PartResult") -> dict[str, Any]:
    header = result.header
    return {
        "file": str(result.path),
        "box": f"{header.site}/{header.device}" if header else None,
        "stream": header.stream if header else None,
        "bundle": header.bundle if header else None,
        "part": header.part if header else None,
        "final": result.final,
        "entries": result.entries,
        "new": result.fresh,
        "quarantined": result.aside,
        "refused": [refusal._asdict() for refusal in result.refusals],
        "problem": result.problem or None,
    }


def _line(result: "PartResult") -> str:
    assert result.header is not None
    box = f"{result.header.site}/{result.header.device}"
    aside = f", {result.aside} messages in quarantine" if result.aside else ""
    return f"{result.path.name}: {box}, {result.entries} entries, {result.fresh} of them new{aside}"


def _key(options: argparse.Namespace) -> int:
    from cloud_sync.bundle import mint_key, public_hex

    made = not options.file.exists()
    public = public_hex(mint_key(options.file))
    if options.json:
        print_json({"public": public, "made": made})
    else:
        print(public)
    return 0
