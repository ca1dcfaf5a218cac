"""Anybody's predictions and references, from CSV or Parquet, read strictly.

One row a beat (and method); pressures in mmHg; decimals with a point. Rows may stand in
any order: they are joined by subject and beat. Columns that are not listed here are
left alone, and a column without a single number is as if it were not there.

Predictions: ``subject``, ``beat`` (0, 1, ...), ``method``, ``csbp``; and, if wanted,
``cdbp``, ``cmap``, ``cpp``, ``role`` (``deep`` by default: a claim), ``k`` (0),
``calibration``, ``accepted`` (true), ``reason``, ``family``, ``inputs`` (joined by
``+``), ``seen``, ``doubt``, intervals ``csbp_low``, ``csbp_high`` (likewise of the
others) with ``coverage``. Where nobody gives ``cpp`` it is ``csbp`` - ``cdbp``.

Reference: ``subject``, ``beat``, ``csbp`` (or ``csbp_ref``), ``reference_type``,
``calibration``; and, if wanted, ``cdbp``, ``cmap``, ``cpp`` (or with ``_ref``),
``cuff_sbp``, ``cuff_dbp``, ``brachial_sbp``, ``time`` (s), ``duration`` (s), ``age``
(years), ``sex``, ``hr`` (bpm), ``site``, ``group``, ``accepted``, ``reason``, and any
``truth.<name>``, ``groups.<name>``, ``features.<name>``.

Where nobody has taken a reading, ``calibration`` is ``none`` (or ``exact``, if the
predictions were scaled by the true pressures), and there are no columns of a cuff.
Beats that are not accepted may be blank.

What two columns of plausible numbers cannot tell: whether a single method's ``csbp``
and ``csbp_ref`` are exchanged, or the true ``csbp`` and ``cuff_sbp``.

A column ``unit`` may say that pressures are in mmHg; then unusual medians are believed.
"""
