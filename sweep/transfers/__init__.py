"""Transfers: fits judged on other dislocations than the one they were trained on."""
