"""The registry is the documentation."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from capnet.features import FEATURES

DOCS = Path(__file__).resolve().parents[2] / "docs" / "features.md"


def test_every_feature_is_described():
    for feature in FEATURES:
        assert all(part.strip() for part in feature[:5])
        assert feature.formula[-1] not in ".;"
        assert feature.name == feature.name.lower()
    assert len(set(FEATURES.names)) == len(FEATURES)


def test_groups_stand_together_and_end_with_their_reason():
    groups = [feature.group for feature in FEATURES]
    changes = sum(a != b for a, b in pairwise(groups))
    assert changes + 1 == len(set(groups)) == len(FEATURES.groups)
    columns = FEATURES.columns()
    assert len(columns) == len(FEATURES) + len(FEATURES.groups)
    assert not set(FEATURES.names) & {f"{group}_reason" for group in groups}


def test_a_feature_is_found_by_name_and_by_place():
    assert FEATURES["pat"].unit == "s"
    assert FEATURES[0] is FEATURES[FEATURES.names[0]]
    assert FEATURES[:2] == (FEATURES[0], FEATURES[1])


def test_the_table_of_the_documentation_is_the_registry():
    page = DOCS.read_text(encoding="utf-8")
    assert FEATURES.to_markdown() in page


def test_the_module_prints_it():
    command = [sys.executable, "-m", "capnet.features"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stdout == FEATURES.to_markdown()


def test_as_a_frame_and_as_text():
    frame = FEATURES.to_frame()
    assert [*frame["name"]] == FEATURES.names
    text = repr(FEATURES)
    assert text.startswith(f"Features({len(FEATURES)})")
    assert all(name in text for name in FEATURES.names)
