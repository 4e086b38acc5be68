-- Helper module: tells how often it was run and with what arguments.
plain_runs = (plain_runs or 0) + 1
print("plain runs", plain_runs, ...)
return { runs = plain_runs }
