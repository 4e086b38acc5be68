-- Helper module: requires itself.
require "circular"
