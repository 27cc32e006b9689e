"""What the propositions say: laws of the expense, of deviations and of more than two classes."""
