"""Speed and size bars as interleaved ratios; `make bench` runs them."""
