"""`bench report`: one self-contained HTML page about a suite's stored results.

Data flow one way: stored cells → table → series, figures, answer, examples → page. Nothing is
imported here, so that `bench --help` stays fast.
"""
