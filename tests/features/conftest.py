"""Fixtures of the features' tests."""

import jaxtyping
import pytest


@pytest.fixture
def unchecked(monkeypatch):
    """Users run without the shape checks of these tests."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
