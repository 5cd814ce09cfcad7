#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Check EVE lines on stdin (or in the files named) against eve.schema.json, X-ARF reports with --xarf against xarf.schema.json.

Uses jsonschema if it is installed; otherwise the keywords that the schema uses are checked here, and one that is
not known is an error rather than passed over. Prints what is wrong and exits 1, or the number of lines and exits 0.
"""
import fileinput
import json
import os
import re
import sys

KIND = "xarf" if "--xarf" in sys.argv[1:] else "eve"
SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{KIND}.schema.json")
TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
}
ANNOTATIONS = {"$schema", "$id", "$defs", "title", "then"}


def same(a, b):
    return type(a) is type(b) and a == b


def check_object(root, schema, value, where):
    for key in schema.get("required", []):
        if key not in value:
            yield f"{where}: {key} is missing"
    known = schema.get("properties", {})
    other = schema.get("additionalProperties", True)
    for key, member in value.items():
        if key in known:
            yield from check(root, known[key], member, f"{where}.{key}")
        elif other is False:
            yield f"{where}: {key} is not known"
        elif other is not True:
            yield from check(root, other, member, f"{where}.{key}")


def check_array(root, schema, value, where):
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{where}: {len(value)} items"
    for i, item in enumerate(value):
        yield from check(root, schema.get("items", {}), item, f"{where}[{i}]")


def check(root, schema, value, where):
    for word, want in schema.items():
        if word == "$ref":
            yield from check(root, root["$defs"][want.rsplit("/", 1)[1]], value, where)
        elif word == "type":
            types = want if isinstance(want, list) else [want]
            if not any(TYPES[t](value) for t in types):
                yield f"{where}: not of type {'/'.join(types)}"
        elif word == "enum":
            if not any(same(value, v) for v in want):
                yield f"{where}: {value!r} is none of {want}"
        elif word == "const":
            if not same(value, want):
                yield f"{where}: {value!r} is not {want!r}"
        elif word == "pattern":
            if isinstance(value, str) and not re.search(want, value):
                yield f"{where}: {value!r} does not match {want}"
        elif word in ("minimum", "maximum"):
            if TYPES["integer"](value) and (value < want if word == "minimum" else value > want):
                yield f"{where}: {value} is beyond {word} {want}"
        elif word == "allOf":
            for part in want:
                yield from check(root, part, value, where)
        elif word == "if":
            if not list(check(root, want, value, where)):
                yield from check(root, schema["then"], value, where)
        elif word in ("required", "properties", "additionalProperties"):
            pass  # below, together
        elif word in ("items", "minItems", "maxItems"):
            pass
        elif word not in ANNOTATIONS:
            raise SystemExit(f"{SCHEMA}: keyword {word} is not known to validate.py")
    if isinstance(value, dict):
        yield from check_object(root, schema, value, where)
    if isinstance(value, list):
        yield from check_array(root, schema, value, where)


def no_duplicates(pairs):
    keys = [k for k, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError("duplicate keys")
    return dict(pairs)


def main():
    with open(SCHEMA, encoding="utf-8") as f:
        schema = json.load(f)
    try:
        import jsonschema

        validator = jsonschema.Draft202012Validator(schema)

        def problems(value):
            return [f"{e.json_path}: {e.message}" for e in validator.iter_errors(value)]
    except ImportError:

        def problems(value):
            return list(check(schema, schema, value, "$"))

    lines = bad = 0
    files = [a for a in sys.argv[1:] if a != "--xarf"]
    with fileinput.input(files, encoding="utf-8") as source:
        for line in source:
            lines += 1
            try:
                found = problems(json.loads(line, object_pairs_hook=no_duplicates))
            except ValueError as e:
                found = [str(e)]
            for problem in found:
                print(f"line {lines}: {problem}")
            bad += bool(found)
    print(f"{lines} lines, {bad} wrong")
    return 1 if bad or lines == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
