-- Helper: a file for sharetable, which takes the table it returns.
return { argument = ... }
