-- Helper: a module that only the service `folder` can find.
return {
  hello = function()
    return "hello from the neighbour"
  end,
}
