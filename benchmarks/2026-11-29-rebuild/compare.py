#!/usr/bin/env python
# ruff: noqa: E501
"""compare.py BEFORE AFTER [NAME...] [--quiet] [--most N]: whether two folders of runs hold the same results, by content.

One line an item and run: EQUAL, DIFFER (an old and a new value), ONLY-BEFORE, ONLY-AFTER, or NOTE, which is no result
(spelling of a recipe, bytes of an ONNX file, words of the report). Two runs' folders may be given, too.
NAME: only these runs; NAME=OTHER compares BEFORE/NAME with AFTER/OTHER. --quiet: no EQUAL lines. --most N: differences shown
an item (default 5). Ends with 1 where anything differs or is missing after.
Needs numpy, pyarrow and onnxruntime; no torch, nothing of duonas.
"""

import argparse
import hashlib
import json
import math
import re
import struct
import sys
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime
from pyarrow import parquet

# Times and machines: what need not be the same in two runs. Keys at any depth, in measure.json and log.jsonl alone.
TIMES = re.compile(
    r"(^|\.)(latency_ms|images_per_s|environment|us|latency_share|ratio_to_\w+|seconds|eta|times_ms)(\.|\[|$)"
)
lines, counts, MOST, QUIET = [], Counter(), 5, False


def say(kind, run, item, text=""):
    counts[kind] += 1
    if not (QUIET and kind == "EQUAL"):
        print(f"{kind:<11} {run}: {item}{' - ' if text else ''}{text}", flush=True)


def short(value):
    text = repr(value)
    return text if len(text) < 90 else text[:60] + f"...({len(text)})"


def flat(value, prefix=""):
    """{path: leaf} of a JSON value; an empty list or table is a leaf."""
    if isinstance(value, dict) and value:
        found = {}
        for key, each in value.items():
            found |= flat(each, f"{prefix}.{key}" if prefix else str(key))
        return found
    if isinstance(value, list) and value:
        found = {}
        for number, each in enumerate(value):
            found |= flat(each, f"{prefix}[{number}]")
        return found
    return {prefix: value}


def same(a, b):
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def leaves(run, item, a, b, skip=None, note=False):
    """Compare two JSON values leaf by leaf."""
    a, b = ({k: v for k, v in flat(x).items() if not (skip and skip.search(k))} for x in (a, b))
    both = [k for k in a if k in b]
    different = [k for k in both if not same(a[k], b[k])]
    worst = max(
        (
            abs(a[k] - b[k]) / max(abs(a[k]), 1e-30)
            for k in different
            if all(isinstance(x[k], (int, float)) and not isinstance(x[k], bool) for x in (a, b))
        ),
        default=None,
    )
    if different:
        shown = "; ".join(f"{k}: {short(a[k])} -> {short(b[k])}" for k in different[:MOST])
        say(
            "NOTE" if note else "DIFFER",
            run,
            item,
            f"{len(different)} of {len(both)} values{'' if worst is None else f', largest relative {worst:.2g}'}: {shown}",
        )
    elif both:
        say("EQUAL", run, item, f"{len(both)} values")
    for kind, mine, other in (("ONLY-BEFORE", a, b), ("ONLY-AFTER", b, a)):
        only = [k for k in mine if k not in other]
        if only:
            say(
                "NOTE" if note else kind,
                run,
                item,
                f"{kind.lower() if note else ''} {len(only)} keys: "
                + "; ".join(f"{k} = {short(mine[k])}" for k in only[:MOST]),
            )


def read_safetensors(path):
    """({name: (dtype, shape, bytes)} in the order they lie in the file, metadata)."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    meta = header.pop("__metadata__", {})
    body = data[8 + size :]
    order = sorted(header, key=lambda n: (header[n]["data_offsets"], list(header).index(n)))
    return {
        n: (header[n]["dtype"], tuple(header[n]["shape"]), body[slice(*header[n]["data_offsets"])]) for n in order
    }, meta


KINDS = {
    "F32": np.float32,
    "F64": np.float64,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def gap(a, b):
    """The largest difference of two tensors of one shape and type, in words."""
    if a[0] not in KINDS or a[0] != b[0] or a[1] != b[1]:
        return f"{a[0]}{list(a[1])} -> {b[0]}{list(b[1])}"
    x, y = (np.frombuffer(t[2], KINDS[a[0]]).astype(np.float64) for t in (a, b))
    with np.errstate(invalid="ignore"):
        d = np.abs(x - y)
    return f"{int((np.frombuffer(a[2], np.uint8) != np.frombuffer(b[2], np.uint8)).any()) and int((x != y).sum())} of {x.size} numbers, max |d| {np.nanmax(d) if d.size else 0:.3g}"


def tensors_differ(a, b):
    """None or what differs in the tensors of both, and (names only before, only after, how they match)."""
    both = [n for n in a if n in b]
    bad = [n for n in both if a[n] != b[n]]
    only_a, only_b = [n for n in a if n not in b], [n for n in b if n not in a]
    return both, bad, only_a, only_b


def tensors(run, item, pa, pb, note=False):
    (a, meta_a), (b, meta_b) = read_safetensors(pa), read_safetensors(pb)
    both, bad, only_a, only_b = tensors_differ(a, b)
    differ = "NOTE" if note else "DIFFER"
    if bad:
        shapes = [n for n in bad if a[n][:2] != b[n][:2]]
        say(
            differ,
            run,
            item,
            f"{len(bad)} of {len(both)} tensors of equal name ({len(shapes)} of another shape or type): "
            + "; ".join(f"{n}: {gap(a[n], b[n])}" for n in bad[:MOST]),
        )
    elif both:
        say(
            "EQUAL",
            run,
            item,
            f"{len(both)} tensors, {sum(len(a[n][2]) for n in both)} bytes"
            + ("" if list(a) == list(b) or only_a or only_b else "; their order in the file differs"),
        )
    if only_a or only_b:
        text = f"names: {len(only_a)} only before ({', '.join(only_a[:MOST])}), {len(only_b)} only after ({', '.join(only_b[:MOST])})"
        ordered = len(only_a) == len(only_b) and all(a[n] == b[m] for n, m in zip(only_a, only_b, strict=True))
        as_bags = Counter(a[n] for n in only_a) == Counter(b[n] for n in only_b)
        flat_bags = Counter((a[n][0], a[n][2]) for n in only_a) == Counter((b[n][0], b[n][2]) for n in only_b)
        left, right = Counter((a[n][0], a[n][2]) for n in only_a), Counter((b[n][0], b[n][2]) for n in only_b)
        if ordered:
            text += "; paired in file order: ALL BYTES AND SHAPES EQUAL (only names changed)"
        elif as_bags:
            text += "; paired by content: ALL BYTES AND SHAPES EQUAL (names and order changed)"
        elif flat_bags:
            text += "; paired by content: all bytes equal, shapes differ"
        else:
            lost, new = left - right, right - left
            text += f"; by content {sum((left & right).values())} are equal, {sum(lost.values())} before and {sum(new.values())} after have no equal"
            if len(only_a) == len(only_b):
                odd = [(n, m) for n, m in zip(only_a, only_b, strict=True) if a[n] != b[m]]
                text += "; in file order differ: " + "; ".join(f"{n} / {m}: {gap(a[n], b[m])}" for n, m in odd[:MOST])
        say("NOTE" if note else "NAMES" if ordered or as_bags else "DIFFER", run, item, text)
    if meta_a != meta_b:
        leaves(run, item + " metadata", meta_a, meta_b, note=True)


def folder_of_tensors(run, item, a, b, patterns=("*.safetensors",)):
    """Many files, in one line."""
    names = [{str(p.relative_to(x)) for q in patterns for p in x.rglob(q)} if x.is_dir() else set() for x in (a, b)]
    if not any(names):
        return
    both, bad = sorted(names[0] & names[1]), []
    for name in both:
        x, y = read_safetensors(a / name)[0], read_safetensors(b / name)[0]
        if x != y:
            bad.append((name, x, y))
    if bad:

        def why(x, y):
            n = next((n for n in x if n in y and x[n] != y[n]), None)
            return f"names {list(x)} -> {list(y)}" if n is None else f"{n}: {gap(x[n], y[n])}"

        say(
            "DIFFER",
            run,
            item,
            f"{len(bad)} of {len(both)} files: " + "; ".join(f"{n} {why(x, y)}" for n, x, y in bad[:MOST]),
        )
    elif both:
        say("EQUAL", run, item, f"{len(both)} files")
    for kind, only in (("ONLY-BEFORE", names[0] - names[1]), ("ONLY-AFTER", names[1] - names[0])):
        if only:
            bags = [
                Counter(
                    hashlib.sha256(repr(sorted(read_safetensors(x / n)[0].items())).encode()).hexdigest() for n in y - z
                )
                for x, y, z in ((a, names[0], names[1]), (b, names[1], names[0]))
            ]
            say(
                kind,
                run,
                item,
                f"{len(only)} files ({', '.join(sorted(only)[:3])})"
                + ("; same contents under other names" if bags[0] == bags[1] else ""),
            )


def table(run, item, pa, pb):
    a, b = parquet.read_table(pa), parquet.read_table(pb)
    if a.num_rows != b.num_rows:
        say("DIFFER", run, item, f"rows {a.num_rows} -> {b.num_rows}")
    both = [n for n in a.column_names if n in b.column_names]
    n, bad = min(a.num_rows, b.num_rows), []
    for name in both:
        x, y = a[name].to_pylist()[:n], b[name].to_pylist()[:n]
        rows = [i for i in range(n) if not same(x[i], y[i])]
        if rows:
            bad.append(f"{name}: {len(rows)} rows, first row {rows[0]}: {short(x[rows[0]])} -> {short(y[rows[0]])}")
        elif a.schema.field(name).type != b.schema.field(name).type:
            bad.append(f"{name}: type {a.schema.field(name).type} -> {b.schema.field(name).type}")
    if bad:
        say("DIFFER", run, item, f"{len(bad)} of {len(both)} columns: " + "; ".join(bad[:MOST]))
    elif a.num_rows == b.num_rows:
        say("EQUAL", run, item, f"{a.num_rows} rows, {len(both)} columns")
    for kind, mine, other in (("ONLY-BEFORE", a, b), ("ONLY-AFTER", b, a)):
        only = [c for c in mine.column_names if c not in other.column_names]
        if only:
            say(kind, run, item, f"columns {', '.join(only)}")


def front(run, item, pa, pb):
    a, b = (json.loads(p.read_text()) for p in (pa, pb))
    pairs = [Counter(json.dumps(p["pair"], sort_keys=True) for p in x.get("points", ())) for x in (a, b)]
    if pairs[0] != pairs[1]:
        say(
            "DIFFER",
            run,
            item + " pairs",
            f"{len(a['points'])} -> {len(b['points'])} points; "
            f"{sum((pairs[0] - pairs[1]).values())} pairs only before, {sum((pairs[1] - pairs[0]).values())} only after",
        )
    if len(a.get("points", ())) == len(b.get("points", ())):
        leaves(run, item, a, b)
    else:
        leaves(
            run,
            item + " but points",
            {k: v for k, v in a.items() if k != "points"},
            {k: v for k, v in b.items() if k != "points"},
        )


def log(run, item, pa, pb):
    """The last entry of each step, by stage."""
    found = []
    for path in (pa, pb):
        stages = {}
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            stage = entry.pop("stage", "?")
            if "step" in entry:
                stages.setdefault(stage, {})[f"step {entry.pop('step')}"] = entry
            else:
                stages.setdefault(stage + " (no step)", {})[f"line {len(stages.get(stage + ' (no step)', {}))}"] = entry
        found.append(stages)
    for stage in dict.fromkeys([*found[0], *found[1]]):
        leaves(run, f"{item} {stage}", *(x.get(stage, {}) for x in found), skip=TIMES)


def onnx(run, item, pa, pb):
    sessions = []
    for path in (pa, pb):
        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 3, 1
        sessions.append(onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]))
    inputs = [s.get_inputs() for s in sessions]
    more = [[i.name for i in s.get_overridable_initializers()] for s in sessions]
    said = [
        {
            "inputs": [(i.name, i.type, list(i.shape)) for i in s.get_inputs()],
            "outputs": [(o.name, o.type) for o in s.get_outputs()],
            "overridable": m,
        }
        for s, m in zip(sessions, more, strict=True)
    ]
    if json.dumps(said[0]) != json.dumps(said[1]):
        say("DIFFER", run, item + " interface", f"{said[0]} -> {said[1]}")
    images = [next(i for i in x if len(i.shape) == 4) for x in inputs]
    if images[0].shape[1:] != images[1].shape[1:]:
        say("DIFFER", run, item, f"images {images[0].shape} -> {images[1].shape}")
        return
    pixels = np.random.default_rng(20261121).random((64, *images[0].shape[1:]), dtype=np.float32)

    def outputs(number, taus):
        feed = {images[number].name: pixels}
        for name in [i.name for i in inputs[number] if len(i.shape) < 4] + more[number]:
            if name == "tau" and taus is not None:
                feed[name] = np.asarray(taus, np.float32).reshape(
                    [
                        d
                        for d in next(
                            (
                                i.shape
                                for i in [*inputs[number], *sessions[number].get_overridable_initializers()]
                                if i.name == name
                            ),
                            [],
                        )
                    ]
                )
        return dict(
            zip([o.name for o in sessions[number].get_outputs()], sessions[number].run(None, feed), strict=True)
        )

    ways = {"own tau": None}
    if any("tau" in m for m in more) or any(i.name == "tau" for x in inputs for i in x):
        ways |= {"all little": -np.inf, "all big": np.inf}
        score = next((v for k, v in outputs(0, None).items() if "score" in k), None)
        if score is not None:
            ways["half"] = float(np.nanmedian(score))
    bad, number = [], 0
    for way, tau in ways.items():
        x, y = outputs(0, tau), outputs(1, tau)
        if list(x) != list(y):
            y = dict(zip(x, y.values(), strict=False))
        for name, value in x.items():
            other = y.get(name)
            number += 1
            if other is None or value.dtype != other.dtype or value.shape != other.shape:
                bad.append(
                    f"{way}: {name} {value.dtype}{value.shape} -> {None if other is None else (other.dtype, other.shape)}"
                )
            elif value.tobytes() != other.tobytes():
                d = np.abs(value.astype(float) - other.astype(float))
                bad.append(f"{way}: {name} in {int((d > 0).sum())} of {d.size}, max |d| {np.nanmax(d):.3g}")
    if bad:
        say("DIFFER", run, item, f"{len(bad)} of {number} outputs: " + "; ".join(bad[:MOST]))
    else:
        say("EQUAL", run, item, f"{number} outputs of 64 images ({', '.join(ways)})")
    if pa.read_bytes() != pb.read_bytes():
        say("NOTE", run, item, f"bytes of the file differ ({pa.stat().st_size} -> {pb.stat().st_size})")


def words(path):
    text = re.sub(r"<script.*?</script>|<style.*?</style>", " ", path.read_text(), flags=re.S)
    text = re.sub(r"data:image[^\"']*", " ", text)
    return Counter(
        re.sub(r"[\d.]+", "#", line.strip())
        for line in re.sub(r"<[^>]*>", "\n", text).splitlines()
        if line.strip().strip("0123456789.,%KMsm ")
    )


def report(run, item, pa, pb):
    a, b = words(pa), words(pb)
    if a == b:
        say("EQUAL", run, item, f"{sum(a.values())} pieces of text, numbers aside")
    else:
        say(
            "NOTE",
            run,
            item,
            f"text, numbers aside: only before {short(list(a - b)[:4])}; only after {short(list(b - a)[:4])}",
        )


def policy(run, item, pa, pb):
    a, b = (json.loads(p.read_text()) for p in (pa, pb))
    for x in (a, b):
        x.pop("onnx", None)  # checksums of files; the files are compared by what they answer
    leaves(run, item, a, b, skip=re.compile(r"^times_ms"))


def plain(run, item, pa, pb):
    leaves(run, item, *(json.loads(p.read_text()) for p in (pa, pb)))


def measured(run, item, pa, pb):
    leaves(run, item, *(json.loads(p.read_text()) for p in (pa, pb)), skip=TIMES)


def baselines(run, item, pa, pb):
    leaves(run, item, *(json.loads(p.read_text()) for p in (pa, pb)), skip=TIMES)


def stages(run, item, pa, pb):
    a, b = (
        {name: sorted(each["files"]) for name, each in json.loads(p.read_text())["stages"].items()} for p in (pa, pb)
    )
    leaves(run, item + " stages and their files", a, b)


def recipe(run, item, pa, pb):
    leaves(run, item, *(tomllib.loads(p.read_text()) for p in (pa, pb)), note=True)


def dispatch(name):
    """How a file of a run is compared; None: not at all."""
    last = name.rsplit("/", 1)[-1]
    if name.startswith(("logits/", "tensorboard/")) or last in (".lock", "environment.json"):
        return None
    known = {
        "front.json": front,
        "log.jsonl": log,
        "measure.json": measured,
        "baselines.json": baselines,
        "stages.json": stages,
        "recipe.toml": recipe,
        "report.html": report,
        "policy.json": policy,
    }
    if last in known:
        return known[last]
    for end, how in ((".safetensors", tensors), (".parquet", table), (".onnx", onnx), (".json", plain)):
        if last.endswith(end):
            return how
    return None


def compare_run(name, a, b):
    files = [{str(p.relative_to(x)) for p in x.rglob("*") if p.is_file()} for x in (a, b)]
    for file in sorted(files[0] | files[1]):
        how = dispatch(file)
        if how is None:
            continue
        state = "checkpoint/" in file  # of the training: how it is held is the code's own business
        if file not in files[1]:
            say("NOTE" if state else "ONLY-BEFORE", name, file)
        elif file not in files[0]:
            say("NOTE" if state else "ONLY-AFTER", name, file)
        else:
            try:
                if state:
                    tensors(name, file, a / file, b / file, note=True)
                else:
                    how(name, file, a / file, b / file)
            except Exception as error:  # one broken file must not hide the others
                say("DIFFER", name, file, f"cannot be compared: {type(error).__name__}: {error}")
    folder_of_tensors(name, "logits/", a / "logits", b / "logits")


def main():
    global MOST, QUIET
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--most", type=int, default=5)
    given = parser.parse_args()
    MOST, QUIET = given.most, given.quiet
    a, b = given.before, given.after
    if (a / "recipe.toml").exists():
        runs = [(a.name, a, b)]
    elif given.names:
        runs = [(n, a / n.partition("=")[0], b / (n.partition("=")[2] or n)) for n in given.names]
    else:
        names = sorted({p.parent.name for x in (a, b) for p in x.glob("*/recipe.toml")})
        runs = [(n, a / n, b / n) for n in names]
    bad = []
    for name, x, y in runs:
        before = counts["DIFFER"] + counts["ONLY-BEFORE"]
        if not x.is_dir() or not y.is_dir():
            say("ONLY-AFTER" if y.is_dir() else "ONLY-BEFORE", name, "the whole run")
        else:
            compare_run(name, x, y)
        if counts["DIFFER"] + counts["ONLY-BEFORE"] > before:
            bad.append(name)
    print(
        f"\n{len(runs)} runs; "
        + ", ".join(f"{counts[k]} {k}" for k in ("EQUAL", "DIFFER", "NAMES", "ONLY-BEFORE", "ONLY-AFTER", "NOTE"))
    )
    print(
        "runs that differ: "
        + (", ".join(bad) if bad else "none")
        + (" => ALL EQUAL" if not bad and not counts["ONLY-AFTER"] and not counts["NAMES"] else "")
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
