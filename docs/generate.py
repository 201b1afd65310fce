"""Writes the pages of the guide that follow from the code: docs/guide/configuration.md and docs/guide/errors.md.

python docs/generate.py          # write them
python docs/generate.py --check  # exit 1 where one is not current
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "pointpet"
GUIDE = ROOT / "docs" / "guide"
CODE = re.compile(r"PP(-[A-Z0-9]+)+")
ANYTHING = "…"
"""What stands for a value that is known when the program runs."""

AREAS = {
    "ANNOTATE": "Annotation page",
    "API": "Python interface",
    "BUDGET": "Study",
    "CAM": "Pictures, maps and masks",
    "CASE": "Cases and files",
    "CHECK": "Remarks of `check`",
    "CLUSTER": "Cluster",
    "COHORT": "Manifest",
    "COMBAT": "Outcomes",
    "CONFIG": "Configuration",
    "DELONG": "Outcomes",
    "DICOM": "DICOM",
    "EXTRA": "Installation",
    "FAULTS": "Cases and files",
    "FEATURES": "Radiomics",
    "FOLDS": "Study",
    "FORMAT": "Outputs",
    "GEO": "Geometry",
    "IMPORT": "DICOM",
    "INPUT": "Cases and files",
    "INTERNAL": "Pointpet itself",
    "LEARN": "Methods and training",
    "LOC": "Pictures, maps and masks",
    "MASK": "Pictures, maps and masks",
    "METHOD": "Methods and training",
    "MIP": "Pictures, maps and masks",
    "MODEL": "Model folders",
    "NIFTI": "NIfTI",
    "OUT": "Outputs",
    "OUTCOME": "Outcomes",
    "OUTPUT": "Outputs",
    "PET": "Cases and files",
    "PHANTOM": "Phantoms",
    "PICTURE": "Pictures, maps and masks",
    "POINT": "Cases and files",
    "PREPARED": "Cases and files",
    "QC": "Remarks of `check`",
    "REPORT": "Report and viewer",
    "REVIEW": "Report and viewer",
    "RTSTRUCT": "DICOM",
    "RULE": "Configuration",
    "SEG": "DICOM",
    "STUDY": "Study",
    "SURVIVAL": "Outcomes",
    "SUV": "SUV",
    "TRAIN": "Methods and training",
    "VIEW": "Report and viewer",
    "WEB": "Pages in the browser",
    "WORKER": "Cluster",
}

_HEADER = "a header value was not taken as it stood; the case's notes name the tag, what was found and what was used"
_REQUEST = "Open the address that the command printed, in a browser on the same machine"
NOTES = {
    "PP-CHECK": ("a remark of `check`, no fault", ""),
    "PP-CONFIG": ("a section or setting is unknown, or of the wrong type", "See `pointpet config` for every setting"),
    "PP-CONFIG-LOCALISE": ("a setting of `localise` is out of its range", "Correct the setting"),
    "PP-MODEL-TENSOR": ("a weight is missing, unknown, of another shape or not finite", "Give a whole model folder"),
    "PP-STUDY-METHOD": ("a method asked for cannot work on this cohort", "Complete the manifest or leave it out"),
    "PP-QC-BODY": ("the body's median SUV is unusual", "Check weight, activity and times in the header"),
    "PP-QC-DOSE": ("the injected activity for the weight is unusual", "Check weight and activity in the header"),
    "PP-QC-GLUCOSE": ("the blood glucose is outside the guideline's range", "Read the SUV of this case with care"),
    "PP-QC-LIVER": ("the liver's mean SUV is unusual", "Check weight, activity, times and the scanner's calibration"),
    "PP-QC-UPTAKE": ("the time from injection to scan is unusual", "Check the times; SUV of other uptake times differ"),
    "PP-QC-VOXEL": ("the voxels are coarse for lesions of this size", "Read small lesions with care"),
    "PP-SUV-DATE": (_HEADER, "See Dates and Times in the header"),
    "PP-SUV-DECY": (_HEADER, "See Decay Correction (0054,1102)"),
    "PP-SUV-GRAMS": (_HEADER, "See Patient's Weight (0010,1030)"),
    "PP-SUV-MANIFEST": ("the manifest supplied a value that the header lacks or has otherwise", ""),
    "PP-SUV-MBQ": (_HEADER, "See Radionuclide Total Dose (0018,1074)"),
    "PP-SUV-MIDNIGHT": (_HEADER, "See the injection and series times"),
    "PP-SUV-PHILIPS": (_HEADER, "See the vendor's SUV scale factor"),
    "PP-SUV-STRICT": ("with --strict no header value may be corrected, and one was", "Correct the header"),
    "PP-WEB-HOST": ("the page was asked for under another machine's name", _REQUEST),
    "PP-WEB-ORIGIN": ("a request came from another page", _REQUEST),
    "PP-WEB-REQUEST": ("a request has not the form that the page sends", "Load the page again"),
    "PP-WEB-SIZE": ("a request is larger than the page sends", "Load the page again"),
    "PP-WEB-TOKEN": ("a request lacks the key that the printed address holds", _REQUEST),
    "PP-WEB-TYPE": ("a request is not JSON", "Load the page again"),
    "PP-WEB-UNKNOWN": ("there is no such page or case", "Load the page again"),
}
"""Words for codes whose message the source does not state beside the code."""


@dataclass(frozen=True)
class Fault:
    """An error or remark as the source states it: code, what it says, what to do about it."""

    code: str
    says: str
    remedy: str


def faults_of(path: Path) -> Iterator[Fault]:
    """Every error code that a module makes, also by a helper that puts the code together."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    helpers = dict(_helpers(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        texts = [_text(argument) for argument in node.args]
        if CODE.fullmatch(texts[0]):
            # (code, subject, problem, remedy), or without a subject.
            yield Fault(texts[0], texts[-2] if len(texts) > 2 else "", texts[-1] if len(texts) > 2 else "")
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in helpers:
            prefix, names = helpers[name]
            given = dict(zip(names, texts, strict=False)) | {k.arg: _text(k.value) for k in node.keywords if k.arg}
            if re.fullmatch(r"[A-Z0-9-]+", given.get("code", "")):
                says = given.get("problem", "") if ANYTHING not in given.get("problem", ANYTHING)[:1] else ""
                yield Fault(prefix + given["code"], says or given.get("problem", ""), given.get("remedy", ""))
    known = {text for node in ast.walk(tree) if CODE.fullmatch(text := _text(node))}
    yield from (Fault(code, "", "") for code in known)


def _helpers(tree: ast.AST) -> Iterator[tuple[str, tuple[str, list[str]]]]:
    """Functions that build `PP-AREA-{code}` of an argument: name, prefix, names of the arguments."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.JoinedStr) and _text(node).startswith("PP-") and _text(node).endswith(ANYTHING):
                names = [argument.arg for argument in function.args.args if argument.arg != "self"]
                yield function.name, (_text(node).removesuffix(ANYTHING), names)


def _text(node: ast.AST) -> str:
    """A string of the source with what is filled in later as `ANYTHING`; empty for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else ANYTHING for part in node.values)
    if isinstance(node, ast.IfExp):
        return f"{_text(node.body)}, or {_text(node.orelse)}" if _text(node.orelse) else _text(node.body)
    return ""


def all_faults() -> dict[str, list[Fault]]:
    """Code to its faults, each wording once; a mention without words only where there is no other."""
    found: dict[str, list[Fault]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for fault in faults_of(path):
            if fault.code != "PP-AREA-NAME" and fault not in found.setdefault(fault.code, []):
                found[fault.code].append(fault)
    worded = {code: [fault for fault in own if fault.says] for code, own in sorted(found.items())}
    return {
        code: own or [Fault(code, *NOTES.get(code, ("the message says what is wrong", "")))]
        for code, own in worded.items()
    }


def errors_page() -> str:
    """docs/guide/errors.md."""
    by_area: dict[str, list[str]] = {}
    for code, faults in all_faults().items():
        area = AREAS.get(code.split("-")[1], "Other")
        lines = by_area.setdefault(area, [])
        for fault in faults:
            lines.append(f"| `{code}` | {_cell(fault.says)} | {_cell(fault.remedy)} |")
    parts = [
        "# Troubleshooting by error code",
        "<!-- Written by docs/generate.py from the messages in the code. -->",
        "A message reads `subject: what is wrong. What to do.`; its code stands in `check --json`, in a study's "
        "list of "
        "failures and in left_out.csv. “…” stands for what the message fills in. Where the remedy is blank the message "
        "itself says what to do. Run a command with `--verbose` for more lines, and give "
        "`pointpet --version` with a bug report.",
    ]
    parts += [
        f"## {area}\n\n| Code | Says | Remedy |\n|---|---|---|\n" + "\n".join(by_area[area]) for area in sorted(by_area)
    ]
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def configuration_page() -> str:
    """docs/guide/configuration.md."""
    from pointpet.pipeline.config import SECTIONS

    parts = [
        "# Configuration",
        "<!-- Written by docs/generate.py from the settings in the code. -->",
        "`pointpet config` prints every setting with its default and a comment. Keep the lines that you change in a "
        "YAML file and give it with `--config FILE`. Unknown names, wrong types and values out of range are all "
        "reported at "
        "once.",
    ]
    for name, section in SECTIONS.items():
        summary = (section.__doc__ or "").strip().splitlines()[0]
        rows = [
            f"| `{item.name}` | `{_default(item)}` | {_cell(item.metadata.get('doc', ''))} |"
            for item in fields(section)
        ]
        parts.append(f"## {name}\n\n{summary}\n\n| Setting | Default | Meaning |\n|---|---|---|\n" + "\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _default(item) -> str:
    value = item.default if item.default is not MISSING else item.default_factory()
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value) if isinstance(value, tuple) else value)


PAGES = {"configuration.md": configuration_page, "errors.md": errors_page}


def main() -> int:
    stale = []
    for name, page in PAGES.items():
        path, text = GUIDE / name, page()
        if "--check" in sys.argv:
            stale += [name] if not path.is_file() or path.read_text(encoding="utf-8") != text else []
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"not current: {', '.join(stale)}; run python docs/generate.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
