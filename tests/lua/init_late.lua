-- until: 1.5
-- Functions given to skynet.init while the start function runs are run right after it, later ones at once.
local skynet = require "skynet"
require "skynet.manager"

skynet.init(function()
  print "init"
  skynet.init(function()
    print "init inside init runs at once"
  end)
  print "init ends"
end, "name")
print("name in use", pcall(skynet.init, function() end, "name") == false)
print("name not a string", pcall(skynet.init, function() end, 1) == false)

skynet.start(function()
  print "start function"
  skynet.init(function()
    print "init from the start function"
  end)
  skynet.fork(function()
    skynet.init(function()
      print "init afterwards runs at once"
    end)
    print "fork ends"
    skynet.abort()
  end)
  print "start function ends"
end)
