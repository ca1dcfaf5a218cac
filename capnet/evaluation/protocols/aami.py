"""A numerical comparison with the AAMI limits; nothing here validates a device."""

from typing import Final

from capnet.evaluation.protocols.comparison import within

__all__ = ["AAMI_BIAS", "AAMI_SD", "AAMI_SUBJECTS", "compare_with_aami"]

AAMI_BIAS: Final = 5.0
"""Largest absolute bias, mmHg (ISO 81060-2, criterion 1)."""

AAMI_SD: Final = 8.0
"""Largest standard deviation, mmHg (ISO 81060-2, criterion 1)."""

AAMI_SUBJECTS: Final = 85
"""Fewest people of a validation (ISO 81060-2)."""


def compare_with_aami(
    bias: float | None, sd: float | None, *, subjects: int
) -> str | None:
    """Put a bias and SD beside the limits, in words.

    The standard pools readings of people; here they are the mean and SD of subjects'
    mean errors in a replay of data. Hence "numerical comparison with", never "meets".

    Args:
        bias: Mean error, mmHg.
        sd: Standard deviation of the errors, mmHg.
        subjects: How many stand behind it; printed.

    Returns:
        One sentence, None without a bias and SD.
    """
    if bias is None or sd is None:
        return None
    inside = within(abs(bias), AAMI_BIAS) and within(sd, AAMI_SD)
    few = f", fewer than the {AAMI_SUBJECTS} the standard asks for"
    return (
        f"bias {bias:+.1f} (limit {AAMI_BIAS:g} either way), SD {sd:.1f} (limit "
        f"{AAMI_SD:g}) mmHg: numerically {'inside' if inside else 'outside'} the AAMI "
        f"limits, n = {subjects} subjects{few if subjects < AAMI_SUBJECTS else ''}"
    )
