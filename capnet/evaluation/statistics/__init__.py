"""What chance leaves: intervals over subjects, plans, comparisons, strata."""
