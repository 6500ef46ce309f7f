"""What `stratakv simulate` is made of: reading traces, reading capacities, hit ratios, the picture."""
